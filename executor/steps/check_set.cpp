#include "executor/steps/check_set.hpp"

#include "executor/steps/duration.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace executor {

struct CheckSet::One {
    api::Check check;
    std::chrono::nanoseconds interval{0};
    Eagerness eagerness;
    std::unique_ptr<Probe> probe;
    Loop::TimerId timer = 0;
    std::uint64_t round = 0;  // an answer of an earlier one is nobody's
    std::uint64_t attempts = 0;
    std::uint32_t failures = 0;  // in a row
    bool passed = false;
    std::string text;  // of the last failure
};

CheckSet::CheckSet(Tools& tools, const std::vector<api::Check>& checks, Events events)
    : tools_(tools), events_(std::move(events)) {
    for (const auto& check : checks) {
        const auto own = check.tcp_check    ? check.tcp_check->interval_ms
                         : check.http_check ? check.http_check->interval_ms
                                            : 0;
        all_.push_back(std::make_unique<One>(One{
                .check = check,
                .interval = own == 0 ? tools.times.healthy_interval
                                     : std::chrono::milliseconds(static_cast<std::int64_t>(own)),
                .eagerness = Eagerness(tools.times.first_probe, tools.times.unhealthy_interval)}));
    }
}

CheckSet::~CheckSet() {
    stop();
}

void CheckSet::wait() {
    stop();
    watching_ = false;
    for (auto& one : all_) {
        one->passed = false;
        one->attempts = 0;
        one->eagerness = Eagerness(tools_.times.first_probe, tools_.times.unhealthy_interval);
        attempt_after(*one, one->eagerness.next());
    }
}

void CheckSet::watch(std::chrono::nanoseconds first) {
    stop();
    watching_ = true;
    for (auto& one : all_) {
        one->failures = 0;
        attempt_after(*one, first > first.zero() ? std::min(first, one->interval) : one->interval);
    }
}

void CheckSet::stop() {
    for (auto& one : all_) {
        tools_.loop.cancel(one->timer);
        one->timer = 0;
        one->probe.reset();
        ++one->round;
    }
}

void CheckSet::attempt_after(One& one, std::chrono::nanoseconds delay) {
    one.timer = tools_.loop.after(delay, [this, &one] { attempt(one); });
}

void CheckSet::attempt(One& one) {
    one.timer = 0;
    const auto& facts = tools_.facts;
    const auto& address = facts.internal_ip.empty() ? facts.internal_ip_v6 : facts.internal_ip;
    // Judged from a job of its own: the judgement may end the probe, which then is on no stack.
    one.probe = probe(tools_.loop, address, one.check, [this, &one](ProbeAnswer answer) {
        (void)tools_.loop.post([this, alive = std::weak_ptr<char>(alive_), &one, round = one.round,
                                answer = std::move(answer)] {
            if (!alive.expired() && one.round == round) judge(one, answer);
        });
    });
}

void CheckSet::judge(One& one, const ProbeAnswer& answer) {
    one.probe.reset();
    ++one.attempts;
    if (answer.result != ProbeResult::healthy) one.text = answer.text;
    watching_ ? judge_watching(one, answer) : judge_waiting(one, answer);
}

void CheckSet::judge_waiting(One& one, const ProbeAnswer& answer) {
    if (answer.result != ProbeResult::healthy) {
        attempt_after(one, one.eagerness.next());
        if (events_.missed) events_.missed();
        return;
    }
    one.passed = true;
    if (std::all_of(all_.begin(), all_.end(), [](const auto& each) { return each->passed; }))
        events_.passed();
}

void CheckSet::judge_watching(One& one, const ProbeAnswer& answer) {
    one.failures = answer.result == ProbeResult::healthy ? 0 : one.failures + 1;
    if (one.failures < std::max(one.check.failure_threshold, 1U))
        return attempt_after(one, one.interval);
    stop();
    events_.failed(one.text);
}

std::string CheckSet::waiting_for(std::chrono::nanoseconds elapsed) const {
    std::string out;
    for (const auto& one : all_) {
        if (one->passed) continue;
        out += fmt::format(
                "{}Timed out after {} ({} attempts) waiting for startup check to succeed",
                out.empty() ? "" : "; ", to_go_text_rounded(elapsed), one->attempts);
        if (!one->text.empty()) out += ": " + one->text;
    }
    return out;
}

}  // namespace executor
