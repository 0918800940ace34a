// KeyedLock: one holder per key at a time, in order of arrival; keys do not wait for each other and
// cost nothing when free. Used where operations on one name must not overlap.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace base {

class KeyedLock {
  public:
    // Holds its key until destroyed; the KeyedLock must live longer.
    class [[nodiscard]] Guard {
      public:
        Guard(Guard&& other) noexcept
            : owner_(std::exchange(other.owner_, nullptr)), key_(std::move(other.key_)) {}

        Guard& operator=(Guard&&) = delete;
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;

        ~Guard() {
            if (owner_ != nullptr) owner_->unlock(key_);
        }

      private:
        friend class KeyedLock;

        Guard(KeyedLock* owner, std::string key) : owner_(owner), key_(std::move(key)) {}

        KeyedLock* owner_;
        std::string key_;
    };

    Guard lock(const std::string& key);
    std::optional<Guard> try_lock(const std::string& key);
    std::optional<Guard> lock_until(
            const std::string& key, std::chrono::steady_clock::time_point deadline);
    std::size_t keys() const;  // held or waited for

  private:
    struct Entry {
        std::uint64_t next_ticket = 0;           // of the next arrival
        std::uint64_t serving = 0;               // whose turn it is
        std::map<std::uint64_t, bool> given_up;  // tickets that ran out of time
        std::condition_variable changed;
    };

    void unlock(const std::string& key);
    static void advance(Entry& entry);

    mutable std::mutex mutex_;
    std::map<std::string, Entry> entries_;
};

}  // namespace base
