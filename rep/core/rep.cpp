#include "rep/core/rep.hpp"

#include "base/fail.hpp"
#include "base/uuid.hpp"
#include "rep/plan/identity.hpp"
#include "rep/plan/intake.hpp"

namespace rep::core {

namespace {

// A UUID cut, as instance guids are (executor-rep §1).
constexpr std::size_t kInstanceGuid = 28;

std::string mint() {
    return base::random_uuid().substr(0, kInstanceGuid);
}

}  // namespace

Rep::Rep(
        Config config,
        executor::api::Executor& executor,
        brain::api::Brain* brain,
        base::metrics::Registry& metrics)
    : config_(std::move(config)),
      executor_(executor),
      has_brain_(brain != nullptr),
      metrics_(std::make_shared<CellMetrics>(executor)),
      harmonizer_(config_, executor, brain ? *brain : no_brain_, evacuating_, metrics),
      presence_(config_, executor, brain ? *brain : no_brain_, [this] { harmonizer_.kick(); }),
      evacuation_(config_, executor, has_brain_, harmonizer_, metrics) {
    metrics_->publish(metrics, config_.cell.zone);
}

Rep::~Rep() {
    (void)stop(std::chrono::milliseconds(0), Lease::keep);
    metrics_->close();
}

void Rep::start() {
    if (!has_brain_) return;
    presence_.start();
    harmonizer_.start();
}

bool Rep::stop(std::chrono::milliseconds grace, Lease lease) {
    evacuation_.stop();
    const bool idle = harmonizer_.stop(grace);
    presence_.stop();
    if (has_brain_ && lease == Lease::release)
        if (const auto released = presence_.release(); !released && config_.on_note)
            config_.on_note({.what = "release presence", .guid = {}, .error = released.error()});
    return idle;
}

void Rep::evacuate() {
    if (evacuating_.exchange(true)) return;
    evacuation_.begin();
    harmonizer_.kick();
}

std::optional<Left> Rep::wait_left(std::chrono::milliseconds timeout) {
    return evacuation_.wait(timeout);
}

base::Result<plan::Snapshot> Rep::snapshot() {
    plan::Snapshot out;
    out.containers = TRY(executor_.list());
    out.total = TRY(executor_.total_resources());
    out.remaining = TRY(executor_.remaining_resources());
    out.volume_drivers = executor_.volume_drivers();
    out.evacuating = evacuating_;
    return out;
}

base::Result<StateAnswer> Rep::state() {
    const auto now = TRY(snapshot());
    return StateAnswer{
            .state = plan::cell_state(config_.cell, now), .healthy = executor_.healthy()};
}

base::Result<api::Work> Rep::perform(api::Work work) {
    const std::lock_guard lock(intake_mutex_);
    const auto now = TRY(snapshot());
    auto intake = TRY(plan::plan_intake(config_.cell, now, std::move(work), mint));
    std::vector<executor::api::AllocationRequest> requests;
    for (const auto& reservation : intake.reservations) requests.push_back(reservation.request);
    if (requests.empty()) return std::move(intake.refused);
    const auto failures = TRY(executor_.allocate(requests));
    std::map<std::string, std::string> reasons;
    for (const auto& failure : failures) reasons[failure.request.guid] = failure.message;
    for (auto& reservation : intake.reservations)
        if (const auto reason = reasons.find(reservation.request.guid); reason != reasons.end())
            plan::refuse(intake.refused, std::move(reservation), reason->second);
    return std::move(intake.refused);
}

base::Result<executor::api::Container> Rep::instance(
        std::string_view process_guid, std::string_view instance_guid) {
    auto c = TRY(executor_.get(instance_guid));
    if (plan::tag(c, plan::kProcessGuidTag) != process_guid)
        return base::fail(
                base::Errc::not_found, "instance {} is not one of {}", instance_guid, process_guid);
    return c;
}

base::Result<void> Rep::stop_lrp(std::string_view process_guid, std::string_view instance_guid) {
    const auto c = TRY(instance(process_guid, instance_guid));
    return executor_.stop(c.guid);
}

base::Result<void> Rep::update_lrp(const api::LrpUpdate& update, bool metric_tags) {
    const auto c = TRY(instance(update.key.process_guid, update.instance_guid));
    TRY(executor_.update(
            {.guid = c.guid,
             .internal_routes = update.internal_routes,
             .metric_tags = metric_tags ? update.metric_tags : c.info.metrics_config.tags}));
    if (!has_brain_) return base::ok;
    // The record says so in a moment, not in the next round.
    plan::Operation operation;
    operation.guid = c.guid;
    harmonizer_.push(std::move(operation));
    return base::ok;
}

void Rep::cancel_task(std::string_view task_guid) {
    plan::Operation operation;
    operation.kind = plan::Operation::Kind::destroy;
    operation.guid = task_guid;
    harmonizer_.push(std::move(operation));
}

api::Usage Rep::usage(const executor::api::Container& c, const executor::api::ContainerMetrics& m) {
    const CpuSample now{.spent = m.time_spent_in_cpu, .age = m.container_age_in_ns};
    const auto before = std::exchange(cpu_[c.guid], now);
    // The first question sees the whole life of the container.
    const bool usable = now.age > before.age && now.spent >= before.spent;
    return {.metric_guid = c.info.metrics_config.guid,
            .cpu_usage_fraction = usable ? static_cast<double>(now.spent - before.spent) /
                                                   static_cast<double>(now.age - before.age)
                                         : 0.0,
            .disk_usage_bytes = m.disk_usage_in_bytes,
            .disk_quota_bytes = m.disk_limit_in_bytes,
            .memory_usage_bytes = m.memory_usage_in_bytes,
            .memory_quota_bytes = m.memory_limit_in_bytes,
            .rx_bytes = m.rx_in_bytes,
            .tx_bytes = m.tx_in_bytes};
}

base::Result<api::ContainerMetrics> Rep::container_metrics() {
    const auto containers = TRY(executor_.list());
    const auto metrics = TRY(executor_.metrics());
    api::ContainerMetrics out{.cell_id = config_.cell.id, .lrps = {}, .tasks = {}};
    const std::lock_guard lock(cpu_mutex_);
    for (const auto& c : containers) {
        const auto found = metrics.find(c.guid);
        if (found == metrics.end()) continue;
        switch (plan::lifecycle_of(c)) {
            case plan::Lifecycle::none:
                break;
            case plan::Lifecycle::task:
                out.tasks.push_back({.task_guid = c.guid, .usage = usage(c, found->second)});
                break;
            case plan::Lifecycle::lrp:
                if (auto key = plan::lrp_key_of(c); key)
                    out.lrps.push_back(
                            {.instance_guid = c.guid,
                             .process_guid = std::move(key->process_guid),
                             .index = key->index,
                             .usage = usage(c, found->second)});
                break;
        }
    }
    std::erase_if(cpu_, [&](const auto& entry) { return !metrics.contains(entry.first); });
    return out;
}

}  // namespace rep::core
