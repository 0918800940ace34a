#include "garden/server/convert.hpp"

#include "base/fail.hpp"

#include <chrono>
#include <limits>

namespace garden::server {

using base::Errc;

namespace {

ImageSpec image_of(api::ImageRef wire) {
    return {.uri = std::move(wire.uri),
            .username = std::move(wire.username),
            .password = std::move(wire.password)};
}

base::Result<std::vector<BindMountSpec>> mounts_of(std::vector<api::BindMount> wire) {
    std::vector<BindMountSpec> out;
    for (std::size_t i = 0; i < wire.size(); ++i) {
        auto& mount = wire[i];
        if (mount.mode > 1)
            return base::fail(
                    Errc::invalid, "bind_mounts[{}].mode: expected 0 or 1, got {}", i, mount.mode);
        if (mount.origin > 1) {
            return base::fail(
                    Errc::invalid, "bind_mounts[{}].origin: expected 0 or 1, got {}", i,
                    mount.origin);
        }
        out.push_back(
                {.source = std::move(mount.src_path),
                 .destination = std::move(mount.dst_path),
                 .writable = mount.mode == 1,
                 .origin_container = mount.origin == 1});
    }
    return out;
}

base::Result<ContainerClass> class_of(const api::ContainerSpec& wire) {
    const auto& name = wire.cloche.container_class;
    if (name.empty())
        return wire.privileged ? ContainerClass::privileged : ContainerClass::unprivileged;
    if (name == "unprivileged" && wire.privileged) {
        return base::fail(Errc::invalid, "cloche.class: \"unprivileged\" contradicts privileged");
    }
    if (name == "unprivileged") return ContainerClass::unprivileged;
    if (name == "privileged") return ContainerClass::privileged;
    if (name == "privileged_in_userns") return ContainerClass::privileged_in_userns;
    return base::fail(
            Errc::invalid,
            "cloche.class: expected unprivileged, privileged or privileged_in_userns, got \"{}\"",
            name.substr(0, 64));
}

base::Result<LimitsSpec> limits_of(const api::Limits& wire) {
    if (wire.disk_limits.scope > 1) {
        return base::fail(
                Errc::invalid, "limits.disk_limits.scope: expected 0 or 1, got {}",
                wire.disk_limits.scope);
    }
    return LimitsSpec{
            .memory_bytes = wire.memory_limits.limit_in_bytes,
            .cpu_weight = wire.cpu_limits.weight,
            .cpu_shares = wire.cpu_limits.limit_in_shares,
            .disk_bytes = wire.disk_limits.byte_hard,
            .disk_scope = wire.disk_limits.scope == 0 ? DiskScope::total : DiskScope::exclusive,
            .pids = wire.pid_limits.max,
            .bandwidth_rate = wire.bandwidth_limits.rate,
            .bandwidth_burst = wire.bandwidth_limits.burst};
}

}  // namespace

OutRuleSpec to_rule(api::NetOutRule wire) {
    constexpr std::uint8_t kAny = 255;  // what the executor sends for "any"
    OutRuleSpec rule{.protocol = wire.protocol, .log = wire.log};
    for (auto& network : wire.networks)
        rule.networks.push_back(
                {.first = std::move(network.start), .last = std::move(network.end)});
    for (const auto& ports : wire.ports) {
        // A range with only one end is that port.
        const std::uint16_t first = ports.start != 0 ? ports.start : ports.end;
        const std::uint16_t last = ports.end != 0 ? ports.end : ports.start;
        rule.ports.push_back({.first = first, .last = last});
    }
    if (wire.icmps) {
        rule.icmp.emplace();
        const bool any = wire.icmps->type == kAny && wire.icmps->code.value_or(kAny) == kAny;
        if (!any) {
            rule.icmp->type = wire.icmps->type;
            if (wire.icmps->code != kAny) rule.icmp->code = wire.icmps->code;
        }
    }
    return rule;
}

base::Result<ContainerSpec> to_spec(api::ContainerSpec wire) {
    if (!wire.rootfs.empty() && !wire.image.uri.empty()) {
        return base::fail(Errc::invalid, "Cannot provide both Image.URI and RootFSPath");
    }
    ContainerSpec spec;
    spec.container_class = TRY(class_of(wire));
    spec.limits = TRY(limits_of(wire.limits));
    spec.bind_mounts = TRY(mounts_of(std::move(wire.bind_mounts)));
    spec.handle = Handle(std::move(wire.handle));
    spec.grace_time = std::chrono::nanoseconds(wire.grace_time);
    spec.image = image_of(std::move(wire.image));
    if (spec.image.uri.empty()) spec.image.uri = std::move(wire.rootfs);
    spec.network = std::move(wire.network);
    for (const auto& port : wire.netin)
        spec.in_ports.push_back({.host = port.host_port, .container = port.container_port});
    for (auto& rule : wire.netout_rules) spec.out_rules.push_back(to_rule(std::move(rule)));
    spec.properties = std::move(wire.properties);
    spec.env = std::move(wire.env);
    spec.no_new_privileges = wire.cloche.no_new_privileges;
    spec.seccomp_profile = std::move(wire.cloche.seccomp_profile);
    return spec;
}

base::Result<WindowSize> to_window(const api::WindowSize& wire) {
    constexpr std::uint32_t kMost = std::numeric_limits<std::uint16_t>::max();
    if (wire.columns > kMost || wire.rows > kMost) {
        return base::fail(
                Errc::invalid, "tty.window_size: {}x{} is larger than the limit {}", wire.columns,
                wire.rows, kMost);
    }
    WindowSize size;
    if (wire.columns != 0) size.columns = static_cast<std::uint16_t>(wire.columns);
    if (wire.rows != 0) size.rows = static_cast<std::uint16_t>(wire.rows);
    return size;
}

base::Result<ProcessSpec> to_spec(api::ProcessSpec wire) {
    ProcessSpec spec;
    if (wire.tty) {
        spec.tty = TRY(to_window(wire.tty->window_size.value_or(api::WindowSize{})));
    }
    spec.bind_mounts = TRY(mounts_of(std::move(wire.bind_mounts)));
    spec.id = std::move(wire.id);
    spec.path = std::move(wire.path);
    spec.args = std::move(wire.args);
    spec.env = std::move(wire.env);
    spec.dir = std::move(wire.dir);
    spec.user = std::move(wire.user);
    spec.rlimits = std::move(wire.rlimits);
    spec.image = image_of(std::move(wire.image));
    if (wire.limits) {
        spec.limits = LimitsSpec{
                .memory_bytes = wire.limits->memory_limits.limit_in_bytes,
                .cpu_weight = wire.limits->cpu_limits.weight,
                .cpu_shares = wire.limits->cpu_limits.limit_in_shares};
    }
    return spec;
}

api::ContainerInfo to_wire(ContainerInfo info) {
    api::ContainerInfo out;
    out.state = std::move(info.state);
    out.events = std::move(info.events);
    out.host_ip = std::move(info.host_ip);
    out.container_ip = std::move(info.container_ip);
    out.container_ipv6 = std::move(info.container_ipv6);
    out.external_ip = std::move(info.external_ip);
    out.container_path = std::move(info.container_path);
    out.process_ids = std::move(info.process_ids);
    out.properties = std::move(info.properties);
    for (const auto& port : info.mapped_ports) {
        out.mapped_ports.push_back(
                {.host_port = port.host_port, .container_port = port.container_port});
    }
    return out;
}

namespace {

api::MemoryStat to_wire(const cgroup::MemoryStat& m) {
    return {.active_anon = m.active_anon,
            .active_file = m.active_file,
            .cache = m.cache,
            .hierarchical_memory_limit = m.hierarchical_memory_limit,
            .inactive_anon = m.inactive_anon,
            .inactive_file = m.inactive_file,
            .mapped_file = m.mapped_file,
            .pgfault = m.pgfault,
            .pgmajfault = m.pgmajfault,
            .pgpgin = m.pgpgin,
            .pgpgout = m.pgpgout,
            .rss = m.rss,
            .total_active_anon = m.total_active_anon,
            .total_active_file = m.total_active_file,
            .total_cache = m.total_cache,
            .total_inactive_anon = m.total_inactive_anon,
            .total_inactive_file = m.total_inactive_file,
            .total_mapped_file = m.total_mapped_file,
            .total_pgfault = m.total_pgfault,
            .total_pgmajfault = m.total_pgmajfault,
            .total_pgpgin = m.total_pgpgin,
            .total_pgpgout = m.total_pgpgout,
            .total_rss = m.total_rss,
            .total_unevictable = m.total_unevictable,
            .unevictable = m.unevictable,
            .swap = m.swap,
            .hierarchical_memsw_limit = m.hierarchical_memsw_limit,
            .total_swap = m.total_swap,
            .total_usage_toward_limit = m.usage_toward_limit,
            .anon = m.anon,
            .file = m.file,
            .swapcached = m.swapcached};
}

}  // namespace

api::Metrics to_wire(const ContainerMetrics& metrics) {
    api::Metrics out;
    out.memory_stat = to_wire(metrics.cgroup.memory);
    const auto& cpu = metrics.cgroup.cpu;
    out.cpu_stat = {.usage = cpu.usage, .user = cpu.user, .system = cpu.system};
    out.disk_stat = {
            .total_bytes_used = metrics.disk.total_bytes,
            .total_inodes_used = metrics.disk.total_inodes,
            .exclusive_bytes_used = metrics.disk.exclusive_bytes,
            .exclusive_inodes_used = metrics.disk.exclusive_inodes};
    if (metrics.network) {
        out.network_stat = api::NetworkStat{
                .rx_bytes = metrics.network->rx_bytes, .tx_bytes = metrics.network->tx_bytes};
    }
    out.pid_stat = {.current = metrics.cgroup.pids.current, .max = metrics.cgroup.pids.max};
    out.age = metrics.age.count();
    out.cpu_entitlement = metrics.cpu_entitlement;
    return out;
}

api::Capacity to_wire(const Capacity& capacity) {
    return {.memory_in_bytes = capacity.memory_bytes,
            .disk_in_bytes = capacity.disk_bytes,
            .schedulable_disk_in_bytes = capacity.schedulable_disk_bytes,
            .max_containers = capacity.max_containers};
}

api::Image to_wire(const rootfs::Image& image) {
    return {.reference = image.reference,
            .digest = image.digest,
            .layers = image.layers,
            .size = image.size,
            .config = {
                    .env = image.config.env,
                    .user = image.config.user,
                    .working_dir = image.config.working_dir,
                    .entrypoint = image.config.entrypoint,
                    .cmd = image.config.cmd,
                    .stop_signal = image.config.stop_signal}};
}

api::ImageRow to_wire(const rootfs::ImageRow& row) {
    return {.reference = row.reference,
            .digest = row.digest,
            .size = row.size,
            .created_at = row.created_at,
            .used_by = row.used_by,
            .layers = row.layers};
}

api::PullProgress to_wire(const rootfs::Progress& progress) {
    const auto word = [&] {
        switch (progress.step) {
            case rootfs::Progress::Step::resolving:
                return "resolving";
            case rootfs::Progress::Step::downloading:
                return "downloading";
            case rootfs::Progress::Step::unpacking:
                return "unpacking";
            case rootfs::Progress::Step::verifying:
                return "verifying";
            case rootfs::Progress::Step::done:
                return "done";
        }
        return "";
    }();
    return {.step = word,
            .layer = progress.layer,
            .current = progress.current,
            .total = progress.total};
}

api::ProcessRow to_wire(const ProcessRow& row) {
    return {.id = row.id,
            .user = row.user,
            .argv = row.argv,
            .exited = row.exited,
            .exit_code = row.exit_code,
            .host_pid = row.host_pid};
}

api::Orphan to_wire(const Orphan& orphan) {
    return {.kind = orphan.kind, .name = orphan.name, .reason = orphan.reason};
}

std::string image_source(std::string_view uri) {
    constexpr std::string_view kDocker = "docker://";
    if (!uri.starts_with(kDocker)) return uri.starts_with("preloaded+layer:") ? "layer" : "";
    uri.remove_prefix(kDocker.size());
    return "docker:" + std::string(uri.substr(0, uri.find('/')));
}

}  // namespace garden::server
