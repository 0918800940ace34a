// The etcd driver. Private to brain/store; everyone else calls open_etcd().
//
//   <prefix>leader   the leader's name, on its lease; its create revision is the term
//   <prefix>commit   the marker: the id of the last transaction, written by each
//   <prefix>form     the version of this layout
//   <prefix>data/K   the record of key K
//
// A transaction holds only when the leader key is of its term and the marker is the one that the
// transaction before it wrote. So it may be sent again when its answer was lost: it happens once,
// and the marker says whether it did. When no answer comes in time, the caller is told that it is
// not known; before this store then reads or writes again it writes a new marker, after which the
// lost transaction can happen no more: what is read is what stays.
#pragma once

#include "brain/store/etcd_client.hpp"
#include "brain/store/store.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace brain::store {

// Under etcd's defaults: 128 operations (--max-txn-ops) and 1.5 MiB (--max-request-bytes).
inline constexpr std::size_t kMaxTransactionChanges = 100;
inline constexpr std::size_t kMaxTransactionBytes = std::size_t{1} << 20;
inline constexpr std::int64_t kEtcdForm = 1;

class EtcdStore final : public Store {
  public:
    explicit EtcdStore(std::shared_ptr<EtcdClient> client);

    base::Result<std::optional<std::string>> get(std::string_view key) override;
    base::Result<void> list(std::string_view prefix, const Visit& visit) override;
    base::Result<void> commit(Term term, std::span<const Change> changes) override;
    base::Result<bool> compare_and_swap(
            Term term,
            const std::string& key,
            const std::optional<std::string>& expected,
            const std::optional<std::string>& value) override;
    base::Result<std::optional<Term>> campaign(
            const std::string& name,
            std::chrono::milliseconds time_to_live,
            std::chrono::milliseconds patience) override;
    base::Result<void> keep_lead(Term term) override;
    base::Result<void> resign(Term term) override;
    base::Result<std::optional<Leader>> leader() override;
    base::Result<std::unique_ptr<Watch>> watch(
            std::string_view prefix,
            std::function<void(const Change&)> seen,
            std::function<void(const base::Error&)> broken) override;
    Health health() override;
    base::Result<std::vector<std::string>> verify() override;
    base::Result<void> backup(const std::string& path) override;

  private:
    enum class Wrote : std::uint8_t { yes, differs };

    // Under write_mutex_: one fenced transaction, sent until it is known what became of it.
    base::Result<Wrote> write(
            Term term,
            const std::vector<EtcdOperation>& operations,
            const std::optional<EtcdCompare>& condition);
    base::Result<std::optional<Wrote>> write_once(
            Term term,
            const std::vector<EtcdOperation>& operations,
            const std::optional<EtcdCompare>& condition);
    base::Result<void> read_marker(Term term);
    // After a write whose end is not known: makes it impossible, whatever became of it.
    base::Result<void> settle();

    base::Result<void> check_form();
    base::Result<std::optional<Term>> take_lead(const std::string& name, std::int64_t lease);
    base::Result<std::int64_t> grant_lease(std::chrono::milliseconds time_to_live);
    void revoke_lease(std::int64_t lease);
    // Until the leader key is deleted, something fails or time is over.
    void await_end_of_leader(std::int64_t after, std::chrono::steady_clock::time_point deadline);

    const std::shared_ptr<EtcdClient> client_;  // owners: this, and each watch
    const std::string leader_key_;
    const std::string marker_key_;
    const std::string form_key_;
    const std::string data_;  // before each key

    std::mutex write_mutex_;               // guards what follows
    std::uint64_t marker_term_ = 0;        // whose marker is known; 0: none
    std::int64_t marker_revision_ = 0;     // of the last transaction; 0: there was none
    Term unsettled_term_;                  // of the write whose end is not known
    std::atomic<bool> unsettled_ = false;  // read without the lock

    std::mutex lead_mutex_;  // guards what follows; never held while asking
    Term term_;
    std::int64_t lease_ = 0;
};

}  // namespace brain::store
