#include "garden/net/explain.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"
#include "garden/net/metadata.hpp"

#include <algorithm>
#include <array>

namespace garden::net {

namespace {

constexpr std::uint16_t kDns = 53;

bool has_port(OutProtocol protocol) {
    return protocol == OutProtocol::tcp || protocol == OutProtocol::udp;
}

bool is_one_of(const std::vector<Address>& list, const Address& address) {
    return std::find(list.begin(), list.end(), address) != list.end();
}

bool is_loopback(const Address& address) {
    if (!address.is_v6()) return address.bytes[0] == 127;
    return address == parse_address("::1").value();
}

const char* metadata_network(const Address& address) {
    for (const char* text : kMetadataNetworks)
        if (contains(parse_cidr(text).value(), address)) return text;
    return nullptr;
}

// An answer to a rejected connection, by the ICMP that the refusing chain sends.
std::string prohibited(const Address& to) {
    return to.is_v6() ? "EACCES" : "EHOSTUNREACH";
}

std::string address_text(const ConnectQuestion& question) {
    if (!has_port(question.protocol)) return to_string(question.destination);
    auto address = to_string(question.destination);
    if (question.destination.is_v6()) address = "[" + address + "]";
    return base::format("{}:{}", address, question.port);
}

// The rule that would open exactly this, as NetOut takes it.
std::string opening_rule(const ConnectQuestion& question) {
    auto text = base::format(
            R"({{"protocol":{},"networks":[{{"start":"{}"}}])",
            static_cast<unsigned>(question.protocol), to_string(question.destination));
    if (has_port(question.protocol))
        text += base::format(R"(,"ports":[{{"start":{},"end":{}}}])", question.port, question.port);
    return "a NetOut rule " + text + "}";
}

// The first rule that lets it out, counted from 1. A rule about some types of ICMP only is none.
std::size_t allowing_rule(const ConnectQuestion& question, const std::vector<OutRule>& rules) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const auto& rule = rules[i];
        if (rule.protocol != OutProtocol::all && rule.protocol != question.protocol) continue;
        if (rule.icmp && (rule.icmp->type || rule.icmp->code)) continue;
        const auto holds = [&](const Range& range) {
            return range.first.length == question.destination.length &&
                   range.first <= question.destination && question.destination <= range.last;
        };
        const auto covers = [&](const PortRange& ports) {
            return ports.first <= question.port && question.port <= ports.last;
        };
        if (!rule.networks.empty() &&
            std::none_of(rule.networks.begin(), rule.networks.end(), holds))
            continue;
        if (!rule.ports.empty() && std::none_of(rule.ports.begin(), rule.ports.end(), covers))
            continue;
        return i + 1;
    }
    return 0;
}

ConnectAnswer allowed(std::string rule, std::string because) {
    return {.allowed = true,
            .reason = {},
            .rule = std::move(rule),
            .because = std::move(because),
            .remedy = "none is needed; when it fails, nobody answers there",
            .seen_as = {}};
}

ConnectAnswer to_denied_network(const ConnectQuestion& question, std::string because) {
    return {.allowed = false,
            .reason = "network",
            .rule = "NET-06",
            .because = std::move(because),
            .remedy = opening_rule(question),
            .seen_as = "ECONNREFUSED"};
}

// The chain "default": what no rule of the container decided.
ConnectAnswer by_default(
        const ConnectQuestion& question, const ConnectFacts& facts, bool to_container) {
    if (to_container) {
        return {.allowed = false,
                .reason = "container",
                .rule = "NET-04",
                .because = base::format(
                        "{} is another container, and containers do not reach each other",
                        to_string(question.destination)),
                .remedy = opening_rule(question),
                .seen_as = prohibited(question.destination)};
    }
    for (const auto& network : facts.deny_networks) {
        if (!contains(network, question.destination)) continue;
        return to_denied_network(
                question, base::format(
                                  "{} is in the denied network {} (network.deny)",
                                  to_string(question.destination), to_string(network)));
    }
    if (facts.egress_deny) {
        return to_denied_network(
                question, "no rule of the container allows it, and the host's default is to deny");
    }
    return allowed("NET-06", "the host's policy lets containers out to the world");
}

ConnectAnswer by_rules(
        const ConnectQuestion& question, const ConnectFacts& facts, bool to_container) {
    if (const auto number = allowing_rule(question, facts.rules); number != 0) {
        return allowed(
                "NET-06", base::format(
                                  "rule {} of the {} of this container allows it", number,
                                  facts.rules.size()));
    }
    return by_default(question, facts, to_container);
}

bool is_resolver(const ConnectQuestion& question, const ConnectFacts& facts) {
    return has_port(question.protocol) && question.port == kDns &&
           is_one_of(facts.resolvers, question.destination);
}

ConnectAnswer to_host(const ConnectQuestion& question, const ConnectFacts& facts) {
    if (facts.resolver_on_gateway && has_port(question.protocol) && question.port == kDns)
        return allowed("NET-12", "the host answers names for its containers");
    if (facts.allow_host_access)
        return allowed("NET-04", "network.allow_host_access lets containers reach the host");
    return {.allowed = false,
            .reason = "host",
            .rule = "NET-04",
            .because =
                    base::format("{} is the host's own address", to_string(question.destination)),
            .remedy =
                    "no rule of a container opens it; network.allow_host_access of the daemon "
                    "does, for all of them",
            .seen_as = prohibited(question.destination)};
}

ConnectAnswer no_route(std::string rule, std::string because, std::string remedy) {
    return {.allowed = false,
            .reason = "none",
            .rule = std::move(rule),
            .because = std::move(because),
            .remedy = std::move(remedy),
            .seen_as = "ENETUNREACH"};
}

// Between containers of one bridge, whose packets never come to the host's rules.
std::optional<ConnectAnswer> on_bridge(const ConnectQuestion& question, const ConnectFacts& facts) {
    const auto& to = question.destination;
    if (!facts.shared_subnet || !contains(*facts.shared_subnet, to) || is_one_of(facts.host, to))
        return {};
    if (!facts.isolated)
        return allowed("NET-01", "containers of one requested subnet are one group here");
    return ConnectAnswer{
            .allowed = false,
            .reason = "none",
            .rule = "NET-01",
            .because = base::format(
                    "{} is in the same requested subnet, where containers are isolated from each "
                    "other below IP",
                    to_string(to)),
            .remedy =
                    "a subnet of its own for each and a NetOut rule, or "
                    "compat.garden_shared_subnets of the daemon",
            .seen_as = "EHOSTUNREACH"};
}

}  // namespace

ConnectAnswer explain(const ConnectQuestion& question, const ConnectFacts& facts) {
    const auto& to = question.destination;
    if (is_loopback(to) || is_one_of(facts.own, to))
        return allowed("NET-09", "it is the container's own address");
    if (facts.plugin) {
        return {.allowed = false,
                .reason = "unknown",
                .rule = {},
                .because = "a network plugin connects this container; its rules are its own",
                .remedy = "ask the plugin",
                .seen_as = {}};
    }
    if (!facts.network)
        return no_route(
                "NET-09", "the container has its loopback only", "a container with a network");
    if (to.is_v6() && !facts.has_v6)
        return no_route("NET-08", "the container has no IPv6", "network.pool6 of the daemon");
    // Judged before its translation, as what it called.
    if (facts.external == to && has_port(question.protocol) &&
        facts.mapped_ports.contains(question.port))
        return by_rules(question, facts, false);
    if (is_resolver(question, facts)) return allowed("NET-12", "it is a listed resolver");
    if (is_one_of(facts.host, to)) return to_host(question, facts);
    if (auto found = on_bridge(question, facts)) return *std::move(found);
    if (const char* network = metadata_network(to)) {
        return {.allowed = false,
                .reason = "metadata",
                .rule = "NET-05",
                .because = base::format(
                        "{} is in {}, where clouds keep what a machine must not tell",
                        to_string(to), network),
                .remedy = "none: no rule opens it",
                .seen_as = prohibited(to)};
    }
    return by_rules(question, facts, is_one_of(facts.containers, to));
}

base::Result<OutProtocol> parse_protocol(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, OutProtocol>, 5> kWords = {
            {{"", OutProtocol::tcp},
             {"tcp", OutProtocol::tcp},
             {"udp", OutProtocol::udp},
             {"icmp", OutProtocol::icmp},
             {"icmpv6", OutProtocol::icmpv6}}};
    for (const auto& [word, protocol] : kWords)
        if (word == text) return protocol;
    return base::fail(
            base::Errc::invalid, "protocol: expected tcp, udp, icmp or icmpv6, got \"{}\"",
            text.substr(0, 32));
}

base::Result<ConnectQuestion> parse_connect(std::string_view text, OutProtocol protocol) {
    const auto wrong = [&] {
        return base::fail(
                base::Errc::invalid, "connect: expected ADDRESS{}, got \"{}\"",
                has_port(protocol) ? ":PORT" : "", text.substr(0, 64));
    };
    ConnectQuestion question{.destination = {}, .port = 0, .protocol = protocol};
    auto address = text;
    if (has_port(protocol)) {
        const auto colon = text.rfind(':');
        if (colon == std::string_view::npos) return wrong();
        const auto port = base::parse_number<std::uint16_t>(text.substr(colon + 1), "port");
        if (!port) return wrong();
        question.port = *port;
        address = text.substr(0, colon);
    }
    if (address.starts_with('[') && address.ends_with(']'))
        address = address.substr(1, address.size() - 2);
    const auto parsed = parse_address(address);
    if (!parsed) return wrong();
    question.destination = *parsed;
    return question;
}

std::string to_string(const ConnectQuestion& question) {
    constexpr std::array<std::string_view, 5> kWords = {"all", "tcp", "udp", "icmp", "icmpv6"};
    return base::format(
            "connect to {} by {}", address_text(question),
            kWords.at(static_cast<std::size_t>(question.protocol)));
}

}  // namespace garden::net
