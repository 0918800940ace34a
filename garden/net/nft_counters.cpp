#include "garden/net/nft_counters.hpp"

#include "base/fail.hpp"
#include "garden/net/nft_message.hpp"

#include <memory>
#include <string_view>

extern "C" {
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
}

namespace garden::net {

namespace {

struct FreeRule {
    void operator()(nftnl_rule* rule) const { nftnl_rule_free(rule); }
};

struct FreeSet {
    void operator()(nftnl_set* set) const { nftnl_set_free(set); }
};

using OwnedRule = std::unique_ptr<nftnl_rule, FreeRule>;
using OwnedSet = std::unique_ptr<nftnl_set, FreeSet>;

std::string_view name_of(const nftnl_expr* expression) {
    const char* name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
    return name != nullptr ? name : "";
}

Hits hits_of(const nftnl_expr* counter) {
    return {.packets = nftnl_expr_get_u64(counter, NFTNL_EXPR_CTR_PACKETS),
            .bytes = nftnl_expr_get_u64(counter, NFTNL_EXPR_CTR_BYTES)};
}

Hits hits_of(nftnl_set_elem* element) {
    std::uint32_t length = 0;
    const auto* counter = nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_EXPR)
                                  ? static_cast<const nftnl_expr*>(nftnl_set_elem_get(
                                            element, NFTNL_SET_ELEM_EXPR, &length))
                                  : nullptr;
    const bool counts = counter != nullptr && name_of(counter) == "counter";
    return counts ? hits_of(counter) : Hits{};
}

std::vector<std::uint8_t> bytes_of(nftnl_set_elem* element, std::uint16_t attribute) {
    std::uint32_t length = 0;
    const auto* data = nftnl_set_elem_is_set(element, attribute)
                               ? static_cast<const std::uint8_t*>(
                                         nftnl_set_elem_get(element, attribute, &length))
                               : nullptr;
    return data == nullptr ? std::vector<std::uint8_t>() : std::vector(data, data + length);
}

int take_comment(const nftnl_udata* attribute, void* data) {
    if (nftnl_udata_type(attribute) != NFTNL_UDATA_RULE_COMMENT) return 0;
    const auto* text = static_cast<const char*>(nftnl_udata_get(attribute));
    const std::string_view whole(text, nftnl_udata_len(attribute));
    *static_cast<std::string*>(data) = std::string(whole.substr(0, whole.find('\0')));
    return 0;
}

CountedRule counted_rule(const nftnl_rule* rule) {
    CountedRule out;
    std::uint32_t length = 0;
    const void* notes = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &length);
    // Somebody else may have put a rule into our chain, with any bytes: nftnl checks the lengths.
    if (notes != nullptr) (void)nftnl_udata_parse(notes, length, take_comment, &out.comment);
    nftnl_expr_iter* at = nftnl_expr_iter_create(rule);
    if (at == nullptr) base::panic("out of memory");
    while (const nftnl_expr* expression = nftnl_expr_iter_next(at)) {
        const auto name = name_of(expression);
        if (name == "log") out.logs = true;
        if (name != "counter") continue;
        out.counted = true;
        out.hits += hits_of(expression);
    }
    nftnl_expr_iter_destroy(at);
    return out;
}

// A dump of one chain's rules, or of all of the table when `chain` is "".
Messages rules_request(TableFamily family, const std::string& table, const std::string& chain) {
    Messages request;
    request.add(
            "list rules", message_type(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE), NLM_F_DUMP,
            [&](nlmsghdr* header) {
                put_family(header, static_cast<unsigned>(family), 0);
                mnl_attr_put_strz(header, NFTA_RULE_TABLE, table.c_str());
                if (!chain.empty()) mnl_attr_put_strz(header, NFTA_RULE_CHAIN, chain.c_str());
            });
    return request;
}

template <class Each>
base::Result<void> dump_rules(
        Netlink& netfilter,
        const Messages& request,
        const std::function<void()>& again,
        Each each) {
    return netfilter.dump(request, again, [&](const nlmsghdr* header) {
        const OwnedRule rule(nftnl_rule_alloc());
        if (!rule) base::panic("out of memory");
        if (nftnl_rule_nlmsg_parse(header, rule.get()) >= 0) each(rule.get());
    });
}

}  // namespace

base::Result<std::vector<CountedRule>> read_rules(
        Netlink& netfilter,
        TableFamily family,
        const std::string& table,
        const std::string& chain) {
    std::vector<CountedRule> rules;
    TRY(dump_rules(
            netfilter, rules_request(family, table, chain), [&] { rules.clear(); },
            [&](const nftnl_rule* rule) { rules.push_back(counted_rule(rule)); }));
    return rules;
}

base::Result<std::map<std::string, std::size_t>> count_rules(
        Netlink& netfilter, TableFamily family, const std::string& table) {
    std::map<std::string, std::size_t> counts;
    TRY(dump_rules(
            netfilter, rules_request(family, table, ""), [&] { counts.clear(); },
            [&](const nftnl_rule* rule) {
                // Kernels of old take no notice of the table in the request.
                const char* owner = nftnl_rule_get_str(rule, NFTNL_RULE_TABLE);
                const char* chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
                if (owner != nullptr && chain != nullptr && table == owner) ++counts[chain];
            }));
    return counts;
}

base::Result<std::vector<Hits>> read_elements(
        Netlink& netfilter,
        const std::string& table,
        const std::string& set,
        std::span<const Element> keys) {
    const OwnedSet wanted(nftnl_set_alloc());
    if (!wanted) base::panic("out of memory");
    nftnl_set_set_str(wanted.get(), NFTNL_SET_TABLE, table.c_str());
    nftnl_set_set_str(wanted.get(), NFTNL_SET_NAME, set.c_str());
    for (const Element& key : keys) {
        nftnl_set_elem* element = nftnl_set_elem_alloc();
        if (element == nullptr) base::panic("out of memory");
        nftnl_set_elem_set(
                element, NFTNL_SET_ELEM_KEY, key.key.data(),
                static_cast<std::uint32_t>(key.key.size()));
        nftnl_set_elem_add(wanted.get(), element);
    }
    Messages request;
    // Not a dump: the kernel looks the keys up and then acknowledges.
    request.add(
            "read set elements", message_type(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM), NLM_F_ACK,
            [&](nlmsghdr* header) {
                put_family(header, static_cast<unsigned>(TableFamily::inet), 0);
                nftnl_set_elems_nlmsg_build_payload(header, wanted.get());
            });
    std::vector<Hits> hits;
    const auto each = [&](const nlmsghdr* header) {
        const OwnedSet set_read(nftnl_set_alloc());
        if (!set_read || nftnl_set_elems_nlmsg_parse(header, set_read.get()) < 0) return;
        nftnl_set_elems_iter* at = nftnl_set_elems_iter_create(set_read.get());
        if (at == nullptr) base::panic("out of memory");
        while (nftnl_set_elem* element = nftnl_set_elems_iter_next(at))
            hits.push_back(hits_of(element));
        nftnl_set_elems_iter_destroy(at);
    };
    TRY(netfilter.dump(
            request, [&] { hits.clear(); }, each));
    return hits;
}

base::Result<std::vector<std::pair<Element, Hits>>> read_set(
        Netlink& netfilter, const std::string& table, const std::string& set) {
    Messages request;
    request.add(
            "list set elements", message_type(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM), NLM_F_DUMP,
            [&](nlmsghdr* header) {
                put_family(header, static_cast<unsigned>(TableFamily::inet), 0);
                mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, table.c_str());
                mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, set.c_str());
            });
    std::vector<std::pair<Element, Hits>> all;
    const auto each = [&](const nlmsghdr* header) {
        const OwnedSet read(nftnl_set_alloc());
        if (!read || nftnl_set_elems_nlmsg_parse(header, read.get()) < 0) return;
        nftnl_set_elems_iter* at = nftnl_set_elems_iter_create(read.get());
        if (at == nullptr) base::panic("out of memory");
        while (nftnl_set_elem* element = nftnl_set_elems_iter_next(at)) {
            all.emplace_back(
                    Element{.key = bytes_of(element, NFTNL_SET_ELEM_KEY),
                            .last = bytes_of(element, NFTNL_SET_ELEM_KEY_END)},
                    hits_of(element));
        }
        nftnl_set_elems_iter_destroy(at);
    };
    TRY(netfilter.dump(
            request, [&] { all.clear(); }, each));
    return all;
}

}  // namespace garden::net
