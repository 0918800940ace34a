#include "executor/fetch/flights.hpp"

#include "executor/fetch/download.hpp"

namespace executor {

base::Result<std::optional<Flights::Turn>> Flights::enter(
        const std::string& key, const std::string& what, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto came = ++ticks_;
    auto& state = states_[key];  // stays where it is while it has users
    ++state.users;
    const auto served = [&] { return state.good_begun > came && state.good_what == what; };
    const bool turn = changed_.wait(lock, stop, [&] { return !state.busy || served(); });
    if (turn && !served()) {
        state.busy = true;
        state.begun = ++ticks_;
        state.what = what;
        return std::optional<Turn>(std::in_place, *this, key);
    }
    if (--state.users == 0) states_.erase(key);
    if (!turn) return stopped("waiting for another download");
    return std::optional<Turn>();
}

void Flights::leave(const std::string& key, bool good) {
    const std::lock_guard lock(mutex_);
    const auto found = states_.find(key);
    auto& state = found->second;
    state.busy = false;
    if (good) {
        state.good_begun = state.begun;
        state.good_what = state.what;
    }
    if (--state.users == 0) states_.erase(found);
    changed_.notify_all();
}

base::Result<FetchSlots::Slot> FetchSlots::take(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [this] { return free_ > 0; }))
        return stopped("waiting for other transfers");
    --free_;
    return Slot(*this);
}

void FetchSlots::give_back() {
    const std::lock_guard lock(mutex_);
    ++free_;
    changed_.notify_one();
}

}  // namespace executor
