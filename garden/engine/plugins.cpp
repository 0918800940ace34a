// Containers whose network or image a plugin makes. The record is saved before the plugin is
// asked, so that whatever it has made is given back, also by the next gardend.
#include "garden/engine/plugins.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/sys/file.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/engine/net_in.hpp"
#include "garden/plan/validate.hpp"

#include <fcntl.h>

namespace garden {

namespace {

using base::Errc;

std::string property_or_nothing(const Properties& properties, const std::string& name) {
    const auto found = properties.find(name);
    return found == properties.end() ? "" : found->second;
}

struct WirePorts {
    std::uint32_t host = 0;
    std::uint32_t container = 0;
};

base::Result<void> from_json(const base::json::Node& node, WirePorts& out) {
    return base::json::Fields(node)
            .required("HostPort", out.host)
            .required("ContainerPort", out.container)
            .finish(base::json::Unknown::ignore);
}

// The plugin's word counts, but nothing without bounds gets into the record.
base::Result<void> keep_properties(Properties& kept, const Properties& told) {
    for (const auto& [name, value] : told) {
        TRY(plan::check_property(name, value).context("properties of the network plugin"));
        kept[name] = value;
    }
    if (kept.size() > plan::kProperties) {
        return base::fail(
                Errc::exhausted, "properties of the network plugin: {} in all, at most {}",
                kept.size(), plan::kProperties);
    }
    return base::ok;
}

}  // namespace

std::optional<net::Lease> lease_of_plugin(const Properties& properties) {
    net::Lease lease;
    lease.container_ip = property_or_nothing(properties, "garden.network.container-ip");
    lease.container_ip6 = property_or_nothing(properties, "garden.network.container-ipv6");
    lease.host_ip = property_or_nothing(properties, "garden.network.host-ip");
    if (lease.container_ip.empty()) return std::nullopt;
    return lease;
}

base::Result<std::vector<MappedPort>> ports_of_plugin(const Properties& properties) {
    const auto text = property_or_nothing(properties, std::string(kMappedPorts));
    if (text.empty()) return std::vector<MappedPort>{};
    const auto wire = TRY(base::json::decode<std::vector<WirePorts>>(text));
    std::vector<MappedPort> ports;
    for (const auto& port : wire)
        ports.push_back({.host_port = port.host, .container_port = port.container});
    return ports;
}

void describe_plugin_network(const Properties& properties, ContainerInfo& info) {
    info.host_ip = property_or_nothing(properties, "garden.network.host-ip");
    info.container_ip = property_or_nothing(properties, "garden.network.container-ip");
    info.container_ipv6 = property_or_nothing(properties, "garden.network.container-ipv6");
    info.external_ip = property_or_nothing(properties, "garden.network.external-ip");
    auto mapped = ports_of_plugin(properties);
    if (mapped) info.mapped_ports = *std::move(mapped);  // anybody may write a property
}

std::string resolv_of_plugin(
        const NetworkPlugin::Connected& connected, std::string_view usual_text) {
    const bool own_search = !connected.search_domains.empty();
    if (connected.dns_servers.empty() && !own_search) return "";
    std::string text;
    for (const auto& server : connected.dns_servers) text += "nameserver " + server + "\n";
    // The host's other lines stay; its servers and its search line only where the plugin has none.
    while (!usual_text.empty()) {
        const auto end = std::min(usual_text.find('\n'), usual_text.size());
        const auto line = usual_text.substr(0, end);
        usual_text.remove_prefix(std::min(end + 1, usual_text.size()));
        const bool server = line.starts_with("nameserver");
        const bool search = line.starts_with("search") || line.starts_with("domain");
        if (server && !connected.dns_servers.empty()) continue;
        if (search && own_search) continue;
        if (!line.empty()) text.append(line).push_back('\n');
    }
    if (own_search) {
        text += "search";
        for (const auto& domain : connected.search_domains) text += " " + domain;
        text += "\n";
    }
    return text;
}

bool Gardener::image_by_plugin(const ContainerSpec& spec) const {
    return image_plugin_.has_value() && !spec.image.uri.starts_with("raw://");
}

bool Gardener::network_by_plugin(const ContainerSpec& spec) const {
    return network_plugin_.has_value() && spec.network != kNoNetwork;
}

base::Result<void> Gardener::make_image_by_plugin(
        Container& container, ImageSpec requested, rootfs::Image& image) {
    auto& record = container.record;
    record.image_plugin = true;
    TRY(Depot::save(container.bundle, record));
    auto made = TRY(image_plugin_->create(
            {.handle = record.handle,
             .image = std::move(requested),
             .disk_bytes = record.spec.limits.disk_bytes,
             .disk_scope = record.spec.limits.disk_scope,
             .privileged = is_privileged(record.spec)}));
    image.raw_directory = std::move(made.root);
    image.config.env = made.env;
    record.image_env = std::move(made.env);
    // garden-behaviours D.3: the image's mounts come first.
    std::vector<base::Fd> sources;
    std::vector<bool> files;
    for (const auto& mount : made.mounts) {
        auto source = TRY(base::sys::open_host(mount.source, O_PATH)
                                  .context("mount of the image plugin: " + mount.source));
        files.push_back(!S_ISDIR(TRY(base::sys::stat_fd(source)).st_mode));
        sources.push_back(std::move(source));
    }
    auto& binds = record.spec.bind_mounts;
    binds.insert(binds.begin(), made.mounts.begin(), made.mounts.end());
    container.bind_sources.insert(
            container.bind_sources.begin(), std::make_move_iterator(sources.begin()),
            std::make_move_iterator(sources.end()));
    auto& known = container.facts.bind_source_is_file;
    known.insert(known.begin(), files.begin(), files.end());
    return base::ok;
}

base::Result<void> Gardener::drop_image_of_plugin(const ContainerRecord& record) {
    if (!record.image_plugin) return base::ok;
    if (!image_plugin_) {
        return base::fail(
                Errc::unavailable, "its image is an image plugin's, and none is configured");
    }
    return image_plugin_->destroy(record.handle);
}

base::Result<void> Gardener::connect_by_plugin(Container& container, const Seat& seat) {
    auto& record = container.record;
    record.network_plugin = true;
    TRY(Depot::save(container.bundle, record));
    const auto connected = TRY(network_plugin_->up(record.spec, seat.namespaces.init_pid));
    TRY(keep_properties(record.properties, connected.properties));
    const auto lease = lease_of_plugin(record.properties);
    container.resolv_conf =
            resolv_of_plugin(connected, parts_.network->resolv_file(lease ? &*lease : nullptr));
    return Depot::save(container.bundle, record);
}

base::Result<void> Gardener::disconnect_by_plugin(const ContainerRecord& record) {
    if (!record.network_plugin) return base::ok;
    if (!network_plugin_) {
        return base::fail(
                Errc::unavailable, "its network is a network plugin's, and none is configured");
    }
    return network_plugin_->down(record.handle);
}

base::Result<void> Gardener::net_out_by_plugin(
        Container& container, const std::vector<OutRuleSpec>& rules) {
    if (!network_plugin_ || rules.empty()) return base::ok;
    std::string address;
    {
        const std::lock_guard lock(container.mutex);
        address = property_or_nothing(container.record.properties, "garden.network.container-ip");
    }
    return network_plugin_->net_out(container.handle, address, rules, rules.size() > 1);
}

// What the plugin maps goes with its "down"; here only its answer is kept.
base::Result<MappedPort> Gardener::net_in_by_plugin(Container& container, InPortSpec wanted) {
    if (!network_plugin_) {
        return base::fail(
                Errc::unavailable, "its network is a network plugin's, and none is configured");
    }
    const std::lock_guard turn(container.changing_rules);
    Properties properties;
    {
        const std::lock_guard lock(container.mutex);
        properties = container.record.properties;
    }
    auto ports = ports_of_plugin(properties).value_or(std::vector<MappedPort>{});
    if (ports.size() >= net::kMaxPortMappings) {
        return base::fail(
                Errc::exhausted, "net_in: the container has {} mapped ports, at most {}",
                ports.size(), net::kMaxPortMappings);
    }
    const auto given = TRY(network_plugin_->net_in(
            container.handle, property_or_nothing(properties, "garden.network.external-ip"),
            property_or_nothing(properties, "garden.network.container-ip"),
            {.host = wanted.host, .container = wanted.container}));
    TRY(check_port(given.host, given.container).context("answer of the network plugin"));
    ports.push_back({.host_port = given.host, .container_port = given.container});
    const std::lock_guard lock(container.mutex);
    auto& record = container.record;
    const auto before = record.properties;
    auto kept = keep_properties(record.properties, {{std::string(kMappedPorts), text_of(ports)}});
    if (kept) kept = Depot::save(container.bundle, record);
    if (!kept) {
        record.properties = before;
        return std::move(kept).error();
    }
    return ports.back();
}

}  // namespace garden
