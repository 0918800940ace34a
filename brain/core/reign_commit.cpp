// The committing thread of a reign: what has gathered becomes one durable write.
#include "base/fail.hpp"
#include "brain/core/reign.hpp"
#include "brain/model/codec.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace brain::core {

using base::Errc;

namespace {

// The last word on each key: a store's transaction may name a key only once.
std::vector<store::Change> encoded(const std::vector<Pending>& batch) {
    std::vector<store::Change> changes;
    std::unordered_map<std::string, std::size_t> places;
    for (const auto& pending : batch)
        for (const auto& record : pending.outcome.changes)
            for (auto& change : model::encode_all(record)) {
                const auto [at, is_new] = places.try_emplace(change.key, changes.size());
                if (is_new)
                    changes.push_back(std::move(change));
                else
                    changes[at->second].value = std::move(change.value);
            }
    return changes;
}

model::RecordChange reversed(const model::RecordChange& change) {
    return std::visit(
            [](const auto& c) -> model::RecordChange {
                return std::decay_t<decltype(c)>{.before = c.after, .after = c.before};
            },
            change);
}

}  // namespace

void Reign::commit_loop() {
    for (;;) {
        auto batch = queue_.take(config_.max_batch);
        if (batch.empty()) return;  // the reign is over and everything is settled
        carry_out(batch);
    }
}

void Reign::carry_out(std::vector<Pending>& batch) {
    const auto changes = encoded(batch);
    const auto started = clock_.monotonic();
    base::Result<void> done = base::ok;
    {
        const std::lock_guard lock(mutex_);
        if (broken_) done = *broken_;
    }
    if (done && !changes.empty()) done = store_.commit(term_, changes);
    if (!done) {
        // A full disk has changed nothing; of anything else only the store knows.
        if (done.error().kind == Errc::exhausted) return take_back(std::move(batch), done.error());
        return break_off(std::move(batch), done.error());
    }
    {
        const std::lock_guard lock(mutex_);
        ++figures_.commits;
        figures_.last_commit =
                std::chrono::duration_cast<std::chrono::microseconds>(clock_.monotonic() - started);
    }
    for (const auto& pending : batch) dispatch(pending.outcome);
    queue_.settle(batch, std::nullopt);
}

std::optional<api::CellPresence> Reign::presence(const std::string& cell_id) const {
    const std::lock_guard lock(mutex_);
    const auto cell = world_.cell(cell_id);
    if (!cell) return std::nullopt;
    return cell->presence;
}

void Reign::dispatch(const model::Outcome& outcome) {
    hub_.publish(outcome.events);
    for (const auto& start : outcome.starts) effects_.start_lrps(start);
    for (const auto& task : outcome.task_starts) effects_.start_task(task);
    // A cell that is not known cannot be asked: convergence sees what is left of it.
    for (const auto& stop : outcome.stops)
        if (const auto cell = presence(stop.instance.cell_id)) effects_.stop_instance(*cell, stop);
    for (const auto& cancel : outcome.cancels)
        if (const auto cell = presence(cancel.cell_id))
            effects_.cancel_task(*cell, cancel.task_guid);
    for (const auto& update : outcome.updates)
        if (const auto cell = presence(update.instance.cell_id))
            effects_.update_instance(*cell, update);
    for (const auto& task : outcome.callbacks) effects_.call_back(task);
}

// Nothing of it is in the store: the world goes back to what the store has. Nobody has been told of
// any of it, for everyone waits for the last operation that they have seen.
void Reign::take_back(std::vector<Pending> batch, const base::Error& error) {
    {
        const std::lock_guard lock(mutex_);
        auto rest = queue_.take_rest();
        std::move(rest.begin(), rest.end(), std::back_inserter(batch));
        for (auto pending = batch.rbegin(); pending != batch.rend(); ++pending) {
            const auto& changes = pending->outcome.changes;
            for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
                const auto back = reversed(*change);
                world_.apply(back);
                mark(back);
            }
        }
        ++figures_.failed_commits;
    }
    queue_.settle(batch, error);
}

void Reign::break_off(std::vector<Pending> batch, const base::Error& error) {
    auto why = base::fail(
            Errc::unavailable, "the store did not answer, what it has must be read again: {}",
            error.text);
    {
        const std::lock_guard lock(mutex_);
        if (!broken_) broken_ = why;
        ++figures_.failed_commits;
        auto rest = queue_.take_rest();
        std::move(rest.begin(), rest.end(), std::back_inserter(batch));
    }
    queue_.settle(batch, why);
    hub_.end(why.text);
}

}  // namespace brain::core
