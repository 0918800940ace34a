#include "brain/core/reign.hpp"

#include "base/fail.hpp"
#include "base/uuid.hpp"
#include "brain/core/load.hpp"
#include "brain/model/desired_rules.hpp"

#include <utility>

namespace brain::core {

using api::make_error;
using base::Errc;
using model::Changed;

namespace {

std::int64_t since_epoch(std::chrono::system_clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

// Claimed and running instances need nobody's care: most changes are theirs.
bool needs_care(const Changed<model::ActualPtr>& change) {
    if (!change.after) return true;
    const auto& row = *change.after;
    return row.presence != api::Presence::ordinary ||
           (row.state != api::LrpState::claimed && row.state != api::LrpState::running);
}

}  // namespace

base::Result<std::shared_ptr<Reign>> Reign::begin(
        const Config& config,
        store::Store& store,
        store::Term term,
        Effects& effects,
        const base::Clock& clock,
        std::function<bool()> still_leads) {
    auto world = TRY(load(store, term, since_epoch(clock.wall())));
    const std::shared_ptr<Reign> reign(new Reign(
            config, store, term, effects, clock, std::move(still_leads), std::move(world)));
    reign->welcome();
    reign->committer_ = std::thread([raw = reign.get()] { raw->commit_loop(); });
    reign->converger_ = std::thread([raw = reign.get()] { raw->converge_loop(); });
    return reign;
}

Reign::Reign(
        const Config& config,
        store::Store& store,
        store::Term term,
        Effects& effects,
        const base::Clock& clock,
        std::function<bool()> still_leads,
        model::World world)
    : config_(config),
      store_(store),
      term_(term),
      effects_(effects),
      clock_(clock),
      still_leads_(std::move(still_leads)),
      began_(clock.monotonic()),
      began_wall_(since_epoch(clock.wall())),
      new_guid_([] { return base::random_uuid(); }),
      world_(std::move(world)),
      next_pass_(clock.monotonic() + config.convergence),
      next_retry_(clock.monotonic()) {}

Reign::~Reign() {
    end("the brain has stopped");
    if (converger_.joinable()) converger_.join();
    if (committer_.joinable()) committer_.join();
}

// Every known cell counts as present until it had time to be heard; what waits for a place is
// handed to an auctioneer who knows nothing yet.
void Reign::welcome() {
    const std::lock_guard lock(mutex_);
    for (const auto& cell : world_.cells())
        leases_.renew(cell->presence.cell_id, clock_.monotonic() + config_.presence_grace);
    model::Outcome waiting;
    std::string after;
    for (;;) {
        const auto slice = world_.processes(after, 1'000);
        if (slice.empty()) break;
        after = slice.back().process_guid;
        for (const auto& process : slice) {
            processes_.look_now(process.process_guid);
            if (!process.desired) continue;
            model::LrpStart start{.desired = process.desired, .indices = {}};
            for (const auto& row : process.rows)
                if (row->presence == api::Presence::ordinary &&
                    row->state == api::LrpState::unclaimed)
                    start.indices.push_back(row->key.index);
            if (!start.indices.empty()) waiting.starts.push_back(std::move(start));
        }
    }
    for (const auto& task : world_.tasks_of("")) tasks_.look_now(task->task_guid);
    waiting.task_starts = world_.tasks_in(api::TaskState::pending);
    if (!waiting.starts.empty() || !waiting.task_starts.empty()) queue_.push(std::move(waiting));
}

base::Result<void> Reign::alive() const {
    if (broken_) return *broken_;
    if (!ended_.empty()) return base::fail(Errc::unavailable, "{}", ended_);
    if (!still_leads_())
        return base::fail(Errc::unavailable, "this brain could not keep the lead in time");
    return base::ok;
}

std::int64_t Reign::wall() const {
    return began_wall_ + (clock_.monotonic() - began_).count();
}

model::Context Reign::context() const {
    return {.world = world_, .now = wall(), .new_guid = new_guid_, .limits = config_.limits};
}

base::Result<void> Reign::decide(const Rule& rule) {
    FatePtr fate;
    std::optional<base::Error> refused;
    {
        const std::lock_guard lock(mutex_);
        TRY(alive());
        auto outcome = rule(context());
        if (outcome)
            fate = take(std::move(*outcome));
        else {
            refused = outcome.error();
            fate = queue_.last();
        }
    }
    TRY(queue_.wait(fate));
    if (refused) return *refused;
    return base::ok;
}

base::Result<void> Reign::decide_all(const std::vector<Rule>& rules) {
    FatePtr fate;
    for (const auto& rule : rules) {
        const std::lock_guard lock(mutex_);
        TRY(alive());
        auto outcome = rule(context());
        if (outcome) fate = take(std::move(*outcome));
    }
    return queue_.wait(fate);
}

FatePtr Reign::take(model::Outcome outcome) {
    const bool effects = !outcome.starts.empty() || !outcome.task_starts.empty() ||
                         !outcome.stops.empty() || !outcome.cancels.empty() ||
                         !outcome.updates.empty() || !outcome.callbacks.empty();
    if (outcome.nothing() && !effects) return queue_.last();
    for (const auto& change : outcome.changes) {
        world_.apply(change);
        mark(change);
    }
    ++figures_.operations;
    if (processes_.waiting() || tasks_.waiting() || pass_wanted_ || room_appeared_)
        work_.notify_one();
    return queue_.push(std::move(outcome));
}

void Reign::mark(const model::RecordChange& change) {
    if (const auto* actual = std::get_if<Changed<model::ActualPtr>>(&change)) {
        const auto& row = actual->after ? actual->after : actual->before;
        if (needs_care(*actual)) processes_.look_now(row->key.process_guid);
        if (actual->before && !actual->before->instance.empty() &&
            (!actual->after || actual->after->instance != actual->before->instance))
            room_appeared_ = true;
        if (row->presence != api::Presence::ordinary) return;
        const bool waits = actual->after && row->state == api::LrpState::unclaimed &&
                           !row->placement_error.empty();
        if (waits)
            unplaced_.emplace(row->key.process_guid, row->key.index);
        else
            unplaced_.erase({row->key.process_guid, row->key.index});
    } else if (const auto* desired = std::get_if<Changed<model::DesiredPtr>>(&change)) {
        processes_.look_now((desired->after ? desired->after : desired->before)->process_guid);
    } else if (const auto* task = std::get_if<Changed<model::TaskPtr>>(&change)) {
        tasks_.look_now((task->after ? task->after : task->before)->task_guid);
        const bool ended = !task->after || task->after->state == api::TaskState::completed;
        if (ended && task->before && task->before->state == api::TaskState::running)
            room_appeared_ = true;
    } else if (const auto* domain = std::get_if<Changed<model::DomainPtr>>(&change)) {
        around_.reset();
        // What was kept while the domain was not fresh may go now.
        const bool was_fresh = domain->before && model::is_fresh(*domain->before, wall());
        if (domain->after && !was_fresh) pass_wanted_ = true;
    } else if (const auto* cell = std::get_if<Changed<model::CellPtr>>(&change)) {
        mark_cell(*cell);
    }
}

void Reign::mark_cell(const Changed<model::CellPtr>& change) {
    around_.reset();
    const auto& cell_id = (change.after ? change.after : change.before)->presence.cell_id;
    for (const auto& row : world_.actuals_on(cell_id)) processes_.look_now(row->key.process_guid);
    for (const auto& task : world_.tasks_on(cell_id)) tasks_.look_now(task->task_guid);
    if (change.after) room_appeared_ = true;
}

base::Result<void> Reign::put_presence(
        const api::CellPresence& presence,
        std::string_view owner,
        std::chrono::milliseconds time_to_live) {
    if (presence.cell_id.empty() || owner.empty())
        return make_error(api::kInvalidRequest, "Invalid field: cell_id, owner");
    if (time_to_live.count() <= 0 || time_to_live > config_.max_presence)
        return make_error(
                api::kInvalidRequest, fmt::format(
                                              "ttl_ms is {}, at least 1 and at most {}",
                                              time_to_live.count(), config_.max_presence.count()));
    return decide([&](const model::Context& ctx) -> base::Result<model::Outcome> {
        const auto monotonic = clock_.monotonic();
        const auto known = ctx.world.cell(presence.cell_id);
        if (known && known->owner != owner && leases_.alive(presence.cell_id, monotonic))
            return make_error(api::kResourceConflict, "cell " + presence.cell_id);
        leases_.renew(presence.cell_id, monotonic + time_to_live);
        work_.notify_one();
        model::Outcome outcome;
        const model::Cell cell{.presence = presence, .owner = std::string(owner)};
        if (!known || *known != cell)
            outcome.changes.emplace_back(Changed<model::CellPtr>{
                    .before = known, .after = std::make_shared<const model::Cell>(cell)});
        return outcome;
    });
}

base::Result<void> Reign::release_presence(std::string_view cell_id, std::string_view owner) {
    return decide([&](const model::Context& ctx) -> base::Result<model::Outcome> {
        model::Outcome outcome;
        const auto known = ctx.world.cell(cell_id);
        if (!known) return outcome;
        if (known->owner != owner)
            return make_error(api::kResourceConflict, "cell " + std::string(cell_id));
        leases_.drop(known->presence.cell_id);
        outcome.changes.emplace_back(Changed<model::CellPtr>{.before = known, .after = nullptr});
        return outcome;
    });
}

base::Result<std::unique_ptr<api::EventStream>> Reign::subscribe() {
    {
        const std::lock_guard lock(mutex_);
        TRY(alive());
    }
    return hub_.subscribe();
}

void Reign::converge_now() {
    const std::lock_guard lock(mutex_);
    pass_wanted_ = true;
    work_.notify_one();
}

Figures Reign::figures() const {
    const std::lock_guard lock(mutex_);
    auto figures = figures_;
    figures.counts = world_.counts();
    figures.waiting = queue_.depth();
    figures.event_readers = hub_.readers();
    for (const auto& domain : world_.domains())
        if (model::is_fresh(*domain, wall())) figures.fresh_domains.push_back(domain->name);
    figures.clock_drift = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::nanoseconds(since_epoch(clock_.wall()) - wall()));
    return figures;
}

std::optional<base::Error> Reign::broken() const {
    const std::lock_guard lock(mutex_);
    return broken_;
}

void Reign::end(const std::string& why) {
    {
        const std::lock_guard lock(mutex_);
        if (ended_.empty()) ended_ = why;
        work_.notify_all();
    }
    queue_.close();
    hub_.end(why);
}

}  // namespace brain::core
