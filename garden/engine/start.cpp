// Engine::start: opens every part in the order of dependencies, looks at the host, recovers, then
// fills the pool.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/engine/image_events.hpp"
#include "security/apparmor.hpp"
#include "security/capabilities.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <thread>

#include <nlohmann/json.hpp>

namespace garden {

namespace {

// FS sizes of the programs that run inside containers: read once, sealed (PL-03).
constexpr std::size_t kProgramBytes = 32 << 20;

base::Result<base::Fd> seal_program(const std::string& path) {
    const auto text = TRY(base::sys::read_host_file(path, kProgramBytes));
    return base::sys::sealed_memory_file("garden-copy", text, true);
}

// garden-behaviours D.7: containers have the host's TCP timers, which a new network namespace does
// not. The second is what the kernel gives it: only what differs has to be written.
constexpr std::pair<const char*, const char*> kHostTimers[] = {
        {"net.ipv4.tcp_keepalive_time", "7200"},
        {"net.ipv4.tcp_keepalive_intvl", "75"},
        {"net.ipv4.tcp_keepalive_probes", "9"},
        {"net.ipv4.tcp_retries1", "3"},
        {"net.ipv4.tcp_retries2", "15"}};

base::Result<void> take_host_timers(std::map<std::string, std::string>& sysctls) {
    for (const auto& [name, usual] : kHostTimers) {
        if (sysctls.contains(name)) continue;
        std::string path = std::string("/proc/sys/") + name;
        std::replace(path.begin() + sizeof "/proc/sys", path.end(), '.', '/');
        auto value = TRY(base::sys::read_host_file(path));
        if (value.ends_with('\n')) value.pop_back();
        if (value != usual) sysctls[name] = value;
    }
    return base::ok;
}

base::Result<plan::HostFacts> look_at_host(
        const EngineConfig& config, const cgroup::Driver& cgroups, const HostNodes& nodes) {
    plan::HostFacts facts;
    facts.cgroup_hierarchies = cgroups.hierarchies();
    facts.available_capabilities = TRY(security::own_bounding_set());
    facts.rlimits = TRY(security::own_rlimits());
    facts.sysctls = config.sysctls;
    TRY(take_host_timers(facts.sysctls));
    facts.absent_devices = nodes.absent();
    auto score = TRY(base::sys::read_host_file("/proc/self/oom_score_adj"));
    if (score.ends_with('\n')) score.pop_back();
    facts.oom_score_adj = std::max(0, TRY(base::parse_number<int>(score, "oom_score_adj")));
    const auto filesystems = TRY(base::sys::read_host_file("/proc/filesystems"));
    facts.posix_message_queues = filesystems.find("\tmqueue\n") != std::string::npos;
    facts.garden_inheritable = config.garden_inheritable;
    facts.no_new_privileges = config.no_new_privileges;
    if (!config.apparmor.empty()) TRY(security::check_apparmor(config.apparmor));
    facts.apparmor = config.apparmor;
    return facts;
}

std::vector<std::string> relaxations(const EngineConfig& config) {
    std::vector<std::string> names;
    if (config.garden_id_mapping) names.emplace_back("compat.garden_id_mapping");
    if (config.garden_inheritable) names.emplace_back("compat.garden_inheritable");
    if (!config.network.isolate_shared_subnets) names.emplace_back("compat.garden_shared_subnets");
    return names;
}

std::string cgroup_parent(const std::string& tag) {
    return tag.empty() ? "garden" : "garden-" + tag;
}

}  // namespace

base::Result<std::unique_ptr<Engine>> Engine::start(EngineConfig config) {
    if (::geteuid() != 0) return base::fail(base::Errc::denied, "gardend must run as root");
    auto depot = TRY(Depot::open(config.state_directory + "/depot"));
    TRY(base::sys::ensure_directory(config.store_directory, 0700));
    auto events = TRY(security::EventLog::open({.directory = config.store_directory + "/audit"}));
    auto nodes = TRY(HostNodes::open());
    auto cgroups = TRY(cgroup::Driver::probe(cgroup_parent(config.tag)).context("cgroups"));
    auto facts = TRY(look_at_host(config, *cgroups, nodes));
    auto ranges = TRY(security::IdRanges::open({.directory = config.store_directory + "/id-ranges"})
                              .context("id ranges"));
    config.network.tag = config.tag;
    if (config.network.external_ip.empty()) config.network.external_ip = config.external_ip;
    config.network.port_file = config.state_directory + "/port-order";
    auto network = TRY(net::Network::start(config.network).context("network"));
    config.images.directory = config.store_directory + "/images";
    config.images.unpack_program = config.program_directory + "/rootfs-unpack";
    tell_of_images(config.images, *events);
    auto images = TRY(rootfs::Images::open(config.images).context("images"));
    const auto volumes_directory = config.store_directory + "/volumes";
    TRY(base::sys::ensure_directory(volumes_directory, 0700));
    auto quota = TRY(rootfs::choose_quota(config.quota_driver, volumes_directory));
    auto volumes = TRY(rootfs::Volumes::open(
                               {.directory = volumes_directory,
                                .driver = quota.driver,
                                .why = std::move(quota.why)},
                               *images)
                               .context("volumes"));
    auto copy_program = TRY(seal_program(config.program_directory + "/garden-copy"));
    auto hub = TRY(launch::ShimHub::start(
            {.shim = config.program_directory + "/garden-shim",
             .init = config.program_directory + "/garden-init"}));

    auto gardener = std::make_unique<Gardener>(Gardener::Parts{
            .config = std::move(config),
            .events = std::move(events),
            .depot = std::move(depot),
            .nodes = std::move(nodes),
            .facts = std::move(facts),
            .copy_program = std::move(copy_program),
            .ranges = std::move(ranges),
            .cgroups = std::move(cgroups),
            .network = std::move(network),
            .images = std::move(images),
            .volumes = std::move(volumes),
            .hub = std::move(hub)});
    TRY(gardener->recover());
    gardener->begin();
    return std::unique_ptr<Engine>(std::move(gardener));
}

Gardener::Gardener(Parts parts)
    : parts_(std::move(parts)),
      registry_(parts_.config.max_containers),
      seats_(*parts_.hub, *parts_.ranges, *parts_.network, parts_.config.garden_id_mapping),
      creating_(std::clamp(parts_.config.parallel_creates, 1U, 1024U)),
      chores_(std::make_unique<Chores>()),
      departures_(std::make_unique<Departures>(*parts_.network, *chores_)),
      timers_(std::make_unique<GraceTimers>([this](const Handle& handle) {
          chores_->once([this, handle] { (void)destroy(handle); });
      })),
      pool_(std::make_unique<WarmPool>(seats_, parts_.config.pool_size, "")),
      lone_pool_(
              std::make_unique<WarmPool>(seats_, parts_.config.pool_size, std::string(kNoNetwork))),
      latecomers_(std::make_unique<Latecomers>()),
      denials_(std::make_unique<Denials>(
              registry_, *parts_.events, cgroup_parent(parts_.config.tag))) {
    const auto& config = parts_.config;
    if (!config.network_plugin.program.empty()) network_plugin_.emplace(config.network_plugin);
    if (!config.image_plugin.unprivileged.path.empty()) image_plugin_.emplace(config.image_plugin);
}

Gardener::~Gardener() {
    stopping_ = true;
    denials_.reset();
    latecomers_.reset();
    pool_.reset();
    lone_pool_.reset();
    timers_.reset();
    chores_->drain(std::chrono::seconds(2));
    parts_.hub.reset();  // no event may arrive after this
    chores_.reset();
    parts_.events->append("gardend.stop", "");
}

void Gardener::begin() {
    if (!network_plugin_) pool_->start();  // the other pool fills itself when it is wanted
    denials_->start(parts_.config.host_network);
    tell_started();
}

base::Result<std::string> Gardener::features_json() {
    utsname name{};
    (void)::uname(&name);
    const auto layout = [&] {
        switch (parts_.cgroups->layout()) {
            case cgroup::Layout::v1:
                return "v1";
            case cgroup::Layout::hybrid:
                return "hybrid";
            case cgroup::Layout::v2:
                return "v2";
        }
        return "";
    }();
    const auto quota = parts_.volumes->quota();
    const auto denials = denial_figures();
    const auto events = parts_.events->figures();
    const nlohmann::ordered_json out{
            {"kernel", name.release},
            {"cgroups", {{"layout", layout}, {"hierarchies", parts_.facts.cgroup_hierarchies}}},
            {"image_policy", parts_.config.images.policy_file.empty()
                                     ? "none: unsigned images permitted"
                                     : parts_.config.images.policy_file},
            {"quota", {{"driver", rootfs::to_string(quota.driver)}, {"why", quota.why}}},
            {"capabilities", security::capability_names(parts_.facts.available_capabilities)},
            // CL-03: what is weaker here than it need be, each by its own name.
            {"relaxations", relaxations(parts_.config)},
            {"posix_message_queues", parts_.facts.posix_message_queues},
            {"absent_devices", parts_.facts.absent_devices},
            {"pool",
             {{"size", parts_.config.pool_size},
              {"ready", pool_->ready()},
              {"ready_without_network", lone_pool_->ready()}}},
            {"event_log",
             {{"last_seq", events.last_seq},
              {"lost", events.lost},
              {"error", events.error},
              {"key", events.key}}},
            {"denials",
             {{"available", denials.available}, {"why", denials.why}, {"lost", denials.lost}}},
            {"network",
             {{"subnets", parts_.network->capacity()}, {"free", parts_.network->free_subnets()}}},
    };
    return out.dump(2) + "\n";
}

}  // namespace garden
