// Why a container cannot connect: what the engine knows of its network, for garden/net/explain.hpp;
// and connections that were refused lately.
#include "base/fail.hpp"
#include "garden/engine/explain.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/engine/out_rules.hpp"
#include "garden/net/policy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include <ifaddrs.h>

namespace garden {

namespace {

// Every address of the daemon's network namespace.
std::vector<net::Address> host_addresses() {
    std::vector<net::Address> out;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return out;
    for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) continue;
        net::Address address;
        if (entry->ifa_addr->sa_family == AF_INET) {
            sockaddr_in in{};
            std::memcpy(&in, entry->ifa_addr, sizeof in);
            std::memcpy(address.bytes.data(), &in.sin_addr, 4);
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 in{};
            std::memcpy(&in, entry->ifa_addr, sizeof in);
            address.length = 16;
            std::memcpy(address.bytes.data(), &in.sin6_addr, 16);
        } else {
            continue;
        }
        out.push_back(address);
    }
    ::freeifaddrs(list);
    return out;
}

void add_address(std::vector<net::Address>& list, const std::string& text) {
    if (auto address = net::parse_address(text)) list.push_back(*address);
}

Explained to_explained(std::string question, net::ConnectAnswer found) {
    return {.question = std::move(question),
            .count = 0,
            .refused = !found.allowed,
            .layer = found.allowed ? "none" : "network",
            .rule = std::move(found.rule),
            .seen_as = std::move(found.seen_as),
            .because = std::move(found.because),
            .remedy = std::move(found.remedy)};
}

// Reasons that are no question of this container's way out.
Explained of_packet(const net::Connection& entry) {
    const auto from = entry.packet.source ? to_string(*entry.packet.source) : entry.source_mac;
    if (entry.inbound) {
        return {.question = base::format("connection from {}", from),
                .count = 0,
                .refused = true,
                .layer = "network",
                .rule = "NET-04",
                .seen_as = {},
                .because = "from outside, containers are reached by mapped ports only",
                .remedy = "map a port (NetIn), and connect to the external address"};
    }
    return {.question = base::format("{} from {}", entry.packet.protocol, from),
            .count = 0,
            .refused = true,
            .layer = "network",
            .rule = entry.reason == "forged" ? "NET-02" : "",
            .seen_as = {},
            .because = entry.reason == "forged"
                               ? "the frame does not have the container's own addresses"
                               : "refused as " + entry.reason,
            .remedy = entry.reason == "forged" ? "none" : ""};
}

// Whether the log's entry can be asked about again.
std::optional<net::ConnectQuestion> question_of(const net::Connection& entry) {
    const auto& packet = entry.packet;
    if (entry.inbound || entry.reason == "forged" || !packet.destination) return {};
    net::ConnectQuestion question{.destination = *packet.destination};
    if (packet.protocol == "icmp" || packet.protocol == "icmpv6") {
        question.protocol =
                packet.protocol == "icmp" ? net::OutProtocol::icmp : net::OutProtocol::icmpv6;
        return question;
    }
    if ((packet.protocol != "tcp" && packet.protocol != "udp") || !packet.destination_port)
        return {};
    question.protocol = packet.protocol == "tcp" ? net::OutProtocol::tcp : net::OutProtocol::udp;
    question.port = *packet.destination_port;
    return question;
}

}  // namespace

base::Result<net::ConnectFacts> Gardener::connect_facts(Container& container) {
    net::ConnectFacts facts;
    std::optional<net::Lease> lease;
    {
        const std::lock_guard lock(container.mutex);
        lease = container.record.lease;
        facts.plugin = container.record.network_plugin;
        facts.rules = TRY(parse_out_rules(container.record.spec.out_rules));
    }
    facts.network = lease.has_value();
    if (!lease || facts.plugin) return facts;
    auto policy = TRY(net::make_policy(parts_.config.network));
    facts.deny_networks = std::move(policy.deny_networks);
    facts.resolvers = std::move(policy.resolvers);
    facts.resolver_on_gateway = policy.resolver_on_gateway;
    facts.allow_host_access = policy.allow_host_access;
    facts.egress_deny = policy.egress_deny;
    facts.host = host_addresses();
    add_address(facts.host, lease->host_ip);
    add_address(facts.host, lease->host_ip6);
    if (const auto external = net::parse_address(lease->external_ip)) facts.external = *external;
    add_address(facts.own, lease->container_ip);
    add_address(facts.own, lease->container_ip6);
    facts.has_v6 = !lease->container_ip6.empty();
    if (!lease->bridge.empty()) facts.shared_subnet = TRY(net::parse_cidr(lease->subnet));
    facts.isolated = parts_.config.network.isolate_shared_subnets;
    for (const auto& other : registry_.all()) {
        if (!other->ready) continue;
        const std::lock_guard lock(other->mutex);
        if (!other->record.lease) continue;
        for (const auto& port : other->record.lease->ports)
            facts.mapped_ports.insert(port.host_port);
        if (other.get() == &container) continue;
        add_address(facts.containers, other->record.lease->container_ip);
        add_address(facts.containers, other->record.lease->container_ip6);
    }
    return facts;
}

base::Result<Explained> Gardener::explain_connect(
        Container& container, const net::ConnectQuestion& question) {
    return to_explained(to_string(question), net::explain(question, TRY(connect_facts(container))));
}

// The log keeps what was refused, the explanation is of now: a rule that came later is seen.
base::Result<void> Gardener::explain_connections(Container& container, ExplainReport& report) {
    const auto evidence = TRY(connections(container.handle, 0));
    const auto facts = TRY(connect_facts(container));
    for (const auto& entry : evidence.connections) {
        if (entry.allowed) continue;
        const auto question = question_of(entry);
        auto explained =
                question ? to_explained(to_string(*question), net::explain(*question, facts))
                         : of_packet(entry);
        explained.count = entry.count;
        report.explanations.push_back(std::move(explained));
    }
    if (evidence.suppressed + evidence.forgotten > 0)
        report.notes.push_back(base::format(
                "refused connections: {} more were only counted",
                evidence.suppressed + evidence.forgotten));
    return base::ok;
}

}  // namespace garden
