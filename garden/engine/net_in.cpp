// NetIn: reserved, written down, then led to the container; a killed gardend finds either nothing
// or a port that the next one maps again. And the bandwidth of a living container.
#include "garden/engine/net_in.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "garden/engine/gardener.hpp"

#include <fcntl.h>

namespace garden {

using base::Errc;

base::Result<void> check_port(std::uint32_t host, std::uint32_t container) {
    constexpr std::uint32_t kLastPort = 65'535;
    if (host <= kLastPort && container <= kLastPort) return base::ok;
    return base::fail(Errc::invalid, "{} to {}: a port is at most {}", host, container, kLastPort);
}

base::Result<void> check_ports(const ContainerSpec& spec) {
    if (spec.in_ports.size() > net::kMaxPortMappings) {
        return base::fail(
                Errc::invalid, "netin: {} ports, at most {}", spec.in_ports.size(),
                net::kMaxPortMappings);
    }
    for (std::size_t i = 0; i < spec.in_ports.size(); ++i) {
        const auto& port = spec.in_ports[i];
        TRY(check_port(port.host, port.container).context(base::format("netin[{}]", i)));
    }
    if (!spec.in_ports.empty() && spec.network == kNoNetwork)
        return base::fail(Errc::invalid, "netin: the container is to have no network");
    return base::ok;
}

std::string text_of(std::span<const MappedPort> ports) {
    std::string text;
    for (const auto& port : ports) {
        text += base::format(
                "{}{{\"HostPort\":{},\"ContainerPort\":{}}}", text.empty() ? "" : ",",
                port.host_port, port.container_port);
    }
    return "[" + text + "]";
}

std::vector<MappedPort> ports_of(const net::Lease& lease) {
    std::vector<MappedPort> ports;
    for (const auto& port : lease.ports)
        ports.push_back({.host_port = port.host_port, .container_port = port.container_port});
    return ports;
}

void describe_ports(ContainerRecord& record) {
    if (record.lease)
        record.properties[std::string(kMappedPorts)] = text_of(ports_of(*record.lease));
}

base::Result<void> Gardener::keep_ports(Container& container, std::vector<net::PortMapping> ports) {
    const std::lock_guard lock(container.mutex);
    auto& record = container.record;
    std::swap(record.lease->ports, ports);
    describe_ports(record);
    auto saved = Depot::save(container.bundle, record);
    if (!saved) {
        std::swap(record.lease->ports, ports);
        describe_ports(record);
    }
    return saved;
}

base::Result<MappedPort> Gardener::map_port(Container& container, InPortSpec wanted) {
    const std::lock_guard turn(container.changing_rules);
    std::optional<net::Lease> lease;
    {
        const std::lock_guard lock(container.mutex);
        lease = container.record.lease;
    }
    if (!lease) {
        return base::fail(
                Errc::conflict, "net_in: container {} has no network", container.handle.get());
    }
    const auto before = lease->ports;
    const auto mapping = TRY(parts_.network->reserve_port(*lease, wanted.host, wanted.container));
    lease->ports.push_back(mapping);
    auto mapped = keep_ports(container, lease->ports);
    if (mapped) {
        mapped = parts_.network->map_ports(*lease);
        if (!mapped) (void)keep_ports(container, before);
    }
    if (!mapped) {
        parts_.network->release_port(*lease, mapping);
        return std::move(mapped).error();
    }
    return MappedPort{.host_port = mapping.host_port, .container_port = mapping.container_port};
}

base::Result<MappedPort> Gardener::net_in(
        const Handle& handle, std::uint32_t host_port, std::uint32_t container_port) {
    const auto container = TRY(living(handle));
    TRY(check_port(host_port, container_port));
    const InPortSpec wanted{.host = host_port, .container = container_port};
    const auto port =
            TRY(container->record.network_plugin ? net_in_by_plugin(*container, wanted)
                                                 : map_port(*container, wanted));
    tell_net_in(handle, port);
    return port;
}

base::Result<void> Gardener::map_ports(Container& container) {
    for (const auto& port : container.record.spec.in_ports) TRY(map_port(container, port));
    return base::ok;
}

base::Result<void> Gardener::limit_bandwidth(
        const Handle& handle, std::uint64_t rate, std::uint64_t burst) {
    const auto shaping = TRY(net::make_shaping(rate, burst));
    const auto container = TRY(living(handle));
    const std::lock_guard turn(container->changing_rules);
    net::Lease lease;
    LimitsSpec limits_before;
    LimitsSpec limits;
    std::int32_t init = 0;
    {
        const std::lock_guard lock(container->mutex);
        auto& record = container->record;
        if (!record.lease) {
            return base::fail(
                    Errc::conflict, "limit_bandwidth: container {} has no network of ours",
                    handle.get());
        }
        const auto before = record;
        record.lease->shaping = shaping;
        record.spec.limits.bandwidth_rate = rate;
        record.spec.limits.bandwidth_burst = burst;
        // The record first, as a restart goes by it.
        if (auto saved = Depot::save(container->bundle, record); !saved) {
            record = before;
            return saved;
        }
        lease = *record.lease;
        limits_before = before.spec.limits;
        limits = record.spec.limits;
        init = container->init_pid;
    }
    // Another process's namespace has no interface of this name, should the number be reused.
    const auto network = TRY(base::sys::open_host(base::format("/proc/{}/ns/net", init), O_RDONLY));
    TRY(parts_.network->shape(lease, network).context("limit the bandwidth"));
    tell_limits(handle, limits_before, limits);
    return base::ok;
}

}  // namespace garden
