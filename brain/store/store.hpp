// Store: where the brain's records are kept, as keys and values. Two drivers (SQLite, etcd v3) pass
// one suite (tests/unit/brain_store). Used by brain/core, which keeps everything in memory and
// writes through. Every call may block; safe from any thread.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace brain::store {

inline constexpr std::size_t kMaxKey = 512;  // bytes
inline constexpr std::size_t kMaxValue = std::size_t{1}
                                         << 20;  // bytes; etcd takes 1.5 MiB a request

struct Change {
    std::string key;
    std::optional<std::string> value;  // nothing: the record is deleted
};

// The right to write: a number that grows with each leader. A driver refuses every commit of an
// older term (Errc::conflict), so that a leader who was paused and resumed can write nothing.
struct Term {
    std::uint64_t number = 0;
    bool operator==(const Term&) const = default;
};

struct Leader {
    Term term;
    std::string name;  // what it gave to campaign(): how others reach it
};

// What an operator asks of a store.
struct Health {
    bool reachable = false;
    std::string text;         // one sentence, the reason when it is not
    std::uint64_t bytes = 0;  // on disk
    std::uint64_t records = 0;
};

class Store {
  public:
    virtual ~Store() = default;

    virtual base::Result<std::optional<std::string>> get(std::string_view key) = 0;

    // Every record whose key begins with `prefix`, in order of keys, all of one moment. A failure
    // of `visit` ends it and is the answer.
    using Visit = std::function<base::Result<void>(std::string_view key, std::string_view value)>;
    virtual base::Result<void> list(std::string_view prefix, const Visit& visit) = 0;

    // Durable when it returns. A driver may split many changes into several transactions, in their
    // order: after an error a front part of them may be there, so who writes must read again.
    // Errc::conflict: `term` is over. Errc::unavailable, Errc::timeout: not known whether it is
    // there. Errc::exhausted: no space, nothing changed.
    virtual base::Result<void> commit(Term term, std::span<const Change> changes) = 0;

    // Writes only when the record is what was expected (nothing: absent); false when it is not.
    virtual base::Result<bool> compare_and_swap(
            Term term,
            const std::string& key,
            const std::optional<std::string>& expected,
            const std::optional<std::string>& value) = 0;

    // Waits up to `patience` for the lead; nothing when another keeps it. Held for `time_to_live`
    // after each keep_lead(); who has not kept it for that long by its own clock must act no more.
    virtual base::Result<std::optional<Term>> campaign(
            const std::string& name,
            std::chrono::milliseconds time_to_live,
            std::chrono::milliseconds patience) = 0;
    virtual base::Result<void> keep_lead(Term term) = 0;  // Errc::conflict: it is over
    virtual base::Result<void> resign(Term term) = 0;     // idempotent
    virtual base::Result<std::optional<Leader>> leader() = 0;

    // Calls `seen` for each change of a key with `prefix` that commits after this returns, on a
    // thread of the driver, until the answer is destroyed. `broken` once when changes may have been
    // missed: who watches reads again.
    class Watch {
      public:
        virtual ~Watch() = default;
    };

    virtual base::Result<std::unique_ptr<Watch>> watch(
            std::string_view prefix,
            std::function<void(const Change&)> seen,
            std::function<void(const base::Error&)> broken) = 0;

    virtual Health health() = 0;
    // Reads everything and compares what can be compared; each finding is a sentence.
    virtual base::Result<std::vector<std::string>> verify() = 0;
    // A copy of one moment at `path`, which must not exist; Errc::unsupported where the store has
    // tools of its own for that.
    virtual base::Result<void> backup(const std::string& path) = 0;
};

struct SqliteConfig {
    std::string path;  // of the database; its directory must exist
    std::chrono::milliseconds busy_timeout{5'000};
};

struct EtcdConfig {
    std::vector<std::string> endpoints;  // "http://127.0.0.1:2379", "https://…"; tried in turn
    std::string prefix = "/cloche/v1/";
    std::string ca_file, certificate_file, key_file;
    std::string username, password;
    std::chrono::milliseconds timeout{5'000};  // of one call
};

// Errc::corrupt names the file and what to do; Errc::unsupported: written by a newer version.
base::Result<std::unique_ptr<Store>> open_sqlite(const SqliteConfig& config);
base::Result<std::unique_ptr<Store>> open_etcd(const EtcdConfig& config);

}  // namespace brain::store
