// Opening, starting, stopping, and the questions that memory answers.
#include "executor/core/local_executor.hpp"

#include "base/fail.hpp"
#include "executor/logs/hub.hpp"

namespace executor {

LocalExecutor::LocalExecutor(Settings settings, Parts parts, Store store)
    : settings_(std::move(settings)),
      parts_(std::move(parts)),
      store_(std::move(store)),
      // Never full: there are fewer containers than places.
      create_pool_(
              {.name = "create",
               .threads = settings_.create_workers,
               .queue = std::size_t{1} << 16}),
      delete_pool_(
              {.name = "delete",
               .threads = settings_.delete_workers,
               .queue = std::size_t{1} << 16}),
      download_pool_(
              {.name = "download", .threads = settings_.downloads, .queue = std::size_t{1} << 16}),
      upload_pool_({.name = "upload", .threads = settings_.uploads, .queue = std::size_t{1} << 16}),
      health_slots_(parts_.loop, settings_.health_checks) {}

base::Result<std::unique_ptr<LocalExecutor>> LocalExecutor::open(Settings settings, Parts parts) {
    auto store = TRY(Store::open(settings.state_directory));
    std::unique_ptr<LocalExecutor> made(
            new LocalExecutor(std::move(settings), std::move(parts), std::move(store)));
    made->credentials_ = TRY(InstanceCredentials::open(
            made->settings_.identity, made->settings_.state_directory + "/credentials",
            made->parts_.clock, [executor = made.get()](std::string_view guid, std::string text) {
                executor->tell(true, std::move(text), guid);
            }));
    auto loaded = TRY(made->store_.load());
    for (const auto& damage : loaded.damaged)
        made->tell(true, "record set aside: " + damage.error.text, damage.guid);
    for (auto& record : loaded.records) {
        auto node = std::make_shared<Node>(std::move(record));
        made->nodes_.emplace(node->guid(), std::move(node));
    }
    return made;
}

LocalExecutor::~LocalExecutor() {
    stop();
}

void LocalExecutor::start() {
    credentials_->start();
    chore_thread_ = std::thread([this] {
        adopt_all();
        chores();
    });
    if (settings_.garden_check) check_thread_ = std::thread([this] { watch_garden(); });
}

void LocalExecutor::stop() {
    {
        const std::lock_guard lock(chore_mutex_);
        if (stopping_) return;
        stopping_ = true;
        chore_wake_.notify_all();
    }
    events_.close();
    // A creation in the middle of a download ends; its record says "initializing", and the next
    // life begins it anew.
    for (const auto& node : nodes()) {
        node->stop.request_stop();
        const std::lock_guard lock(node->mutex);
        node->changed.notify_all();
    }
    for (auto* thread : {&chore_thread_, &check_thread_})
        if (thread->joinable()) thread->join();
    if (credentials_) credentials_->stop();  // none: open() failed
    for (auto* pool : {&create_pool_, &delete_pool_, &download_pool_, &upload_pool_, &check_pool_})
        pool->stop();
    // What steps still hold refers to pools and streams: gone before they are.
    parts_.loop.stop();
    for (const auto& node : nodes()) node->steps.reset();
}

void LocalExecutor::tell(bool warning, std::string text, std::string_view guid) const {
    if (parts_.tell)
        parts_.tell({.warning = warning, .text = std::move(text), .guid = std::string(guid)});
}

base::Result<void> LocalExecutor::must_be_ready() const {
    if (ready_) return base::ok;
    return base::fail(
            base::Errc::unavailable,
            "the cell is taking up its containers again; the backend has not answered yet");
}

LocalExecutor::NodePtr LocalExecutor::find(std::string_view guid) const {
    const std::lock_guard lock(mutex_);
    const auto found = nodes_.find(guid);
    return found == nodes_.end() ? nullptr : found->second;
}

base::Result<LocalExecutor::NodePtr> LocalExecutor::must_find(std::string_view guid) const {
    TRY(must_be_ready());
    if (guid.empty()) return api::make_error(api::kGuidNotSpecified);
    auto node = find(guid);
    if (!node) return api::make_error(api::kContainerNotFound, guid);
    return node;
}

std::vector<LocalExecutor::NodePtr> LocalExecutor::nodes() const {
    const std::lock_guard lock(mutex_);
    std::vector<NodePtr> all;
    all.reserve(nodes_.size());
    for (const auto& [guid, node] : nodes_) all.push_back(node);
    return all;
}

base::Result<void> LocalExecutor::ping() {
    return parts_.garden.ping();
}

base::Result<api::Container> LocalExecutor::get(std::string_view guid) {
    const auto node = TRY(must_find(guid));
    const std::lock_guard lock(node->mutex);
    return node->record.container;
}

namespace {

bool matches(const api::Container& container, const api::Tags& tags) {
    for (const auto& [name, value] : tags) {
        const auto found = container.tags.find(name);
        if (found == container.tags.end() || found->second != value) return false;
    }
    return true;
}

}  // namespace

base::Result<std::vector<api::Container>> LocalExecutor::list(const api::Tags& tags) {
    TRY(must_be_ready());
    std::vector<api::Container> out;
    for (const auto& node : nodes()) {
        const std::lock_guard lock(node->mutex);
        if (matches(node->record.container, tags)) out.push_back(node->record.container);
    }
    return out;
}

base::Result<std::map<std::string, api::ContainerMetrics>> LocalExecutor::metrics(
        const api::Tags& tags) {
    TRY(must_be_ready());
    std::map<std::string, api::ContainerMetrics> out;
    std::vector<std::string> handles;
    for (const auto& node : nodes()) {
        const std::lock_guard lock(node->mutex);
        const auto& container = node->record.container;
        if (!container.is_created() || !matches(container, tags)) continue;
        handles.push_back(node->guid());
        out[node->guid()] = {
                .memory_limit_in_bytes = container.memory_limit,
                .disk_limit_in_bytes = container.disk_limit};
    }
    if (handles.empty()) return out;
    const auto measured = TRY(parts_.garden.bulk_metrics(handles));
    for (const auto& handle : handles) {
        const auto found = measured.find(handle);
        if (found == measured.end() || found->second.error) {
            out.erase(handle);  // gone meanwhile
            continue;
        }
        const auto& from = found->second.metrics;
        auto& to = out[handle];
        to.memory_usage_in_bytes = from.memory_stat.total_usage_toward_limit;
        to.disk_usage_in_bytes = from.disk_stat.exclusive_bytes_used;
        to.time_spent_in_cpu = from.cpu_stat.usage;
        to.absolute_cpu_entitlement_in_ns = from.cpu_entitlement;
        to.container_age_in_ns =
                from.age > 0 ? static_cast<std::uint64_t>(from.age) : std::uint64_t{0};
        if (from.network_stat) {
            to.rx_in_bytes = from.network_stat->rx_bytes;
            to.tx_in_bytes = from.network_stat->tx_bytes;
        }
    }
    return out;
}

base::Result<api::Resources> LocalExecutor::remaining_resources() {
    TRY(must_be_ready());
    const std::lock_guard lock(mutex_);
    return ledger_.remaining();
}

base::Result<api::Resources> LocalExecutor::total_resources() {
    TRY(must_be_ready());
    const std::lock_guard lock(mutex_);
    return ledger_.total();
}

base::Result<std::unique_ptr<api::EventSource>> LocalExecutor::subscribe() {
    return events_.subscribe();
}

std::vector<std::string> LocalExecutor::volume_drivers() {
    if (settings_.volume_directory.empty()) return {};
    return {"local"};
}

void LocalExecutor::say(std::string_view guid, std::string_view line) {
    if (const auto node = find(guid)) log_of(*node)->say("", LogKind::out, line);
}

LocalExecutor::Figures LocalExecutor::figures() const {
    Figures figures{
            .completed = completed_,
            .exited_on_timeout = exited_on_timeout_,
            .creations = creations_,
            .failed_creations = failed_creations_,
            .destructions = destructions_,
            .failed_destructions = failed_destructions_};
    for (const auto& node : nodes()) {
        const std::lock_guard lock(node->mutex);
        const auto state = node->record.container.state;
        ++figures.containers;
        figures.starting += state == api::State::reserved || state == api::State::initializing ||
                            state == api::State::created;
    }
    const std::lock_guard lock(mutex_);
    figures.total = ledger_.total();
    figures.remaining = ledger_.remaining();
    return figures;
}

}  // namespace executor
