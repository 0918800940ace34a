#include "executor/steps/slots.hpp"

#include <algorithm>

namespace executor {

std::unique_ptr<Slots::Turn> Slots::take(std::function<void()> go) {
    queue_.push_back(std::make_unique<Waiting>(Waiting{.go = std::move(go)}));
    auto turn = std::make_unique<Turn>(*this, *queue_.back());
    call_next();
    return turn;
}

void Slots::leave(const Waiting& place) {
    if (place.going) ++free_;
    queue_.remove_if([&](const auto& entry) { return entry.get() == &place; });
    call_next();
}

// Each from a job of its own: who leaves is not to find himself inside somebody else's check.
void Slots::call_next() {
    (void)loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
        if (alive.expired() || free_ == 0) return;
        const auto next = std::find_if(
                queue_.begin(), queue_.end(), [](const auto& entry) { return !entry->going; });
        if (next == queue_.end()) return;
        --free_;
        (*next)->going = true;
        const auto go = std::move((*next)->go);  // it may give the turn back inside
        go();
    });
}

}  // namespace executor
