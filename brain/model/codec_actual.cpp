// Form 2 of an actual LRP: there are very many of them, and a new leader reads them all before it
// may act. What the key says is not said again.
#include "brain/model/codec_actual.hpp"

#include "brain/model/packed.hpp"

#include <limits>

namespace brain::model {

using api::ActualLrp;

namespace {

constexpr std::uint64_t kPort = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint64_t kU32 = std::numeric_limits<std::uint32_t>::max();

void pack(Packer& to, const api::NetInfo& net) {
    to.text(net.address);
    to.text(net.instance_address);
    to.text(net.instance_ipv6_address);
    to.number(static_cast<std::uint64_t>(net.preferred_address));
    to.number(net.ports.size());
    for (const auto& port : net.ports) {
        to.number(port.container_port);
        to.number(port.host_port);
        to.number(port.container_tls_proxy_port);
        to.number(port.host_tls_proxy_port);
    }
}

void unpack(Unpacker& from, api::NetInfo& net) {
    net.address = from.text();
    net.instance_address = from.text();
    net.instance_ipv6_address = from.text();
    net.preferred_address = static_cast<api::PreferredAddress>(from.number_up_to(2));
    const auto ports = from.count();
    net.ports.reserve(ports);
    for (std::uint64_t i = 0; i < ports; ++i) {
        auto& port = net.ports.emplace_back();
        port.container_port = static_cast<std::uint16_t>(from.number_up_to(kPort));
        port.host_port = static_cast<std::uint16_t>(from.number_up_to(kPort));
        port.container_tls_proxy_port = static_cast<std::uint16_t>(from.number_up_to(kPort));
        port.host_tls_proxy_port = static_cast<std::uint16_t>(from.number_up_to(kPort));
    }
}

// Absent, false, true.
std::uint64_t flag(const std::optional<bool>& value) {
    if (!value) return 0;
    return *value ? 2 : 1;
}

}  // namespace

void pack(std::string& out, const ActualLrp& lrp) {
    Packer to(out);
    to.text(lrp.key.domain);
    to.text(lrp.instance.instance_guid);
    to.text(lrp.instance.cell_id);
    pack(to, lrp.net_info);
    to.number(static_cast<std::uint64_t>(lrp.state));
    to.signed_number(lrp.crash_count);
    to.text(lrp.crash_reason);
    to.text(lrp.placement_error);
    to.signed_number(lrp.since);
    to.text(lrp.modification_tag.epoch);
    to.number(lrp.modification_tag.index);
    to.number(lrp.internal_routes.size());
    for (const auto& route : lrp.internal_routes) to.text(route.hostname);
    to.number(lrp.metric_tags.size());
    for (const auto& [name, value] : lrp.metric_tags) {
        to.text(name);
        to.text(value);
    }
    to.number(flag(lrp.routable));
    to.text(lrp.availability_zone);
}

bool unpack(std::string_view in, ActualLrp& lrp) {
    Unpacker from(in);
    lrp.key.domain = from.text();
    lrp.instance.instance_guid = from.text();
    lrp.instance.cell_id = from.text();
    unpack(from, lrp.net_info);
    lrp.state = static_cast<api::LrpState>(from.number_up_to(4));
    lrp.crash_count = static_cast<std::int32_t>(from.signed_number());
    lrp.crash_reason = from.text();
    lrp.placement_error = from.text();
    lrp.since = from.signed_number();
    lrp.modification_tag.epoch = from.text();
    lrp.modification_tag.index = static_cast<std::uint32_t>(from.number_up_to(kU32));
    const auto routes = from.count();
    lrp.internal_routes.reserve(routes);
    for (std::uint64_t i = 0; i < routes; ++i)
        lrp.internal_routes.emplace_back().hostname = from.text();
    const auto tags = from.count();
    for (std::uint64_t i = 0; i < tags; ++i) {
        auto name = from.text();
        // In order: each one goes behind the last.
        lrp.metric_tags.emplace_hint(lrp.metric_tags.end(), std::move(name), from.text());
    }
    const auto routable = from.number_up_to(2);
    if (routable != 0) lrp.routable = routable == 2;
    lrp.availability_zone = from.text();
    return from.complete();
}

}  // namespace brain::model
