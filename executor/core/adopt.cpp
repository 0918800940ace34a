// What a new life of the program takes up: records against the backend's containers (executor-rep
// §12.1 and what §23 asks for: nothing is destroyed because we restarted).
//
//   record \ backend    there                          not there
//   reserved            stays a reservation            the same
//   initializing        destroyed, made anew           made anew
//   created, running    steps resume                   completed: missing garden container
//   completed           stays                          stays
//   none                destroyed by the reaper        -
#include "base/fail.hpp"
#include "executor/core/local_executor.hpp"
#include "executor/logs/hub.hpp"

namespace executor {

namespace {

constexpr std::chrono::seconds kAskAgain{1};
constexpr std::int64_t kMegabyte = 1 << 20;

api::Resources totals(const Settings& settings, const garden::api::Capacity& capacity) {
    const auto megabytes = [](std::uint64_t bytes) {
        return static_cast<std::int64_t>(bytes >> 20U);
    };
    const auto disk = settings.schedulable_disk
                              ? megabytes(capacity.schedulable_disk_in_bytes)
                              : megabytes(capacity.disk_in_bytes) -
                                        static_cast<std::int64_t>(settings.cache_bytes) / kMegabyte;
    auto containers = settings.max_containers;
    if (capacity.max_containers != 0)
        containers = std::min(containers, static_cast<std::int64_t>(capacity.max_containers));
    return {.memory_mb = settings.memory_mb.value_or(megabytes(capacity.memory_in_bytes)),
            .disk_mb = std::max<std::int64_t>(
                    settings.disk_mb.value_or(disk) - settings.disk_overhead_mb, 0),
            // One is the health check's.
            .containers = std::max<std::int64_t>(containers - 1, 0)};
}

}  // namespace

void LocalExecutor::adopt_all() {
    std::optional<garden::api::Capacity> capacity;
    std::map<std::string, garden::api::BulkInfo> infos;
    std::string last;
    for (;;) {
        // Neither partial nor stale: all three answers or another round.
        auto answer = parts_.garden.capacity();
        auto handles = parts_.garden.list(
                {{std::string(kOwnerProperty), settings_.owner}, {"garden.state", "all"}});
        auto known = answer && handles ? parts_.garden.bulk_info(*handles)
                                       : base::Result<std::map<std::string, garden::api::BulkInfo>>(
                                                 answer ? handles.error() : answer.error());
        if (known) {
            capacity = *answer;
            infos = std::move(*known);
            break;
        }
        if (known.error().text != last) tell(true, "backend: " + known.error().text);
        last = known.error().text;
        std::unique_lock lock(chore_mutex_);
        if (chore_wake_.wait_for(lock, kAskAgain, [&] { return stopping_; })) return;
    }
    const auto all = nodes();
    {
        const std::lock_guard lock(mutex_);
        ledger_ = Ledger(totals(settings_, *capacity));
        for (const auto& node : all) ledger_.adopt(node->record.container);
    }
    for (const auto& node : all) adopt(node, infos);
    parts_.fetcher.release_unclaimed();
    remove_stray_credentials();
    ready_ = true;
    if (!all.empty()) tell(false, base::format("took up {} containers", all.size()));
    reap();
}

void LocalExecutor::adopt(
        const NodePtr& node, const std::map<std::string, garden::api::BulkInfo>& infos) {
    const auto info = infos.find(node->guid());
    const bool there = info != infos.end();
    if (there) adopt_credentials(*node);
    std::unique_lock lock(node->mutex);
    node->in_garden = there;
    auto& container = node->record.container;
    for (const auto& path : node->record.dependencies)
        if (auto hold = parts_.fetcher.hold(path)) node->holds.push_back(std::move(hold));
    switch (container.state) {
        case api::State::initializing: {
            node->record.dependencies.clear();
            lock.unlock();
            submit_creation(node);  // what was half made goes first
            break;
        }
        case api::State::created:
        case api::State::running:
            if (there && !info->second.error) {
                start_steps(node);
            } else {
                complete(*node, Outcome::failed("missing garden container"));
            }
            break;
        case api::State::invalid:
        case api::State::reserved:
        case api::State::completed:
            break;
    }
}

}  // namespace executor
