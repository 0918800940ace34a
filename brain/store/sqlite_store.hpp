// The SQLite driver: one writer connection under a lock, readers of their own, leadership beside
// the file. Private to brain/store; everyone else calls open_sqlite().
#pragma once

#include "brain/store/sqlite_database.hpp"
#include "brain/store/sqlite_lead.hpp"
#include "brain/store/sqlite_upkeep.hpp"
#include "brain/store/store.hpp"
#include "brain/store/watch_hub.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace brain::store {

inline constexpr std::size_t kKeptReaders = 8;

class SqliteStore final : public Store {
  public:
    static base::Result<std::unique_ptr<Store>> open(const SqliteConfig& config);
    SqliteStore(SqliteConfig config, LeadFile lead, std::unique_ptr<Database> writer);
    SqliteStore(const SqliteStore&) = delete;
    SqliteStore& operator=(const SqliteStore&) = delete;
    ~SqliteStore() override;

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
    struct Reader {
        std::unique_ptr<Database> database;  // first: statements end before it
        Statement get;
    };

    // A reader of the pool, which goes back when it ends.
    class Borrowed {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
      public:
        Borrowed(SqliteStore& store, std::unique_ptr<Reader> reader)
            : store_(&store), reader_(std::move(reader)) {}

        Borrowed(Borrowed&&) noexcept = default;
        Borrowed& operator=(Borrowed&&) = delete;
        ~Borrowed();

        Reader* operator->() const { return reader_.get(); }

      private:
        SqliteStore* store_;
        std::unique_ptr<Reader> reader_;
    };

    struct Lead {
        std::uint64_t term = 0;
        std::optional<std::string> name;  // nothing: it resigned, or nobody ever led
    };

    base::Result<void> prepare();
    base::Result<Borrowed> borrow();
    base::Result<std::unique_ptr<Reader>> new_reader();

    // Under write_mutex_.
    base::Result<Lead> lead_row();
    base::Result<void> fence(Term term);
    base::Result<void> write(const Change& change);
    base::Result<std::optional<std::string>> read(std::string_view key);
    void notice_others();
    void committed(std::span<const Change> changes);

    // Under write_mutex_ and the guard of the lead.
    base::Result<std::optional<Term>> take_lead(
            const std::string& name, LeadFile::Moment lease_until);
    base::Result<void> write_lead(std::uint64_t term, std::optional<std::string_view> name);

    const SqliteConfig config_;

    std::mutex read_mutex_;  // guards readers_
    std::vector<std::unique_ptr<Reader>> readers_;

    std::mutex write_mutex_;  // guards what follows; taken before the hub's lock
    LeadFile lead_;
    std::chrono::milliseconds time_to_live_{0};
    std::unique_ptr<Database> writer_;
    Statement get_;
    Statement put_;
    Statement remove_;
    Statement lead_row_;
    Statement write_lead_;
    Statement version_;
    std::int64_t seen_version_ = 0;  // of the file, as far as others changed it
    int log_pages_ = 0;

    std::unique_ptr<SqliteUpkeep> upkeep_;
    std::shared_ptr<WatchHub> hub_;  // owners: this, and each watch
};

}  // namespace brain::store
