#include "base/gate.hpp"

#include "base/fail.hpp"

namespace base {

Result<Gate::Pass> Gate::enter(const std::string& key) {
    const std::lock_guard lock(mutex_);
    if (total_ >= config_.total) {
        ++refused_;
        return fail(
                Errc::unavailable, "{}: {} are at work, the limit is {}; try again", config_.name,
                total_, config_.total);
    }
    const auto it = inside_.try_emplace(key, 0).first;
    if (it->second >= config_.per_key) {
        ++refused_;
        return fail(
                Errc::unavailable, "{}: {} are at work for '{}', the limit is {}; try again",
                config_.name, it->second, key.substr(0, 128), config_.per_key);
    }
    ++it->second;
    ++total_;
    return Pass(this, key);
}

void Gate::leave(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto it = inside_.find(key);
    if (--it->second == 0) inside_.erase(it);
    --total_;
}

Gate::Figures Gate::figures() const {
    const std::lock_guard lock(mutex_);
    return {.inside = total_, .keys = inside_.size(), .refused = refused_};
}

}  // namespace base
