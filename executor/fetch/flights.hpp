// Flights: one at a time per key; who waited for a turn may use what another brought, when that one
// set out after he came. Twenty that ask at once are one download and one revalidation. And
// FetchSlots: so many at once at all. Private to executor/fetch.
#pragma once

#include "base/result.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

namespace executor {

class Flights {
  public:
    // The turn; given back when destroyed. The Flights must live longer.
    class [[nodiscard]] Turn {
      public:
        Turn(Flights& owner, std::string key) : owner_(&owner), key_(std::move(key)) {}

        Turn(Turn&& other) noexcept
            : owner_(std::exchange(other.owner_, nullptr)),
              key_(std::move(other.key_)),
              good_(other.good_) {}

        Turn& operator=(Turn&&) = delete;
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

        ~Turn() {
            if (owner_ != nullptr) owner_->leave(key_, good_);
        }

        void succeeded() { good_ = true; }

      private:
        Flights* owner_;
        std::string key_;
        bool good_ = false;
    };

    // Nothing: another flight for the same `what` set out after this call and succeeded.
    // Errc::cancelled after a stop.
    base::Result<std::optional<Turn>> enter(
            const std::string& key, const std::string& what, const std::stop_token& stop);

  private:
    struct State {
        std::size_t users = 0;
        bool busy = false;
        std::uint64_t begun = 0;  // of the flight under way
        std::string what;
        std::uint64_t good_begun = 0;  // of the last that succeeded
        std::string good_what;
    };

    void leave(const std::string& key, bool good);

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::map<std::string, State> states_;
    std::uint64_t ticks_ = 0;
};

class FetchSlots {
  public:
    explicit FetchSlots(std::size_t count) : free_(count) {}

    class [[nodiscard]] Slot {
      public:
        explicit Slot(FetchSlots& owner) : owner_(&owner) {}

        Slot(Slot&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}

        Slot& operator=(Slot&&) = delete;
        Slot(const Slot&) = delete;
        Slot& operator=(const Slot&) = delete;

        ~Slot() {
            if (owner_ != nullptr) owner_->give_back();
        }

      private:
        FetchSlots* owner_;
    };

    base::Result<Slot> take(const std::stop_token& stop);  // Errc::cancelled after a stop

  private:
    void give_back();

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::size_t free_;
};

}  // namespace executor
