// The readable form of a policy: evidence for people and for diffs (SC-10). One line a call, sorted
// by name.
#include "base/fail.hpp"
#include "security/seccomp_policy.hpp"

#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <set>

namespace security {

namespace {

// From the kernel's point of view: what takes precedence among filters also comes first among
// rules.
int permissiveness(std::uint32_t action) {
    constexpr std::array<std::uint32_t, 8> kOrder = {
            SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
            SECCOMP_RET_USER_NOTIF,   SECCOMP_RET_TRACE,       SECCOMP_RET_LOG,  SECCOMP_RET_ALLOW};
    const auto found = std::find(kOrder.begin(), kOrder.end(), action & SECCOMP_RET_ACTION_FULL);
    return static_cast<int>(found - kOrder.begin());
}

std::string condition_text(const Condition& c) {
    auto argument = base::format("arg{}{}", c.argument, c.narrow ? ":32" : "");
    switch (c.compare) {
        case Compare::equal:
            return base::format("{} == {:#x}", argument, c.value);
        case Compare::not_equal:
            return base::format("{} != {:#x}", argument, c.value);
        case Compare::less:
            return base::format("{} < {:#x}", argument, c.value);
        case Compare::less_or_equal:
            return base::format("{} <= {:#x}", argument, c.value);
        case Compare::greater:
            return base::format("{} > {:#x}", argument, c.value);
        case Compare::greater_or_equal:
            return base::format("{} >= {:#x}", argument, c.value);
        case Compare::masked_equal:
            return base::format("({} & {:#x}) == {:#x}", argument, c.mask, c.value);
    }
    return argument;
}

std::string call_text(const Call& call, std::uint32_t otherwise) {
    std::string line = call.name + ":";
    for (const auto& rule : call.rules) {
        line += " " + action_text(rule.action);
        for (std::size_t i = 0; i < rule.conditions.size(); ++i) {
            line += (i == 0 ? " if " : " and ") + condition_text(rule.conditions[i]);
        }
        if (rule.conditions.empty()) return line;
        line += ";";
    }
    return line + " else " + action_text(otherwise);
}

}  // namespace

void order_rules(std::vector<Rule>& rules) {
    std::stable_sort(rules.begin(), rules.end(), [](const Rule& a, const Rule& b) {
        if (a.conditions.empty() != b.conditions.empty()) return b.conditions.empty();
        if (permissiveness(a.action) != permissiveness(b.action))
            return permissiveness(a.action) < permissiveness(b.action);
        return a.conditions < b.conditions;
    });
}

std::string action_text(std::uint32_t action) {
    const std::uint32_t data = action & SECCOMP_RET_DATA;
    switch (action & SECCOMP_RET_ACTION_FULL) {
        case SECCOMP_RET_KILL_PROCESS:
            return "kill_process";
        case SECCOMP_RET_KILL_THREAD:
            return "kill_thread";
        case SECCOMP_RET_TRAP:
            return "trap";
        case SECCOMP_RET_ERRNO:
            return base::format("errno({})", data);
        case SECCOMP_RET_USER_NOTIF:
            return "notify";
        case SECCOMP_RET_TRACE:
            return base::format("trace({})", data);
        case SECCOMP_RET_LOG:
            return "log";
        case SECCOMP_RET_ALLOW:
            return "allow";
        default:
            return base::format("{:#x}", action);
    }
}

std::string list_policy(const Policy& policy) {
    std::string text = base::format(
            "# default {}; newer calls {}; other architectures {}; log {}\n",
            action_text(policy.default_action), action_text(policy.newer_action),
            action_text(policy.foreign_action), policy.log ? "on" : "off");
    for (const auto& note : policy.notes) text += "# " + note + "\n";
    for (const auto& architecture : policy.architectures) {
        text += base::format("[{}] newest {}\n", architecture.name, architecture.newest);
        std::set<std::string>
                lines;  // sorted; the x32 form of a call says the same and is listed once
        for (const auto& [number, call] : architecture.calls)
            lines.insert(call_text(call, policy.default_action));
        for (const auto& line : lines) text += line + "\n";
    }
    return text;
}

}  // namespace security
