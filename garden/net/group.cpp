#include "garden/net/group.hpp"

#include "base/fail.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>

namespace garden::net {

namespace {

constexpr std::array<std::uint8_t, 5> kNumbers{
        0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};  // in the enum's order

Range everywhere(bool v6) {
    Range all;
    all.first.length = all.last.length = v6 ? 16 : 4;
    all.last.bytes.fill(0);
    std::fill_n(all.last.bytes.begin(), v6 ? 16 : 4, std::uint8_t{0xff});
    return all;
}

PortRange ports_of(const Allowance& from) {
    if (from.icmp && from.icmp->type) {
        const auto type = static_cast<std::uint16_t>(*from.icmp->type << 8);
        const auto code = [&](std::uint8_t otherwise) {
            return static_cast<std::uint16_t>(type | from.icmp->code.value_or(otherwise));
        };
        return {.first = code(0), .last = code(255)};
    }
    return from.ports.value_or(PortRange{.first = 0, .last = 65'535});
}

// A code of whatever type is no range.
bool is_range(const Allowance& from) {
    return !from.icmp || from.icmp->type.has_value() || !from.icmp->code.has_value();
}

std::vector<Box> boxes_of(const Allowance& from, bool v6) {
    std::vector<Box> boxes;
    const auto add = [&](const Range& network) {
        Box box{.network = network, .ports = ports_of(from)};
        if (from.protocol != OutProtocol::all)
            box.first_protocol = box.last_protocol =
                    kNumbers.at(static_cast<std::size_t>(from.protocol));
        boxes.push_back(box);
    };
    if (from.network) {
        if (v6 || !from.network->first.is_v6()) add(*from.network);
        return boxes;
    }
    add(everywhere(false));
    if (v6) add(everywhere(true));
    return boxes;
}

bool overlap(const Box& a, const Box& b) {
    return a.v6() == b.v6() && a.network.first <= b.network.last &&
           b.network.first <= a.network.last && a.first_protocol <= b.last_protocol &&
           b.first_protocol <= a.last_protocol && a.ports.first <= b.ports.last &&
           b.ports.first <= a.ports.last;
}

bool contains(const Box& outer, const Box& inner) {
    return outer.v6() == inner.v6() && outer.network.first <= inner.network.first &&
           inner.network.last <= outer.network.last &&
           outer.first_protocol <= inner.first_protocol &&
           inner.last_protocol <= outer.last_protocol && outer.ports.first <= inner.ports.first &&
           inner.ports.last <= outer.ports.last;
}

bool overlap(const std::vector<Box>& a, const std::vector<Box>& b) {
    return std::any_of(a.begin(), a.end(), [&](const Box& one) {
        return std::any_of(
                b.begin(), b.end(), [&](const Box& other) { return overlap(one, other); });
    });
}

bool says_the_same(const Allowance& a, const Allowance& b) {
    return is_range(a) && is_range(b) && a.boxes == b.boxes && a.log == b.log;
}

// Above the older ones that it overlaps, because it is to be tried before them. It needs no place
// of its own when one of them says the same and nothing overlaps the two in between.
void place(const Group& group, Allowance& fresh) {
    if (!is_range(fresh) || group.allowances.size() >= kMaxAsElements) {
        fresh.layer = 0;
        return;
    }
    unsigned layer = 1;
    const Allowance* equal = nullptr;
    for (const Allowance& older : group.allowances) {
        if (!overlap(older.boxes, fresh.boxes)) continue;
        equal = says_the_same(older, fresh) ? &older : nullptr;
        if (layer != 0) layer = older.layer == 0 ? 0 : std::max(layer, older.layer + 1);
    }
    fresh.repeated = equal != nullptr;
    fresh.layer = fresh.repeated ? equal->layer : layer > kMaxLayers ? 0 : layer;
}

void add(Group& group, Allowance fresh, bool v6) {
    fresh.boxes = boxes_of(fresh, v6);
    if (!fresh.boxes.empty()) place(group, fresh);
    if (fresh.layer != 0 && !fresh.repeated) {
        group.layers = std::max(group.layers, fresh.layer);
        group.logs.resize(group.layers, false);
        if (fresh.log && !fresh.boxes.empty()) group.logs.at(fresh.layer - 1) = true;
    }
    group.allowances.push_back(std::move(fresh));
}

}  // namespace

Group compile(std::span<const OutRule> rules, bool v6) {
    Group group;
    for (const OutRule& rule : rules) {
        const std::size_t networks = std::max<std::size_t>(1, rule.networks.size());
        const std::size_t ports = std::max<std::size_t>(1, rule.ports.size());
        for (std::size_t i = 0; i < networks; ++i) {
            for (std::size_t j = 0; j < ports; ++j) {
                Allowance fresh{.protocol = rule.protocol, .icmp = rule.icmp, .log = rule.log};
                if (!rule.networks.empty()) fresh.network = rule.networks[i];
                if (!rule.ports.empty()) fresh.ports = rule.ports[j];
                add(group, std::move(fresh), v6);
            }
        }
    }
    return group;
}

bool covers(const Group& after, const Group& before) {
    // To compare each with each of two groups of thousands takes longer than what is saved.
    constexpr std::size_t kWorth = 1'000'000;
    if (after.allowances.size() * before.allowances.size() > kWorth) return false;
    const auto inside = [](const Box& box, const Allowance& kept) {
        return is_range(kept) && std::any_of(
                                         kept.boxes.begin(), kept.boxes.end(),
                                         [&](const Box& other) { return contains(other, box); });
    };
    const auto covered = [&](const Allowance& old) {
        return is_range(old) &&
               std::all_of(old.boxes.begin(), old.boxes.end(), [&](const Box& box) {
                   return std::any_of(
                           after.allowances.begin(), after.allowances.end(),
                           [&](const Allowance& kept) { return inside(box, kept); });
               });
    };
    return std::all_of(before.allowances.begin(), before.allowances.end(), covered);
}

std::string text_of(const Allowance& from) {
    constexpr std::array<std::string_view, 5> kWords{"all", "tcp", "udp", "icmp", "icmpv6"};
    std::string text(kWords.at(static_cast<std::size_t>(from.protocol)));
    if (from.icmp && from.icmp->type) text += base::format(" type {}", *from.icmp->type);
    if (from.icmp && from.icmp->code) text += base::format(" code {}", *from.icmp->code);
    text += " to ";
    text += from.network ? to_string(from.network->first) : std::string("anywhere");
    if (from.network && from.network->first != from.network->last)
        text += "-" + to_string(from.network->last);
    if (from.ports) text += base::format(" port {}", from.ports->first);
    if (from.ports && from.ports->first != from.ports->last)
        text += base::format("-{}", from.ports->last);
    if (from.log) text += " log";
    return text;
}

}  // namespace garden::net
