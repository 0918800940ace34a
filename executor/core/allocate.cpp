// Reservations, and the step from one to a container that is being made (executor-rep §4.1, §4.2).
#include "base/fail.hpp"
#include "executor/core/local_executor.hpp"
#include "executor/logs/hub.hpp"

namespace executor {

base::Result<std::vector<api::AllocationFailure>> LocalExecutor::allocate(
        const std::vector<api::AllocationRequest>& requests) {
    TRY(must_be_ready());
    std::vector<api::AllocationFailure> failures;
    for (const auto& request : requests) {
        auto reserved = reserve(request);
        if (reserved) continue;
        const auto& error = reserved.error();
        failures.push_back(
                {.request = request,
                 .name = std::string(api::error_name(error)),
                 .message = error.text});
    }
    return failures;
}

base::Result<void> LocalExecutor::reserve(const api::AllocationRequest& request) {
    if (request.guid.empty()) return api::make_error(api::kGuidNotSpecified);
    if (auto judged = api::validate(request); !judged)
        return api::make_error(api::kLimitsInvalid, judged.error().text);
    api::Container container;
    container.guid = request.guid;
    container.memory_mb = request.memory_mb;
    container.disk_mb = request.disk_mb;
    container.max_pids = request.max_pids;
    container.tags = request.tags;
    container.info = request.info;
    container.state = api::State::reserved;
    container.allocated_at =
            std::chrono::nanoseconds(parts_.clock.wall().time_since_epoch()).count();
    constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
    container.memory_limit = static_cast<std::uint64_t>(container.memory_mb) * kMiB;
    container.disk_limit = static_cast<std::uint64_t>(container.disk_mb) * kMiB;
    auto node = std::make_shared<Node>(Record{.container = container});
    {
        const std::lock_guard lock(mutex_);
        if (nodes_.contains(container.guid))
            return api::make_error(api::kContainerGuidNotAvailable, container.guid);
        TRY(ledger_.take(container));
        nodes_.emplace(container.guid, node);
    }
    // Before anybody is told: what was accepted is on disk.
    const std::lock_guard lock(node->mutex);
    if (auto saved = store_.save(node->record); !saved) {
        const std::lock_guard registry(mutex_);
        node->gone = true;
        nodes_.erase(container.guid);
        ledger_.give_back(container);
        (void)store_.erase(container.guid);  // what is left without a record goes at the next start
        return saved;
    }
    events_.publish(api::EventKind::reserved, container);
    return base::ok;
}

base::Result<void> LocalExecutor::initialize(Node& node, const api::RunRequest& request) {
    const std::lock_guard lock(node.mutex);
    auto& container = node.record.container;
    if (container.state != api::State::reserved || node.gone)
        return api::make_error(
                api::kInvalidStateTransition,
                base::format("{} is {}", node.guid(), to_string(container.state)));
    auto wanted = node.record;
    wanted.container.info = request.info;
    for (const auto& [name, value] : request.tags) wanted.container.tags[name] = value;
    wanted.container.state = api::State::initializing;
    TRY(store_.save(wanted));
    node.record = std::move(wanted);
    return base::ok;
}

base::Result<void> LocalExecutor::run(const api::RunRequest& request) {
    const auto node = TRY(must_find(request.guid));
    if (auto judged = api::validate(request.info); !judged) {
        const auto& text = judged.error().text;
        return api::make_error(
                text.starts_with("egress_rules") ? api::kInvalidSecurityGroup : api::kStepsInvalid,
                text);
    }
    TRY(initialize(*node, request));
    submit_creation(node);
    return base::ok;
}

void LocalExecutor::submit_creation(const NodePtr& node) {
    auto taken = create_pool_.submit([this, node] { create(node); });
    if (taken) return;
    const std::lock_guard lock(node->mutex);
    complete(
            *node, Outcome{.kind = Outcome::Kind::failed,
                           .message = "failed to create container: " + taken.error().text,
                           .detail = {},
                           .retryable = true});
}

base::Result<void> LocalExecutor::update(const api::UpdateRequest& request) {
    const auto node = TRY(must_find(request.guid));
    std::unique_lock lock(node->mutex);
    auto wanted = node->record;
    wanted.container.info.internal_routes = request.internal_routes;
    for (const auto& [name, value] : request.metric_tags) {
        wanted.container.info.metrics_config.tags[name] = value;
        wanted.container.info.log_config.tags[name] = value;
    }
    TRY(store_.save(wanted));
    node->record = std::move(wanted);
    name_in_credentials(*node);
    // Without a stream yet: it takes them from the record when it opens.
    (void)parts_.logs.update_tags(node->guid(), node->record.container.info.log_config.tags);
    lock.unlock();
    renew_routes(*node);
    return base::ok;
}

}  // namespace executor
