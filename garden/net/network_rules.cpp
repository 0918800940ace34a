// What may be changed about a living container: its security group, its mapped ports.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "garden/net/built_in.hpp"
#include "garden/net/host_ports.hpp"
#include "garden/net/table.hpp"

#include <fcntl.h>

#include <utility>

namespace garden::net {

using base::Errc;
using base::Result;

namespace {

Result<std::size_t> check_rules(const Lease& lease, std::span<const OutRule> rules) {
    if (!is_lease_id(lease.id))
        return base::fail(Errc::invalid, "network lease id '{}' is malformed", lease.id);
    std::size_t total = 0;
    for (const OutRule& rule : rules) total += compiled_size(rule);
    if (total > kMaxCompiledRules) {
        return base::fail(
                Errc::invalid, "security group: {} rules for the kernel, at most {}", total,
                kMaxCompiledRules);
    }
    return total;
}

}  // namespace

Result<void> BuiltIn::change_rules(const Binding& binding, std::vector<OutRule> wanted) {
    std::vector<OutRule> before = rules_of(binding.id);
    const Group old = compile(before, binding.address6.has_value());
    const Group fresh = compile(wanted, binding.address6.has_value());
    Batch batch(table_name(config_.tag));
    replace_group(batch, binding, old, fresh);
    auto changed =
            batch.empty() ? Result<void>() : commit(batch, [&] { note_rules(binding.id, wanted); });
    if (!changed) {
        note_rules(binding.id, std::move(before));
        return changed;
    }
    note_rules(binding.id, std::move(wanted));
    // The rules are in force for what is new; what is on its way and lost its rule ends behind us.
    if (!covers(fresh, old)) ender_->ask(binding.id);
    return base::ok;
}

Result<void> BuiltIn::allow(const Lease& lease, std::span<const OutRule> rules) {
    if (TRY(check_rules(lease, rules)) == 0) return base::ok;
    std::vector<OutRule> wanted = rules_of(lease.id);
    wanted.insert(wanted.end(), rules.begin(), rules.end());
    return change_rules(binding_of(TRY(parse_lease(lease, config_.tag))), std::move(wanted));
}

Result<void> BuiltIn::replace(const Lease& lease, std::span<const OutRule> rules) {
    TRY(check_rules(lease, rules));
    return change_rules(
            binding_of(TRY(parse_lease(lease, config_.tag))), {rules.begin(), rules.end()});
}

Result<PortMapping> BuiltIn::reserve_port(
        const Lease& lease, std::uint32_t host_port, std::uint32_t container_port) {
    constexpr std::uint32_t kLastPort = 65'535;
    for (const auto& [name, port] :
         {std::pair{"host_port", host_port}, std::pair{"container_port", container_port}}) {
        if (port > kLastPort)
            return base::fail(
                    Errc::invalid, "{}: {} is no port, at most {}", name, port, kLastPort);
    }
    if (lease.ports.size() >= kMaxPortMappings) {
        return base::fail(
                Errc::exhausted, "net_in: the container has {} mapped ports, at most {}",
                lease.ports.size(), kMaxPortMappings);
    }
    if (!policy_.external4 && !policy_.external6)
        return base::fail(Errc::unavailable, "net_in: the host has no external address");
    const auto busy = [&](std::uint16_t port) {
        return host_listens(policy_.external4, policy_.external6, port);
    };
    const std::lock_guard lock(ports_mutex_);
    PortMapping mapping{.host_port = static_cast<std::uint16_t>(host_port)};
    if (host_port == 0) {
        mapping.host_port = TRY(ports_.take(lease.id, busy));
    } else {
        TRY(ports_.take(mapping.host_port, lease.id, busy));
    }
    mapping.container_port =
            container_port == 0 ? mapping.host_port : static_cast<std::uint16_t>(container_port);
    keep_port_order();
    return mapping;
}

void BuiltIn::release_port(const Lease& lease, const PortMapping& mapping) {
    const std::lock_guard lock(ports_mutex_);
    ports_.give(mapping.host_port, lease.id);
    keep_port_order();
}

// Holds ports_mutex_. Best effort: what is in use is in the records of the containers; only the
// order among the free ones would be lost.
void BuiltIn::keep_port_order() {
    if (config_.port_file.empty()) return;
    const auto slash = config_.port_file.rfind('/');
    if (slash == std::string::npos) return;
    const auto directory =
            base::sys::open_host(config_.port_file.substr(0, slash + 1), O_RDONLY | O_DIRECTORY);
    if (!directory) return;
    (void)base::sys::write_atomic_at(
            *directory, config_.port_file.substr(slash + 1), ports_.order(), 0600,
            base::sys::Durable::no);
}

Result<void> BuiltIn::map_ports(const Lease& lease) {
    const ParsedLease parsed = TRY(parse_lease(lease, config_.tag));
    const Binding binding = binding_of(parsed);
    Batch batch(table_name(config_.tag));
    put_ports(batch, binding);
    return commit(batch, [&] { note_binding(binding); }).context("map ports");
}

}  // namespace garden::net
