#include "base/keyed_lock.hpp"

namespace base {

KeyedLock::Guard KeyedLock::lock(const std::string& key) {
    std::unique_lock lock(mutex_);
    Entry& entry = entries_[key];  // a map's nodes stay where they are
    const auto ticket = entry.next_ticket++;
    entry.changed.wait(lock, [&] { return entry.serving == ticket; });
    return Guard(this, key);
}

std::optional<KeyedLock::Guard> KeyedLock::try_lock(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto [it, made] = entries_.try_emplace(key);
    if (!made) return std::nullopt;
    it->second.next_ticket = 1;
    return Guard(this, key);
}

std::optional<KeyedLock::Guard> KeyedLock::lock_until(
        const std::string& key, std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    Entry& entry = entries_[key];
    const auto ticket = entry.next_ticket++;
    if (entry.changed.wait_until(lock, deadline, [&] { return entry.serving == ticket; }))
        return Guard(this, key);
    entry.given_up.emplace(ticket, true);  // whoever is before us skips the place
    return std::nullopt;
}

void KeyedLock::advance(Entry& entry) {
    ++entry.serving;
    while (entry.given_up.erase(entry.serving) != 0) ++entry.serving;
}

void KeyedLock::unlock(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(key);
    advance(it->second);
    if (it->second.serving == it->second.next_ticket) {
        entries_.erase(it);
    } else {
        it->second.changed.notify_all();
    }
}

std::size_t KeyedLock::keys() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace base
