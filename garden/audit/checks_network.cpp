// Section 13: the container's link, its chain, and the policy that all containers share. The rules
// are compared by what they do, not word by word, so that a new log rule is no finding and a new
// allowance is.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"
#include "garden/audit/parse.hpp"
#include "garden/net/names.hpp"

#include <algorithm>
#include <array>

namespace garden::audit {

namespace {

constexpr const char* kNone = "the container has no network";

using Rules = std::vector<const RuleView*>;

Rules of_chain(const std::vector<RuleView>& rules, const std::string& chain) {
    Rules out;
    for (const auto& rule : rules)
        if (rule.chain == chain) out.push_back(&rule);
    return out;
}

bool any(const Rules& rules, std::initializer_list<std::string_view> words) {
    return std::any_of(rules.begin(), rules.end(), [&](const RuleView* rule) {
        return std::all_of(words.begin(), words.end(), [&](auto word) { return rule->has(word); });
    });
}

bool ends_with(const Rules& rules, std::string_view word) {
    return !rules.empty() && rules.back()->has(word);
}

// A rule that decides without looking at anything.
bool bare(const RuleView& rule, std::string_view verdict) {
    return rule.has(verdict) &&
           std::all_of(rule.words.begin(), rule.words.end(), [&](const auto& word) {
               return word == verdict || word == "counter" || word == "log" || word == "limit";
           });
}

// By itself, or by going to a chain that counts, logs and then refuses (NET-07).
bool refuses(const NetworkView& network, const RuleView& rule) {
    constexpr std::string_view kGoto = "goto ";
    return std::any_of(rule.words.begin(), rule.words.end(), [&](const std::string& word) {
        if (word == "reject" || word == "drop") return true;
        if (!word.starts_with(kGoto)) return false;
        const auto chain = of_chain(network.rules, word.substr(kGoto.size()));
        return ends_with(chain, "reject") || ends_with(chain, "drop");
    });
}

bool ends_refusing(const NetworkView& network, const std::string& chain) {
    const auto rules = of_chain(network.rules, chain);
    return !rules.empty() && refuses(network, *rules.back());
}

Verdict spoof(const Expected& expected, const NetworkView& network) {
    const auto ingress = net::ingress_chain(expected.lease->id);
    Offenders offenders;
    const auto own = of_chain(network.device_rules, ingress);
    if (!network.device_chains.contains(ingress)) offenders.add("no chain " + ingress);
    const auto jump = std::find_if(
            own.begin(), own.end(), [](const RuleView* rule) { return bare(*rule, "jump spoof"); });
    if (jump == own.end()) offenders.add(ingress + " does not go to spoof");
    // In front there may be what drops (NET-14), never what lets a frame go elsewhere.
    for (auto rule = own.begin(); rule != jump; ++rule)
        if (!(*rule)->has("drop")) offenders.add(ingress + " decides before spoof");
    if (!ends_with(own, "drop")) offenders.add(ingress + " does not end with drop");
    if (any(own, {"accept"})) offenders.add(ingress + " accepts by itself");
    if (!network.bound_element) offenders.add("the address is not bound to the link");
    const auto shared = of_chain(network.device_rules, "spoof");
    for (const auto* rule : shared) {
        const bool bound = rule->has("lookup bound4") || rule->has("lookup bound6");
        if (rule->has("accept") && !bound) offenders.add("spoof accepts what is not bound");
    }
    if (!any(shared, {"lookup bound4", "accept"})) offenders.add("spoof knows no bound4");
    return offenders.verdict("in place", "spoof, then drop", "nf_tables, family netdev");
}

Verdict isolated(const Expected& expected, const NetworkView& network) {
    Offenders offenders;
    const auto need = [&](const char* chain, std::string_view word) {
        const auto rules = of_chain(network.rules, chain);
        if (rules.empty() || !any(rules, {word}))
            offenders.add(base::format("{}: no {}", chain, word));
        // In front of the jump it would decide for everybody.
        if (any(rules, {"accept"})) offenders.add(base::format("{} accepts by itself", chain));
    };
    need("input", "jump to_host");
    need("forward", "jump from_container");
    need("forward", "jump to_container");
    const auto last = of_chain(network.rules, "default");
    const auto refused = [&](std::string_view word) {
        return std::any_of(last.begin(), last.end(), [&](const RuleView* rule) {
            return rule->has(word) && refuses(network, *rule);
        });
    };
    if (last.empty() || !last.front()->has("meta") || !refuses(network, *last.front()))
        offenders.add("default does not begin by refusing other containers");
    if (!refused("lookup deny4")) offenders.add("default does not refuse denied networks");
    // What belongs to no container never comes so far; the rest is for "default" to decide.
    if (!network.nobody_refused || !ends_refusing(network, "nobody"))
        offenders.add("a source that is no container's is not refused");
    if (!ends_with(of_chain(network.rules, "from_container"), "goto default"))
        offenders.add("from_container does not end with default");
    for (const auto* rule : of_chain(network.rules, "from_container"))
        if (bare(*rule, "accept")) offenders.add("from_container accepts everything");
    for (const std::string chain : {"to_container", "to_host"}) {
        if (chain == "to_host" && expected.allow_host_access) continue;
        if (!ends_refusing(network, chain)) offenders.add(chain + " does not end by refusing");
        for (const auto* rule : of_chain(network.rules, chain))
            if (bare(*rule, "accept")) offenders.add(chain + " accepts everything");
    }
    return offenders.verdict("in place", "deny by default", "nf_tables, family inet");
}

Verdict metadata(const NetworkView& network) {
    Offenders offenders;
    const auto rules = of_chain(network.rules, "from_container");
    const auto place = [&](std::string_view word) {
        return std::find_if(
                rules.begin(), rules.end(), [&](const RuleView* rule) { return rule->has(word); });
    };
    for (const auto& [set, map] :
         {std::pair{"lookup metadata4", "lookup egress4"},
          {"lookup metadata6", "lookup egress6"}}) {
        const auto refused = place(set);
        if (refused == rules.end() || !refuses(network, **refused)) {
            offenders.add(base::format("{}: not refused", set));
        } else if (refused > place(map)) {
            offenders.add(base::format("{}: only after the container's own rules", set));
        }
    }
    return offenders.verdict("refused first", "refused before egress", "nf_tables from_container");
}

bool asks_own_set(const RuleView& rule, const std::string& lease_id) {
    constexpr std::string_view kLookup = "lookup ";
    return std::any_of(rule.words.begin(), rule.words.end(), [&](const std::string& word) {
        return word.starts_with(kLookup) && net::id_of_set(word.substr(kLookup.size())) == lease_id;
    });
}

bool leads_away(const RuleView& rule) {
    return std::any_of(rule.words.begin(), rule.words.end(), [](const std::string& word) {
        return word.starts_with("goto ") || word.starts_with("jump ");
    });
}

Verdict own_chain(const Expected& expected, const NetworkView& network) {
    const auto chain = net::egress_chain(expected.lease->id);
    const auto rules = of_chain(network.rules, chain);
    // Its allowances are elements of its own sets, and rules where no element says it.
    const auto by_rule = [&](const RuleView* rule) {
        return rule->has("accept") && !asks_own_set(*rule, expected.lease->id);
    };
    const auto accepting = network.allowances + static_cast<std::uint64_t>(std::count_if(
                                                        rules.begin(), rules.end(), by_rule));
    const auto allowed = expected.out_rules + (expected.shared_subnets ? 1 : 0);
    Offenders offenders;
    if (!network.chains.contains(chain)) offenders.add("no chain " + chain);
    if (!network.egress_element) offenders.add("its address does not lead to its chain");
    // Whatever leads elsewhere than to an accept would go around "default".
    for (const auto* rule : rules)
        if (leads_away(*rule)) offenders.add(chain + " leads to somewhere else");
    if (accepting > allowed)
        offenders.add(
                base::format("{} rules allow something, {} were asked for", accepting, allowed));
    return offenders.verdict(
            base::format("{} allowances", accepting),
            base::format("at most {} allowances", allowed), "nf_tables " + chain);
}

Verdict settings(const NetworkView& network) {
    constexpr std::array<std::pair<const char*, const char*>, 7> kWanted = {
            {{"ipv4/accept_redirects", "0"},
             {"ipv4/send_redirects", "0"},
             {"ipv4/proxy_arp", "0"},
             {"ipv4/route_localnet", "0"},
             {"ipv4/accept_local", "0"},
             {"ipv6/accept_ra", "0"},
             {"ipv6/accept_redirects", "0"}}};
    Offenders offenders;
    for (const auto& [name, value] : kWanted) {
        const auto found = network.sysctls.find(name);
        if (found == network.sysctls.end()) continue;  // a kernel without IPv6
        if (found->second != value) offenders.add(base::format("{} is {}", name, found->second));
    }
    return offenders.verdict("strict", "0 each", "/proc/sys/net/*/conf of the host's end");
}

Verdict no_ipv6(const Inside& inside) {
    const auto found = inside.texts.find("/proc/sys/net/ipv6/conf/all/disable_ipv6");
    const bool absent = found == inside.texts.end() || found->second.error == ENOENT;
    const std::string seen = absent ? "no IPv6" : std::string(trimmed(found->second.detail));
    return {.ok = absent || seen == "1",
            .observed = seen,
            .expected = "1",
            .source = "inside: net.ipv6.conf.all.disable_ipv6"};
}

Verdict interfaces(const Expected& expected, const Inside& inside) {
    std::set<std::string> wanted{"lo"};
    if (expected.lease) wanted.insert(expected.lease->container_interface);
    Offenders offenders;
    for (const auto& link : inside.links)
        if (!wanted.contains(link)) offenders.add(link);
    std::string text;
    for (const auto& name : wanted) text += (text.empty() ? "" : " ") + name;
    return offenders.verdict(text, text, "inside: /sys/class/net");
}

}  // namespace

void check_network(const Evidence& evidence, Judge& judge) {
    const auto& expected = evidence.expected;
    const auto& outside = evidence.outside;
    if (expected.network_plugin) {
        judge.skip("NET-09/interfaces", "a plugin makes the network");
    } else if (expected.unprivileged()) {
        when_inside(evidence, "NET-09/interfaces", judge, [&](const Inside& inside) {
            return interfaces(expected, inside);
        });
    } else {
        judge.skip("NET-09/interfaces", "this class may make interfaces in its own namespace");
    }
    if (expected.lease && !expected.lease->container_ip6.empty()) {
        judge.skip("NET-08/ipv6", "IPv6 was asked for");
    } else {
        when_inside(evidence, "NET-08/ipv6", judge, no_ipv6);
    }
    if (!expected.lease) {
        for (const char* id :
             {"NET-01/link", "NET-02/spoof", "NET-03/settings", "NET-04/default", "NET-05/metadata",
              "NET-06/rules"})
            judge.skip(id, kNone);
        return;
    }
    const auto see = [&](const char* id, auto look) {
        if (!outside.network && !outside.problems.contains("network"))
            return judge.broken(id, "the network was not looked at");
        when_seen(outside, "network", id, judge, [&] { return look(*outside.network); });
    };
    see("NET-01/link", [&](const NetworkView& network) {
        const auto& name = expected.lease->host_interface;
        return Verdict{
                .ok = network.host_link,
                .observed = network.host_link ? name : "no interface " + name,
                .expected = name,
                .source = "rtnetlink"};
    });
    see("NET-02/spoof", [&](const NetworkView& network) { return spoof(expected, network); });
    see("NET-03/settings", settings);
    see("NET-04/default", [&](const NetworkView& network) { return isolated(expected, network); });
    see("NET-05/metadata", metadata);
    see("NET-06/rules", [&](const NetworkView& network) { return own_chain(expected, network); });
}

}  // namespace garden::audit
