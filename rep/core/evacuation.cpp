#include "rep/core/evacuation.hpp"

#include "rep/plan/identity.hpp"

#include <algorithm>

namespace rep::core {

using executor::api::Container;
using executor::api::State;

namespace {

// Beyond hard end and cleanup: for the last look at the containers.
constexpr std::chrono::milliseconds kSlack{2'000};

}  // namespace

Evacuation::Evacuation(
        const Config& config,
        executor::api::Executor& executor,
        bool has_brain,
        Harmonizer& harmonizer,
        base::metrics::Registry& metrics)
    : config_(config),
      executor_(executor),
      has_brain_(has_brain),
      harmonizer_(harmonizer),
      stranded_gauge_(metrics.gauge(
              "StrandedEvacuatingActualLRPs",
              "Instances without a replacement when the evacuation was over.")) {}

void Evacuation::begin() {
    const std::lock_guard lock(mutex_);
    if (begin_) return;
    begin_ = std::chrono::steady_clock::now();
    thread_ = std::thread([this] { loop(); });
}

void Evacuation::stop() {
    signal_.end();
    if (thread_.joinable()) thread_.join();
}

std::chrono::milliseconds Evacuation::passed() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - *begin_);
}

std::optional<Left> Evacuation::wait(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    auto until = std::chrono::steady_clock::now() + timeout;
    std::optional<std::chrono::steady_clock::time_point> hard_end;
    if (begin_) {
        hard_end = *begin_ + config_.evacuation.timeout + config_.evacuation.cleanup + kSlack;
        until = std::min(until, *hard_end);
    }
    if (changed_.wait_until(lock, until, [&] { return left_.has_value(); })) return left_;
    if (hard_end && std::chrono::steady_clock::now() >= *hard_end)
        return Left{.empty = false, .stranded = stranded_.size()};
    return std::nullopt;
}

void Evacuation::finish(bool empty) {
    const std::lock_guard lock(mutex_);
    left_ = Left{.empty = empty, .stranded = stranded_.size()};
    stranded_gauge_.set(static_cast<double>(stranded_.size()));
    changed_.notify_all();
}

std::optional<std::vector<Container>> Evacuation::ours() {
    auto containers = executor_.list();
    if (!containers) return std::nullopt;
    std::erase_if(*containers, [](const Container& c) {
        return plan::lifecycle_of(c) == plan::Lifecycle::none;
    });
    return std::move(*containers);
}

void Evacuation::give_up(const Container& c, bool record) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (c.state != State::completed) first = stranded_.insert(c.guid).second;
    }
    plan::Operation operation;
    operation.kind = plan::Operation::Kind::give_up;
    if (!has_brain_) {
        // Nobody to tell, and nobody who could still take what it left.
        if (first) executor_.say(c.guid, overdue_line(config_.cell.id, c.guid));
        operation.kind = plan::Operation::Kind::destroy;
    }
    operation.guid = c.guid;
    operation.evacuating = record;
    harmonizer_.push(std::move(operation));
}

bool Evacuation::give_up_overdue(const std::vector<Container>& containers) {
    const auto since = passed();
    const auto& times = config_.evacuation;
    for (const auto& c : containers) {
        const bool task = plan::lifecycle_of(c) == plan::Lifecycle::task;
        // Without a brain a result is somebody's who has not come yet; with one it is handed in.
        if (!has_brain_ && task && c.state == State::completed) continue;
        if (since >= (task ? times.task_budget : times.lrp_budget)) give_up(c, true);
    }
    return since < times.timeout;
}

void Evacuation::loop() {
    do {
        const auto containers = ours();
        if (containers && containers->empty()) return finish(true);
        // An executor that does not answer does not stop the clock.
        if (!give_up_overdue(containers.value_or(std::vector<Container>()))) break;
    } while (signal_.wait(config_.evacuation.poll));
    if (!signal_.ended()) finish(cleanup());
}

bool Evacuation::cleanup() {
    const auto until = std::chrono::steady_clock::now() + config_.evacuation.cleanup;
    do {
        const auto containers = ours();
        if (containers && containers->empty()) return true;
        // Records are left to the brain: one call for each had overloaded it (executor-rep §19).
        for (const auto& c : containers.value_or(std::vector<Container>())) give_up(c, false);
        if (std::chrono::steady_clock::now() >= until) return false;
    } while (signal_.wait(config_.evacuation.poll));
    return false;
}

}  // namespace rep::core
