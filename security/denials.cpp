#include "security/denials.hpp"

#include <algorithm>

namespace security {

bool DenialLog::take_token(Clock::time_point now) {
    if (refilled_ == Clock::time_point{}) refilled_ = now;
    const auto passed = std::chrono::duration<double>(now - refilled_).count();
    refilled_ = std::max(refilled_, now);
    if (passed > 0) tokens_ = std::min<double>(kDenialBurst, tokens_ + passed * kDenialsPerSecond);
    if (tokens_ < 1) {
        ++suppressed_;
        return false;
    }
    tokens_ -= 1;
    return true;
}

void DenialLog::count(const DenialRecord& record) {
    ++total_;
    const Key key{record.architecture, record.call};
    auto found = calls_.find(key);
    if (found == calls_.end()) {
        if (calls_.size() >= kMaxDeniedCalls) {
            ++other_;
            return;
        }
        found = calls_.try_emplace(key).first;
        found->second.call = call_name(record.architecture, record.call);
        found->second.architecture = architecture_name(record.architecture);
        found->second.first_ns = record.time_ns;
    }
    auto& entry = found->second;
    ++entry.count;
    entry.action = denial_action_name(record.action);
    entry.last_ns = record.time_ns;
}

bool DenialLog::wants_sample(const DenialRecord& record) const {
    if (samples_.size() >= kMaxDenialSamples) return false;
    const auto call = call_name(record.architecture, record.call);
    return std::none_of(samples_.begin(), samples_.end(), [&](const DenialSample& known) {
        return known.call == call && known.executable == record.executable &&
               known.command == record.command;
    });
}

DenialReport DenialLog::report() const {
    DenialReport out;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [key, entry] : calls_) out.calls.push_back(entry);
        out.samples = samples_;
        out.total = total_;
        out.other = other_;
        out.suppressed = suppressed_;
    }
    std::stable_sort(out.calls.begin(), out.calls.end(), [](const auto& a, const auto& b) {
        return a.count > b.count;
    });
    return out;
}

std::optional<DenialReport> DenialLog::news() {
    {
        const std::lock_guard lock(mutex_);
        const auto now = total_ + suppressed_;
        if (now == told_) return {};
        told_ = now;
    }
    return report();
}

std::uint64_t DenialLog::total() const {
    const std::lock_guard lock(mutex_);
    return total_ + suppressed_;
}

}  // namespace security
