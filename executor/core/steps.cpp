// The steps of a container from their start to its completion (executor-rep §4.4, §4.5). Everything
// with `steps` happens on the loop.
#include "base/fail.hpp"
#include "executor/core/garden_files.hpp"
#include "executor/core/local_executor.hpp"
#include "executor/logs/hub.hpp"
#include "executor/steps/memory_journal.hpp"

namespace executor {

namespace {

ContainerFacts facts_of(const api::Container& container) {
    return {.guid = container.guid,
            .handle = container.guid,
            .external_ip = container.external_ip,
            .internal_ip = container.internal_ip,
            .internal_ip_v6 = container.internal_ip_v6,
            .ports = container.info.ports,
            .env = container.info.env};
}

}  // namespace

// Under the node's mutex.
void LocalExecutor::start_steps(const NodePtr& node) {
    node->stepping = true;
    if (parts_.loop.post([this, node] { start_on_loop(node); })) return;
    node->stepping = false;  // the program ends; the next life starts them
    node->changed.notify_all();
}

void LocalExecutor::start_on_loop(const NodePtr& node) {
    api::Container container;
    bool stop = false;
    {
        const std::lock_guard lock(node->mutex);
        container = node->record.container;
        stop = node->record.stop;
    }
    auto complain = [this, guid = node->guid()](const base::Error& error) {
        tell(true, "journal: " + error.text, guid);
    };
    std::unique_ptr<Journal> journal;
    if (auto file = store_.journal(node->guid(), complain)) {
        journal = std::move(*file);
    } else {
        // A full disk: the steps run; a restart of this program would begin them anew.
        complain(file.error());
        journal = std::make_unique<MemoryJournal>(parts_.clock);
    }
    auto files = std::make_unique<GardenFiles>(parts_.garden, node->guid());
    auto log = log_of(*node);
    auto times = settings_.steps;
    if (container.info.graceful_shutdown_interval_ms != 0)
        times.graceful_shutdown =
                std::chrono::milliseconds(container.info.graceful_shutdown_interval_ms);
    Tools tools{
            .loop = parts_.loop,
            .processes = parts_.processes,
            .files = *files,
            .fetcher = parts_.fetcher,
            .log = *log,
            .journal = *journal,
            .download_pool = download_pool_,
            .upload_pool = upload_pool_,
            .facts = facts_of(container),
            .times = times,
            .set_routable =
                    [this, node = std::weak_ptr(node)](bool routable) {
                        if (const auto alive = node.lock()) set_routable(alive, routable);
                    },
            .health_slots = &health_slots_};
    auto steps = std::make_unique<RunningSteps>(RunningSteps{
            .journal = std::move(journal),
            .log = std::move(log),
            .files = std::move(files),
            .tools = std::move(tools),
            .step = {}});
    steps->step = assemble(container.info, steps->tools);
    node->steps = std::move(steps);
    node->steps->step->start(
            {.ready = [this, node] { steps_ready(node); },
             .done = [this, node](const Outcome& outcome) { steps_done(node, outcome); }});
    if (stop) node->steps->step->cancel();
}

void LocalExecutor::steps_ready(const NodePtr& node) {
    const std::lock_guard lock(node->mutex);
    auto& container = node->record.container;
    if (container.state != api::State::created) return;
    container.state = api::State::running;
    container.routable = container.info.check_definition.readiness_checks.empty();
    save(*node);
    events_.publish(api::EventKind::running, container);
    node->changed.notify_all();
}

void LocalExecutor::set_routable(const NodePtr& node, bool routable) {
    const std::lock_guard lock(node->mutex);
    auto& container = node->record.container;
    if (container.state != api::State::running || container.routable == routable) return;
    container.routable = routable;
    save(*node);
    events_.publish(api::EventKind::running, container);
}

void LocalExecutor::steps_done(const NodePtr& node, const Outcome& outcome) {
    // The step may be destroyed inside its last call, but not by us: its caller is on the stack.
    auto finished = std::make_shared<std::unique_ptr<RunningSteps>>(std::move(node->steps));
    (void)parts_.loop.post([finished] { finished->reset(); });
    if (outcome.kind == Outcome::Kind::exit_timeout) ++exited_on_timeout_;
    if (!outcome.detail.empty()) tell(false, "ended: " + outcome.detail, node->guid());
    const std::lock_guard lock(node->mutex);
    node->stepping = false;
    complete(*node, outcome);
    node->changed.notify_all();
}

// Under the node's mutex. Idempotent: the first end counts (executor-rep §22.4).
void LocalExecutor::complete(Node& node, const Outcome& outcome) {
    auto& container = node.record.container;
    if (container.state == api::State::completed || node.gone) return;
    container.state = api::State::completed;
    container.routable = false;
    credentials_->retire(node.guid());
    // Who was told to stop and stopped has not failed.
    const bool obeyed = node.record.stop && outcome.hidden();
    container.run_result = {
            .failed = !outcome.good() && !obeyed,
            .failure_reason =
                    outcome.hidden() ? std::string() : api::cut_failure_reason(outcome.reason()),
            .retryable = outcome.retryable,
            .stopped = node.record.stop};
    ++completed_;
    save(node);
    events_.publish(api::EventKind::complete, container);
    node.changed.notify_all();
}

void LocalExecutor::save(Node& node) {
    if (auto saved = store_.save(node.record); !saved) tell(true, saved.error().text, node.guid());
}

base::Result<void> LocalExecutor::stop(std::string_view guid) {
    const auto node = TRY(must_find(guid));
    std::unique_lock lock(node->mutex);
    auto& record = node->record;
    if (record.stop || record.container.state == api::State::completed) return base::ok;
    record.stop = true;
    record.container.run_result.stopped = true;
    // A full disk must not keep anybody from stopping what fills it: told, and gone on.
    save(*node);
    node->stop.request_stop();
    node->changed.notify_all();
    parts_.logs
            .open(node->guid(), record.container.info.log_config,
                  record.container.info.log_rate_limit_bytes_per_second)
            ->say("", LogKind::out,
                  base::format("Cell {} stopping instance {}", settings_.cell_id, node->guid()));
    if (record.container.state == api::State::reserved)
        complete(*node, Outcome::failed("stopped-before-running"));
    // Keys take their time: not under the lock.
    lock.unlock();
    revoke_credentials(*node);
    lock.lock();
    if (node->stepping)
        (void)parts_.loop.post([node] {
            if (node->steps && node->steps->step) node->steps->step->cancel();
        });
    return base::ok;
}

}  // namespace executor
