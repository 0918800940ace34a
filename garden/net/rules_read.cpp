#include "garden/net/rules_read.hpp"

#include "base/fail.hpp"

#include <linux/netfilter/nfnetlink.h>

extern "C" {
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
}

#include <memory>

namespace garden::net {

namespace {

struct Free {
    void operator()(nftnl_rule* rule) const { nftnl_rule_free(rule); }
};

// libnftnl's numbers of verdicts are the kernel's, as the u32 that they travel in.
std::string verdict_of(nftnl_expr* expression) {
    const auto verdict =
            static_cast<std::int32_t>(nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT));
    const char* chain = nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_CHAIN)
                                ? nftnl_expr_get_str(expression, NFTNL_EXPR_IMM_CHAIN)
                                : "";
    if (verdict == NFT_JUMP) return std::string("jump ") + chain;
    if (verdict == NFT_GOTO) return std::string("goto ") + chain;
    if (verdict == NFT_RETURN) return "return";
    if (verdict == NF_ACCEPT) return "accept";
    if (verdict == NF_DROP) return "drop";
    return "verdict " + std::to_string(verdict);
}

std::string word_of(nftnl_expr* expression) {
    const char* name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
    const std::string word = name == nullptr ? "" : name;
    if (word == "lookup") {
        const char* set = nftnl_expr_get_str(expression, NFTNL_EXPR_LOOKUP_SET);
        return "lookup " + std::string(set == nullptr ? "" : set);
    }
    if (word == "immediate" && nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_VERDICT))
        return verdict_of(expression);
    return word == "masq" ? "masquerade" : word;
}

int add_word(nftnl_expr* expression, void* words) {
    static_cast<std::vector<std::string>*>(words)->push_back(word_of(expression));
    return 0;
}

}  // namespace

base::Result<std::vector<RuleWords>> list_rules(
        Netlink& netfilter,
        TableFamily family,
        const std::string& table,
        const std::string& chain) {
    Messages request;
    constexpr unsigned kType = (unsigned{NFNL_SUBSYS_NFTABLES} << 8U) | NFT_MSG_GETRULE;
    request.add("list rules", kType, NLM_F_DUMP, [&](nlmsghdr* header) {
        auto* generic =
                static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
        generic->nfgen_family = static_cast<std::uint8_t>(family);
        generic->version = NFNETLINK_V0;
        mnl_attr_put_strz(header, NFTA_RULE_TABLE, table.c_str());
        if (!chain.empty()) mnl_attr_put_strz(header, NFTA_RULE_CHAIN, chain.c_str());
    });
    std::vector<RuleWords> rules;
    bool too_many = false;
    TRY(netfilter.dump(
            request, [&] { rules.clear(); },
            [&](const nlmsghdr* header) {
                const std::unique_ptr<nftnl_rule, Free> rule(nftnl_rule_alloc());
                if (!rule || nftnl_rule_nlmsg_parse(header, rule.get()) < 0) return;
                // An older kernel knows no filter of dumps and answers with every table.
                const char* owner = nftnl_rule_get_str(rule.get(), NFTNL_RULE_TABLE);
                const char* name = nftnl_rule_get_str(rule.get(), NFTNL_RULE_CHAIN);
                if (owner == nullptr || name == nullptr || table != owner) return;
                if (!chain.empty() && chain != name) return;
                if (rules.size() >= kMaxRulesRead) {
                    too_many = true;
                    return;
                }
                RuleWords words{.chain = name, .words = {}};
                (void)nftnl_expr_foreach(rule.get(), add_word, &words.words);
                rules.push_back(std::move(words));
            }));
    if (too_many)
        return base::fail(
                base::Errc::exhausted, "list rules of {}: more than {}", table, kMaxRulesRead);
    return rules;
}

}  // namespace garden::net
