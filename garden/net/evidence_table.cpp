#include "garden/net/evidence_table.hpp"

#include <linux/icmp.h>
#include <linux/icmpv6.h>

#include <algorithm>
#include <utility>

namespace garden::net {

namespace {

constexpr unsigned kTypeIp4 = 7, kTypeIp6 = 8;  // nft's numbers of data types
constexpr unsigned kFirstSetId = 100;           // table.cpp counts its own from 1

constexpr std::string_view kPassed = "passed", kSuppressed = "suppressed";
// Budgets apart, so that nobody hides refusals behind connections that are allowed, or behind
// strangers who knock from outside.
constexpr std::array<std::string_view, 3> kBudgets = {"log_out", "log_in", "log_allowed"};

std::string set_name(std::string_view stem, bool v6) {
    return std::string(stem) + (v6 ? "6" : "4");
}

std::string refused_set(Refusal refusal, bool v6) {
    return set_name("refused_" + std::string(word(refusal)), v6);
}

struct CountedSet {
    std::string name;
    SetSpec::Each each = SetSpec::Each::counter;
};

std::vector<CountedSet> sets_of(bool v6) {
    std::vector<CountedSet> sets;
    for (const Refusal refusal : kRefusals) sets.push_back({.name = refused_set(refusal, v6)});
    sets.push_back({.name = set_name(kPassed, v6)});
    sets.push_back({.name = set_name(kSuppressed, v6)});
    for (const auto budget : kBudgets)
        sets.push_back({.name = set_name(budget, v6), .each = SetSpec::Each::limit});
    return sets;
}

Element key_of(const Address& address) {
    return Element{.key = {address.bytes.begin(), address.bytes.begin() + address.length}};
}

// Continues when the container's address is in the set, and runs what the element has. Nobody's
// address runs nothing.
Rule of_container(std::string_view set, bool v6, bool inbound) {
    const std::uint8_t family = v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
    const unsigned source = v6 ? 8 : 12, destination = v6 ? 24 : 16;
    Rule rule;
    rule.meta(NFT_META_NFPROTO)
            .equals(std::array{family})
            .payload(Layer::network, inbound ? destination : source, v6 ? 16 : 4)
            .in_set(set_name(set, v6));
    return rule;
}

// The answer to what is refused; "host prohibited" and "port unreachable" as Garden's.
Rule& refuse(Rule& rule, Refusal refusal, bool v6) {
    switch (refusal) {
        case Refusal::container:
        case Refusal::metadata:
            return rule.reject(NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
        case Refusal::network:
            return rule.reject(NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_PORT_UNREACH);
        case Refusal::host:
            return rule.reject(NFT_REJECT_ICMP_UNREACH, v6 ? ICMPV6_ADM_PROHIBITED : ICMP_HOST_ANO);
        case Refusal::inbound:
        case Refusal::limits:
            return rule.drop();
    }
    return rule.drop();
}

void put_refusal(Batch& batch, Refusal refusal, std::uint16_t log_group) {
    const std::string chain = refusal_chain(refusal);
    const bool inbound = refusal == Refusal::inbound;
    const std::string counters = "refused_" + std::string(word(refusal));
    Rule all;
    batch.append(chain, std::move(all.counter().comment(description(refusal))));
    for (const bool v6 : {false, true}) batch.append(chain, of_container(counters, v6, inbound));
    for (const bool v6 : {false, true}) {
        Rule logged = of_container(kBudgets.at(inbound ? 1 : 0), v6, inbound);
        logged.log(log_group, std::string(word(refusal)) + " ");
        batch.append(chain, std::move(refuse(logged, refusal, v6)));
    }
    for (const bool v6 : {false, true}) batch.append(chain, of_container(kSuppressed, v6, inbound));
    for (const bool v6 : {false, true}) {
        const std::uint8_t family = v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
        Rule last;
        last.meta(NFT_META_NFPROTO).equals(std::array{family});
        batch.append(chain, std::move(refuse(last, refusal, v6)));
    }
}

template <class Each>
void each_set(const Addresses& addresses, Each each) {
    for (const bool v6 : {false, true}) {
        if (v6 && !addresses.v6) continue;
        const std::array elements{key_of(v6 ? *addresses.v6 : addresses.v4)};
        for (const CountedSet& set : sets_of(v6)) each(set.name, elements);
    }
}

}  // namespace

std::string allowed_log_set(bool v6) {
    return set_name(kBudgets[2], v6);
}

void add_refusal_chains(Batch& batch) {
    for (const Refusal refusal : kRefusals) {
        batch.add_chain(refusal_chain(refusal), false);
        batch.flush_chain(refusal_chain(refusal));
    }
}

void put_refusals(Batch& batch, std::uint16_t log_group) {
    unsigned id = kFirstSetId;
    for (const bool v6 : {false, true}) {
        for (const CountedSet& set : sets_of(v6)) {
            batch.add_set(
                    {.name = set.name,
                     .key_type = v6 ? kTypeIp6 : kTypeIp4,
                     .key_length = v6 ? 16U : 4U,
                     .id = id++,
                     .each = set.each});
        }
    }
    for (const Refusal refusal : kRefusals) put_refusal(batch, refusal, log_group);
}

void append_counted_accept(Batch& batch, const std::string& chain) {
    for (const bool v6 : {false, true}) batch.append(chain, of_container(kPassed, v6, false));
    batch.append(chain, std::move(Rule().accept()));
}

void put_evidence(Batch& batch, const Addresses& addresses) {
    // Not exclusive: what a stranger left of an earlier container must not keep the next one out.
    each_set(addresses, [&](const std::string& set, std::span<const Element> elements) {
        batch.add_elements(set, elements, false);
    });
}

void remove_evidence(Batch& batch, const Addresses& addresses) {
    each_set(addresses, [&](const std::string& set, std::span<const Element> elements) {
        batch.delete_elements(set, elements);
    });
}

base::Result<std::vector<SetElement>> find_evidence(
        Netlink& netfilter, const std::string& table, const std::vector<Element>& keys) {
    std::vector<SetElement> found;
    for (const bool v6 : {false, true}) {
        for (const CountedSet& set : sets_of(v6)) {
            auto elements = list_elements(netfilter, TableFamily::inet, table, set.name);
            if (!elements && elements.error().kind == base::Errc::not_found) continue;
            if (!elements) return std::move(elements).error();
            for (Element& element : *elements) {
                const bool ours = std::any_of(keys.begin(), keys.end(), [&](const Element& key) {
                    return key.key == element.key;
                });
                if (ours) found.push_back({.set = set.name, .element = {.key = element.key}});
            }
        }
    }
    return found;
}

base::Result<Tally> read_tally(
        Netlink& netfilter, const std::string& table, const Addresses& addresses) {
    Tally tally;
    for (const bool v6 : {false, true}) {
        if (v6 && !addresses.v6) continue;
        const std::array keys{key_of(v6 ? *addresses.v6 : addresses.v4)};
        const auto add = [&](const std::string& set, Hits& to) -> base::Result<void> {
            const auto read = TRY(read_elements(netfilter, table, set, keys));
            for (const Hits& hits : read) to += hits;
            return base::ok;
        };
        for (std::size_t i = 0; i < kRefusals.size(); ++i)
            TRY(add(refused_set(kRefusals.at(i), v6), tally.refused.at(i)));
        TRY(add(set_name(kPassed, v6), tally.passed));
        TRY(add(set_name(kSuppressed, v6), tally.suppressed));
    }
    return tally;
}

}  // namespace garden::net
