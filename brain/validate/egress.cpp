// Egress rules (receptor-api §8, bbs-api §5).
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "brain/validate/parts.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace brain::validate {

namespace {

struct Address {
    int family = 0;
    std::array<unsigned char, 16> bytes{};
};

std::optional<Address> parse_address(std::string_view text) {
    // inet_pton would stop at a NUL and call what stands in front of it an address.
    const std::string name(text);
    if (name.find('\0') != std::string::npos) return std::nullopt;
    for (const int family : {AF_INET, AF_INET6}) {
        Address address{.family = family, .bytes = {}};
        if (::inet_pton(family, name.c_str(), address.bytes.data()) == 1) return address;
    }
    return std::nullopt;
}

// An IP, a CIDR or first-last.
bool is_destination(std::string_view text) {
    if (const auto dash = text.find('-'); dash != std::string_view::npos) {
        const auto first = parse_address(text.substr(0, dash));
        const auto last = parse_address(text.substr(dash + 1));
        return first && last && first->family == last->family && first->bytes <= last->bytes;
    }
    const auto slash = std::min(text.find('/'), text.size());
    const auto address = parse_address(text.substr(0, slash));
    if (!address) return false;
    if (slash == text.size()) return true;
    const auto length = base::parse_number<unsigned>(text.substr(slash + 1), "prefix length");
    return length && *length <= (address->family == AF_INET ? 32U : 128U);
}

bool are_destinations(std::string_view text, bool lists) {
    for (;;) {
        const auto comma = lists ? std::min(text.find(','), text.size()) : text.size();
        if (!is_destination(text.substr(0, comma))) return false;
        if (comma == text.size()) return true;
        text.remove_prefix(comma + 1);
    }
}

void check_destinations(
        Violations& found, const api::EgressRule& rule, const std::string& path, bool lists) {
    if (rule.destinations.empty())
        found.add("destinations", path + ".destinations: must not be empty");
    check_count(found, "destinations", rule.destinations.size(), kMaxEgressRules);
    for (const auto& one : rule.destinations) {
        if (are_destinations(one, lists)) continue;
        found.add(
                "destinations", base::format(
                                        "{}.destinations: '{}' is no address, CIDR or first-last",
                                        path, one.substr(0, 64)));
        return;
    }
}

void check_rule_ports(
        Violations& found, const api::EgressRule& rule, const std::string& path, bool wanted) {
    if (!wanted) {
        const auto text = path + ": a " + rule.protocol + " rule has no ports";
        if (!rule.ports.empty()) found.add("ports", text);
        if (rule.port_range) found.add("port_range", text);
        return;
    }
    if (rule.ports.empty() == !rule.port_range)
        found.add("ports", path + ": exactly one of ports and port_range is required");
    if (std::ranges::find(rule.ports, 0) != rule.ports.end())
        found.add("ports", path + ".ports: 0 is not in 1..65535");
    check_count(found, "ports", rule.ports.size(), kMaxEgressRules);
    const auto& range = rule.port_range;
    if (range && (range->start == 0 || range->start > range->end))
        found.add(
                "port_range", base::format(
                                      "{}.port_range: {}-{} is no range in 1..65535", path,
                                      range->start, range->end));
}

}  // namespace

Violations validate_rule(const api::EgressRule& rule, std::string_view where, const Rules& rules) {
    const std::string path(where);
    Violations found;
    const bool ports = rule.protocol == "tcp" || rule.protocol == "udp";
    const bool icmp =
            rule.protocol == "icmp" || (rule.protocol == "icmpv6" && !rules.egress_of_2015);
    if (!ports && !icmp && rule.protocol != "all") {
        found.add(
                "protocol",
                base::format("{}.protocol: '{}' is not known", path, rule.protocol.substr(0, 64)));
        return found;  // the other rules depend on it
    }
    check_destinations(found, rule, path, !rules.egress_of_2015);
    check_rule_ports(found, rule, path, ports);
    if (icmp != rule.icmp_info.has_value())
        found.add("icmp_info", path + (icmp ? ".icmp_info: is required" : ".icmp_info: not here"));
    if (rule.log && rules.egress_of_2015 && rule.protocol != "tcp" && rule.protocol != "all")
        found.add("log", path + ".log: only for tcp and all");
    return found;
}

void check_egress(Violations& found, const std::vector<api::EgressRule>& list, const Rules& rules) {
    check_count(found, "egress_rules", list.size(), kMaxEgressRules);
    for (std::size_t i = 0; i < list.size() && !found.full(); ++i)
        found.add_within(
                "egress_rules", validate_rule(list[i], base::format("egress_rules[{}]", i), rules));
}

}  // namespace brain::validate
