#include "rep/core/harmonizer.hpp"

#include "base/defer.hpp"

namespace rep::core {

using namespace std::chrono_literals;

Harmonizer::Harmonizer(
        const Config& config,
        executor::api::Executor& executor,
        brain::api::Brain& brain,
        const std::atomic<bool>& evacuating,
        base::metrics::Registry& metrics)
    : config_(config),
      executor_(executor),
      brain_(brain),
      evacuating_(evacuating),
      durations_(metrics.histogram("RepBulkSyncDuration", "Seconds of a bulk round.")),
      unchanged_(metrics.counter(
              "rep_bulk_rounds_unchanged_total", "Bulk rounds that ended with equal digests.")),
      skipped_(metrics.counter(
              "rep_bulk_rounds_skipped_total", "Bulk rounds given up, brain or executor away.")),
      applier_(config, executor, brain, evacuating),
      queue_(config.parallel_operations, [this](const auto& operation) { apply(operation); }) {}

Harmonizer::~Harmonizer() {
    (void)stop(0ms);
}

void Harmonizer::start() {
    bulk_.kick();
    event_thread_ = std::thread([this] { event_loop(); });
    bulk_thread_ = std::thread([this] { bulk_loop(); });
}

void Harmonizer::kick() {
    bulk_.kick();
}

bool Harmonizer::stop(std::chrono::milliseconds grace) {
    queue_.close();
    bulk_.end();
    events_.end();
    {
        const std::lock_guard lock(source_mutex_);
        if (source_ != nullptr) source_->close();
    }
    // The loops only list and ask; what may hang is destroying, and that runs in the queue.
    if (bulk_thread_.joinable()) bulk_thread_.join();
    if (event_thread_.joinable()) event_thread_.join();
    return queue_.wait_idle(grace);
}

void Harmonizer::note(std::string_view what, const base::Error& error) const {
    if (config_.on_note) config_.on_note({.what = std::string(what), .guid = {}, .error = error});
}

void Harmonizer::apply(const plan::Operation& operation) {
    // Not at once: who is away now is away in a millisecond, too.
    if (!applier_.apply(operation)) bulk_.hurry(config_.times.retry);
}

void Harmonizer::bulk_loop() {
    auto time = config_.times.bulk;
    while (bulk_.wait(time)) {
        time = evacuating_ ? config_.times.bulk_evacuating : config_.times.bulk;
        if (!round()) time = config_.times.retry;
    }
}

bool Harmonizer::round() {
    const auto begin = std::chrono::steady_clock::now();
    const bool evacuating = evacuating_;
    plan::World world;
    auto containers = executor_.list();
    if (!containers) {
        note("bulk round: list containers", containers.error());
        skipped_.add();
        return false;
    }
    world.containers = std::move(*containers);
    auto answer = brain_.sync(
            config_.cell.id, plan::expected_digest(world.containers, config_.cell, evacuating));
    if (!answer) {
        // Never act on half the truth: everything keeps running (executor-rep §17.1).
        note("bulk round: sync", answer.error());
        skipped_.add();
        return false;
    }
    if (answer->unchanged) {
        unchanged_.add();
    } else {
        world.lrps = std::move(answer->lrps);
        world.tasks = std::move(answer->tasks);
        for (auto& operation : plan::plan(world, config_.cell, evacuating))
            queue_.push(std::move(operation));
    }
    durations_.observe(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    return true;
}

void Harmonizer::event_loop() {
    while (!events_.ended()) {
        auto source = executor_.subscribe();
        if (!source) {
            note("subscribe to the executor's events", source.error());
            if (!events_.wait(config_.times.retry)) return;
            continue;
        }
        // What happened while nobody listened.
        bulk_.kick();
        // Only falling behind is mended by asking anew; what ends at once must not spin.
        if (follow(**source) != base::Errc::exhausted && !events_.wait(config_.times.retry)) return;
    }
}

base::Errc Harmonizer::follow(executor::api::EventSource& events) {
    {
        const std::lock_guard lock(source_mutex_);
        source_ = &events;
    }
    const base::Defer forget([&] {
        const std::lock_guard lock(source_mutex_);
        source_ = nullptr;
    });
    while (!events_.ended()) {
        auto event = events.next(1s);
        if (event) {
            plan::Operation operation;
            operation.guid = event->container.guid;
            queue_.push(std::move(operation));
            continue;
        }
        if (event.error().kind == base::Errc::timeout) continue;
        if (event.error().kind != base::Errc::cancelled)
            note("follow the executor's events", event.error());
        return event.error().kind;
    }
    return base::Errc::cancelled;
}

}  // namespace rep::core
