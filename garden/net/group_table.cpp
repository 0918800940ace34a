#include "garden/net/group_table.hpp"

#include "garden/net/evidence_table.hpp"
#include "garden/net/names.hpp"
#include "garden/net/table_family.hpp"

#include <linux/netfilter/nf_conntrack_tuple_common.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace garden::net {

namespace {

constexpr std::uint32_t kNew = 1U << 3;  // NF_CT_STATE_BIT(IP_CT_NEW)
constexpr std::uint8_t kWord = 4;        // every field of a key begins at one

struct Set {
    std::string name;
    bool v6 = false;
};

std::vector<Set> sets_of(const GroupPlace& place, const Group& group) {
    std::vector<Set> sets;
    for (unsigned layer = 1; layer <= group.layers; ++layer) {
        for (const bool v6 : {false, true}) {
            if (v6 && !place.v6) continue;
            sets.push_back({.name = allowed_set(place.id, v6, layer), .v6 = v6});
            if (group.logs.at(layer - 1))
                sets.push_back({.name = logged_set(place.id, v6, layer), .v6 = v6});
        }
    }
    return sets;
}

void add_set(Batch& batch, const Set& set) {
    const std::uint8_t length = set.v6 ? 16 : 4;
    const unsigned address = set.v6 ? kTypeIp6 : kTypeIp4;
    batch.add_set(
            {.name = set.name,
             .key_type = (address << 12) | (kTypeProtocol << 6) | kTypePort,
             .key_length = length + 2U * kWord,
             .each = SetSpec::Each::counter,
             .fields = {length, 1, 2}});
}

std::vector<std::uint8_t> key_of(
        const Address& address, std::uint8_t protocol, std::uint16_t port) {
    std::vector<std::uint8_t> key(address.bytes.begin(), address.bytes.begin() + address.length);
    key.insert(
            key.end(), {protocol, 0, 0, 0, static_cast<std::uint8_t>(port >> 8),
                        static_cast<std::uint8_t>(port), 0, 0});
    return key;
}

Element element_of(const Box& box, std::string comment) {
    return {.key = key_of(box.network.first, box.first_protocol, box.ports.first),
            .last = key_of(box.network.last, box.last_protocol, box.ports.last),
            .comment = std::move(comment)};
}

// By set, then by all that makes an element what it is.
using Identity = std::pair<std::string, std::vector<std::uint8_t>>;
using Elements = std::map<Identity, Element>;

Identity identity(const std::string& set, const Element& element) {
    Identity key{set, element.key};
    key.second.insert(key.second.end(), element.last.begin(), element.last.end());
    return key;
}

Elements elements_of(const GroupPlace& place, const Group& group) {
    Elements all;
    for (const Allowance& one : group.allowances) {
        if (one.layer == 0 || one.repeated) continue;
        for (const Box& box : one.boxes) {
            const Element element = element_of(box, text_of(one));
            const auto add = [&](const std::string& set) {
                all.emplace(identity(set, element), element);
            };
            add(allowed_set(place.id, box.v6(), one.layer));
            if (one.log) add(logged_set(place.id, box.v6(), one.layer));
        }
    }
    return all;
}

// Those of `some` that `others` do not have, for each set at once.
std::map<std::string, std::vector<Element>> beyond(const Elements& some, const Elements& others) {
    std::map<std::string, std::vector<Element>> out;
    for (const auto& [key, element] : some) {
        const auto found = others.find(key);
        // The comment says whether it is logged, and is what people read.
        if (found != others.end() && found->second.comment == element.comment) continue;
        out[key.first].push_back(element);
    }
    return out;
}

// One place in the chain, in the order in which packets meet them.
struct Line {
    const Allowance* alone = nullptr;  // otherwise the question of a set:
    unsigned layer = 0;
    bool v6 = false;
    bool log = false;
};

bool same(const Line& a, const Line& b) {
    if (a.alone == nullptr || b.alone == nullptr)
        return a.alone == b.alone && a.layer == b.layer && a.v6 == b.v6 && a.log == b.log;
    return text_of(*a.alone) == text_of(*b.alone);
}

std::vector<Line> lines_of(const GroupPlace& place, const Group& group) {
    std::vector<Line> lines;
    for (auto one = group.allowances.rbegin(); one != group.allowances.rend(); ++one)
        if (one->layer == 0 && !one->repeated && !one->boxes.empty())
            lines.push_back({.alone = &*one});
    for (unsigned layer = group.layers; layer > 0; --layer) {
        for (const bool v6 : {false, true}) {
            if (v6 && !place.v6) continue;
            if (group.logs.at(layer - 1)) lines.push_back({.layer = layer, .v6 = v6, .log = true});
            lines.push_back({.layer = layer, .v6 = v6});
        }
    }
    return lines;
}

// Only new connections, within the container's budget.
Rule& log_new(Rule& rule, const GroupPlace& place, bool v6) {
    return rule.conntrack_has(NFT_CT_STATE, kNew)
            .payload(Layer::network, v6 ? 8 : 12, v6 ? 16 : 4)
            .in_set(allowed_log_set(v6))
            .log(place.log_group, place.id + " allowed ");
}

// What the container called, whatever it was translated to on its way: a rule names a mapped port,
// not the container behind it. A packet of the other family has no such address and goes on.
Rule question(const GroupPlace& place, const Line& line) {
    const Family& family = line.v6 ? kV6 : kV4;
    const unsigned behind = line.v6 ? NFT_REG32_04 : NFT_REG32_01;
    Rule rule;
    rule.conntrack(family.conntrack_destination, IP_CT_DIR_ORIGINAL)
            .meta(NFT_META_L4PROTO, behind)
            .conntrack(NFT_CT_PROTO_DST, IP_CT_DIR_ORIGINAL, behind + 1)
            .in_set((line.log ? logged_set : allowed_set)(place.id, line.v6, line.layer));
    if (line.log) {
        log_new(rule, place, line.v6);
    } else {
        rule.accept();
    }
    return rule;
}

std::span<const std::uint8_t> bytes_of(const Address& address) {
    return {address.bytes.data(), address.length};
}

std::array<std::uint8_t, 2> bytes_of(std::uint16_t port) {
    return {static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port)};
}

Rule matching(const Allowance& one) {
    Rule rule;
    if (one.network) {
        const Family& family = one.network->first.is_v6() ? kV6 : kV4;
        rule.conntrack(family.conntrack_destination, IP_CT_DIR_ORIGINAL)
                .within(bytes_of(one.network->first), bytes_of(one.network->last));
    }
    const Box& box = one.boxes.front();
    if (one.protocol != OutProtocol::all)
        rule.meta(NFT_META_L4PROTO).equals(std::array{box.first_protocol});
    if (one.ports)
        rule.conntrack(NFT_CT_PROTO_DST, IP_CT_DIR_ORIGINAL)
                .within(bytes_of(box.ports.first), bytes_of(box.ports.last));
    if (one.icmp && one.icmp->type)
        rule.payload(Layer::transport, 0, 1).equals(std::array{*one.icmp->type});
    if (one.icmp && one.icmp->code)
        rule.payload(Layer::transport, 1, 1).equals(std::array{*one.icmp->code});
    return rule;
}

// An allowance that is no element: for a log of both families a rule for each, because the budget
// is kept by address.
void put_alone(std::vector<Rule>& rules, const GroupPlace& place, const Allowance& one) {
    for (const Box& box : one.boxes) {
        if (!one.log) break;
        Rule log = matching(one);
        if (!one.network)
            log.meta(NFT_META_NFPROTO).equals(std::array{(box.v6() ? kV6 : kV4).nfproto});
        rules.push_back(std::move(log_new(log, place, box.v6())));
    }
    rules.push_back(std::move(matching(one).counter().accept().comment(text_of(one))));
}

std::vector<Rule> rules_of(const GroupPlace& place, std::span<const Line> lines) {
    std::vector<Rule> rules;
    for (const Line& line : lines) {
        if (line.alone != nullptr) {
            put_alone(rules, place, *line.alone);
        } else {
            rules.push_back(question(place, line));
        }
    }
    return rules;
}

void append(Batch& batch, const GroupPlace& place, std::span<const Line> lines) {
    for (Rule& rule : rules_of(place, lines)) batch.append(egress_chain(place.id), std::move(rule));
}

void prepend(Batch& batch, const GroupPlace& place, std::span<const Line> lines) {
    std::vector<Rule> rules = rules_of(place, lines);
    for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule)
        batch.prepend(egress_chain(place.id), std::move(*rule));
}

// Sets of which so much goes that making them anew, with the rules that name them, is quicker: the
// kernel takes elements out one by one, each time through all that is left (about 25 microseconds
// for each). What stays in them counts anew, so more must go where something stays.
std::set<std::string> renewed(
        const std::map<std::string, std::vector<Element>>& gone, const Elements& before) {
    constexpr std::size_t kWorth = 64, kWorthWhenAllGo = 16;
    std::map<std::string, std::size_t> had;
    for (const auto& entry : before) ++had[entry.first.first];
    std::set<std::string> sets;
    for (const auto& [set, elements] : gone) {
        const std::size_t count = elements.size(), all = had[set];
        if (count >= (count == all ? kWorthWhenAllGo : kWorth) && count * 2 > all) sets.insert(set);
    }
    return sets;
}

bool contains(const std::vector<Set>& sets, const std::string& name) {
    return std::any_of(sets.begin(), sets.end(), [&](const Set& set) { return set.name == name; });
}

}  // namespace

void put_group(Batch& batch, const GroupPlace& place, const Group& group) {
    for (const Set& set : sets_of(place, group)) add_set(batch, set);
    append(batch, place, lines_of(place, group));
    for (const auto& [set, elements] : beyond(elements_of(place, group), {}))
        batch.add_elements(set, elements);
}

bool change_group(Batch& batch, const GroupPlace& place, const Group& before, const Group& after) {
    const auto old_lines = lines_of(place, before), lines = lines_of(place, after);
    const auto old_sets = sets_of(place, before), sets = sets_of(place, after);
    auto old_elements = elements_of(place, before);
    const auto elements = elements_of(place, after);
    const auto gone = beyond(old_elements, elements);
    const auto fresh_sets = renewed(gone, old_elements);
    std::erase_if(old_elements, [&](const auto& entry) {
        return fresh_sets.contains(entry.first.first);
    });
    // Most changes leave the rules as they are, or put some in front.
    const bool kept = fresh_sets.empty() && lines.size() >= old_lines.size() &&
                      std::equal(old_lines.rbegin(), old_lines.rend(), lines.rbegin(), same);
    const auto stays = [&](const std::string& set) {
        return contains(old_sets, set) && contains(sets, set) && !fresh_sets.contains(set);
    };
    if (!kept) batch.flush_chain(egress_chain(place.id));
    for (const auto& [set, some] : gone)
        if (stays(set)) batch.delete_elements(set, some);
    for (const Set& set : old_sets)
        if (!stays(set.name)) batch.delete_set(set.name);
    for (const Set& set : sets)
        if (!stays(set.name)) add_set(batch, set);
    for (const auto& [set, some] : beyond(elements, old_elements)) batch.add_elements(set, some);
    if (kept) {
        prepend(batch, place, std::span(lines).first(lines.size() - old_lines.size()));
    } else {
        append(batch, place, lines);
    }
    return !kept;
}

void remove_group(Batch& batch, const GroupPlace& place, const Group& group) {
    for (const Set& set : sets_of(place, group)) batch.delete_set(set.name);
}

base::Result<GroupHits> read_group(
        Netlink& netfilter, const std::string& table, const std::string& id, const Group& group) {
    GroupHits out;
    out.allowances.resize(group.allowances.size());
    auto rules = TRY(read_rules(netfilter, TableFamily::inet, table, egress_chain(id)));
    std::erase_if(rules, [](const CountedRule& rule) { return !rule.counted; });
    const GroupPlace place{.id = id, .v6 = true};
    std::map<Identity, Hits> counted;
    for (const Set& set : sets_of(place, group)) {
        const auto elements = read_set(netfilter, table, set.name);
        if (!elements && elements.error().kind == base::Errc::not_found) continue;  // no IPv6
        if (!elements) return elements.error();
        for (const auto& [element, hits] : *elements) counted[identity(set.name, element)] = hits;
    }
    auto rule = rules.begin();
    for (std::size_t i = group.allowances.size(); i-- > 0;) {  // the last one is tried first
        const Allowance& one = group.allowances[i];
        if (one.boxes.empty()) continue;
        if (one.layer == 0) {
            if (!one.repeated && rule != rules.end()) out.allowances[i] += (rule++)->hits;
            continue;
        }
        for (const Box& box : one.boxes) {
            const auto found = counted.find(
                    identity(allowed_set(id, box.v6(), one.layer), element_of(box, "")));
            if (found == counted.end()) continue;
            out.allowances[i] += found->second;
            counted.erase(found);  // one that says the same was never asked
        }
    }
    out.others.assign(rule, rules.end());
    return out;
}

}  // namespace garden::net
