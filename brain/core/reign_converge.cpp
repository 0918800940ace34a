// The converging thread of a reign: looks at what changed, at what is due, and now and then at
// everything (lifecycle §2.2, §5). Decides under the lock, one process or task at a time; waits for
// no store.
#include "brain/core/reign.hpp"
#include "brain/model/desired_rules.hpp"

#include <algorithm>
#include <limits>

namespace brain::core {

using model::Changed;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kSlice = 500;         // processes copied under the lock at once: about 0.1 ms
constexpr std::size_t kMaxRetries = 1'000;  // instances without a place, offered again at once
constexpr std::chrono::seconds kRetryPause{1};
constexpr std::int64_t kLeastPause = 100'000'000;  // ns between two looks at what is always due
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// A request leaves no trace in the records: without a pause it would be made again and again.
std::optional<std::int64_t> not_before(std::int64_t earliest, std::optional<std::int64_t> due) {
    if (!due) return due;
    return std::max(*due, earliest);
}

}  // namespace

void Reign::converge_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        const auto idle = [&] {
            return ended_.empty() && !broken_ && !processes_.waiting() && !tasks_.waiting() &&
                   !pass_wanted_;
        };
        // Not on the brain's clock: tests that own it kick.
        if (idle() && next_wake() > clock_.monotonic())
            work_.wait_for(
                    lock, std::min<std::chrono::nanoseconds>(
                                  next_wake() - clock_.monotonic(), kRetryPause));
        if (!ended_.empty() || broken_) return;
        if (!still_leads_()) continue;
        expire_cells();
        expire_domains();
        lock.unlock();
        look_at_agenda();
        retry_unplaced();
        whole_pass();
        lock.lock();
    }
}

steady_clock::time_point Reign::next_wake() const {
    auto wake = next_pass_;
    if (const auto lease = leases_.next()) wake = std::min(wake, *lease);
    for (const auto due : {processes_.next(), tasks_.next()})
        if (due) wake = std::min(wake, began_ + std::chrono::nanoseconds(*due - began_wall_));
    if (room_appeared_ && !unplaced_.empty()) wake = std::min(wake, next_retry_);
    return wake;
}

// At the end of its lease at once, not at the next pass (design §7).
void Reign::expire_cells() {
    for (const auto& cell_id : leases_.expired(clock_.monotonic())) {
        leases_.drop(cell_id);
        const auto cell = world_.cell(cell_id);
        if (!cell) continue;
        model::Outcome outcome;
        outcome.changes.emplace_back(Changed<model::CellPtr>{.before = cell, .after = nullptr});
        take(std::move(outcome));
    }
}

void Reign::expire_domains() {
    if (around_ && wall() < around_until_) return;
    for (const auto& domain : world_.domains()) {
        if (model::is_fresh(*domain, wall())) continue;
        model::Outcome outcome;
        outcome.changes.emplace_back(Changed<model::DomainPtr>{.before = domain, .after = nullptr});
        take(std::move(outcome));
    }
}

const model::Surroundings& Reign::surroundings() {
    const auto time = wall();
    if (!around_ || time >= around_until_) {
        around_.emplace();
        around_until_ = kNever;
        for (const auto& cell : world_.cells()) around_->cells.insert(cell->presence.cell_id);
        for (const auto& domain : world_.domains()) {
            if (!model::is_fresh(*domain, time)) continue;
            around_->fresh_domains.insert(domain->name);
            if (domain->expires_at != 0)
                around_until_ = std::min(around_until_, domain->expires_at);
        }
    }
    around_->now = time;
    return *around_;
}

void Reign::look_at_agenda() {
    for (;;) {
        std::vector<std::string> processes, tasks;
        {
            const std::lock_guard lock(mutex_);
            processes = processes_.take(wall(), kSlice);
            tasks = tasks_.take(wall(), kSlice);
        }
        if (processes.empty() && tasks.empty()) return;
        for (const auto& guid : processes) look_at_process(guid);
        for (const auto& guid : tasks) look_at_task(guid);
    }
}

void Reign::look_at_process(const std::string& process_guid) {
    const std::lock_guard lock(mutex_);
    if (!alive()) return;
    const auto& around = surroundings();
    model::Findings findings;
    auto outcome = model::plan_process(context(), world_.process(process_guid), around, findings);
    const bool only_asked = outcome.nothing() && !outcome.starts.empty();
    take(std::move(outcome));
    const auto pause = only_asked ? config_.limits.stale_unclaimed_ns : kLeastPause;
    processes_.look_at(
            process_guid,
            not_before(
                    wall() + pause,
                    model::next_due(world_.process(process_guid), around, config_.limits)));
}

void Reign::look_at_task(const std::string& task_guid) {
    const std::lock_guard lock(mutex_);
    if (!alive()) return;
    auto task = world_.task(task_guid);
    if (!task) return tasks_.look_at(task_guid, std::nullopt);
    auto outcome = model::plan_task(context(), *task, surroundings());
    const bool only_asked =
            outcome.nothing() && (!outcome.task_starts.empty() || !outcome.callbacks.empty());
    figures_.tasks_kicked += outcome.task_starts.size();
    take(std::move(outcome));
    task = world_.task(task_guid);
    const auto pause = only_asked ? config_.limits.task_kick_ns : kLeastPause;
    tasks_.look_at(
            task_guid,
            not_before(
                    wall() + pause, task ? model::next_due(*task, config_.limits) : std::nullopt));
}

// What found no place is offered again when there is more room, instead of after a time that
// somebody guessed; the auctioneer drops what cannot have changed.
void Reign::retry_unplaced() {
    const std::lock_guard lock(mutex_);
    if (!room_appeared_ || clock_.monotonic() < next_retry_ || !alive()) return;
    room_appeared_ = false;
    next_retry_ = clock_.monotonic() + kRetryPause;
    model::Outcome outcome;
    for (const auto& [process_guid, index] : unplaced_) {
        if (outcome.starts.size() >= kMaxRetries) break;
        if (const auto desired = world_.desired(process_guid))
            outcome.starts.push_back({.desired = desired, .indices = {index}});
    }
    take(std::move(outcome));
}

void Reign::whole_pass() {
    std::unique_lock lock(mutex_);
    if (!pass_wanted_ && clock_.monotonic() < next_pass_) return;
    pass_wanted_ = false;
    const auto started = clock_.monotonic();
    auto held = steady_clock::duration::zero();
    const auto around = surroundings();  // a copy: the plan is made without the lock
    model::Findings findings;
    std::string after;
    for (;;) {
        const auto taken = clock_.monotonic();
        const auto slice = world_.processes(after, kSlice);
        held += clock_.monotonic() - taken;
        lock.unlock();
        if (slice.empty()) break;
        after = slice.back().process_guid;
        for (const auto& process : slice) {
            if (model::in_harmony(process, around, config_.limits)) continue;
            const std::lock_guard again(mutex_);
            if (!alive()) return;
            const auto begun = clock_.monotonic();
            take(model::plan_process(
                    context(), world_.process(process.process_guid), surroundings(), findings));
            held += clock_.monotonic() - begun;
        }
        lock.lock();
    }
    lock.lock();
    for (const auto& task : world_.tasks_of("")) tasks_.look_now(task->task_guid);
    ++figures_.passes;
    figures_.missing = findings.missing;
    figures_.extra = findings.extra;
    figures_.missing_cells = findings.missing_cells.size();
    figures_.last_pass = duration_cast<microseconds>(clock_.monotonic() - started);
    figures_.last_pass_held = duration_cast<microseconds>(held);
    next_pass_ = clock_.monotonic() + config_.convergence;
}

}  // namespace brain::core
