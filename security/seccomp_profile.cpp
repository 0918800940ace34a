// OCI profile to policy: which entries apply here, what their names are numbers of, and what
// contradicts (SC-09).
#include "base/fail.hpp"
#include "base/sys/self.hpp"
#include "security/capabilities.hpp"
#include "security/oci_profile.hpp"
#include "security/seccomp.hpp"
#include "security/seccomp_policy.hpp"

#include <errno.h>

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <set>

#include <seccomp.h>

namespace security {

namespace {

constexpr std::size_t kMaxCallRules =
        1024;  // more could not fit the kernel's limit of instructions
constexpr std::size_t kMaxNotes = 256;
constexpr std::uint32_t kNoSuchCall = SECCOMP_RET_ERRNO | ENOSYS;

struct KnownArchitecture {
    std::string_view scmp;
    std::string_view go;  // as in includes.arches
    std::uint32_t token = 0;
};

constexpr std::array<KnownArchitecture, 12> kArchitectures = {{
        {"SCMP_ARCH_X86_64", "amd64", SCMP_ARCH_X86_64},
        {"SCMP_ARCH_X86", "x86", SCMP_ARCH_X86},
        {"SCMP_ARCH_X32", "x32", SCMP_ARCH_X32},
        {"SCMP_ARCH_AARCH64", "arm64", SCMP_ARCH_AARCH64},
        {"SCMP_ARCH_ARM", "arm", SCMP_ARCH_ARM},
        {"SCMP_ARCH_MIPS64", "mips64", SCMP_ARCH_MIPS64},
        {"SCMP_ARCH_MIPSEL64", "mips64le", SCMP_ARCH_MIPSEL64},
        {"SCMP_ARCH_PPC64", "ppc64", SCMP_ARCH_PPC64},
        {"SCMP_ARCH_PPC64LE", "ppc64le", SCMP_ARCH_PPC64LE},
        {"SCMP_ARCH_S390", "s390", SCMP_ARCH_S390},
        {"SCMP_ARCH_S390X", "s390x", SCMP_ARCH_S390X},
        {"SCMP_ARCH_RISCV64", "riscv64", SCMP_ARCH_RISCV64},
}};
// Known to the format, foreign to every machine we run on: named in profiles that list all there
// are.
constexpr std::array<std::string_view, 5> kOtherArchitectures = {
        "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL64N32",
        "SCMP_ARCH_LOONGARCH64"};
constexpr std::array<std::string_view, 4> kFlags = {
        "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};

bool is_permissive(std::uint32_t action) {
    const std::uint32_t kind = action & SECCOMP_RET_ACTION_FULL;
    return kind == SECCOMP_RET_ALLOW || kind == SECCOMP_RET_LOG || kind == SECCOMP_RET_TRACE;
}

bool is_notify(std::uint32_t action) {
    return (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF;
}

bool lists_native(const std::vector<std::string>& arches) {
    const auto native = std::find_if(
            kArchitectures.begin(), kArchitectures.end(),
            [](const auto& known) { return known.token == native_architecture(); });
    return native != kArchitectures.end() &&
           std::find(arches.begin(), arches.end(), native->go) != arches.end();
}

bool at_least(const ProfileContext& context, const OciKernel& kernel) {
    return std::pair(context.kernel_major, context.kernel_minor) >=
           std::pair(kernel.major, kernel.minor);
}

// Included when everything of `includes` holds and nothing of `excludes` does.
base::Result<bool> applies(const OciEntry& entry, const ProfileContext& context) {
    const auto included =
            TRY(parse_capabilities(entry.includes.caps).context(entry.path + ".includes.caps"));
    if ((included & ~context.capabilities) != 0) return false;
    if (!entry.includes.arches.empty() && !lists_native(entry.includes.arches)) return false;
    if (entry.includes.min_kernel && !at_least(context, *entry.includes.min_kernel)) return false;
    const auto excluded =
            TRY(parse_capabilities(entry.excludes.caps).context(entry.path + ".excludes.caps"));
    if ((excluded & context.capabilities) != 0) return false;
    if (lists_native(entry.excludes.arches)) return false;
    return !(entry.excludes.min_kernel && at_least(context, *entry.excludes.min_kernel));
}

// Conditions on one argument twice are alternatives, as in the engines that made the format common;
// else all must hold.
base::Result<std::vector<Rule>> rules_of(const OciEntry& entry, const std::string& name) {
    const std::uint32_t narrow = narrow_arguments(name);
    std::vector<Condition> conditions = entry.args;
    std::set<std::uint32_t> arguments;
    for (auto& condition : conditions) {
        arguments.insert(condition.argument);
        condition.narrow = ((narrow >> condition.argument) & 1U) != 0;
        if (!condition.narrow) continue;
        constexpr std::uint64_t kLow = 0xffffffff;
        const bool masked = condition.compare == Compare::masked_equal;
        if (condition.value > kLow || (masked && condition.mask > kLow)) {  // SC-06
            return base::fail(
                    base::Errc::invalid,
                    "{}.args: argument {} of {} has 32 bits, {:#x} does not fit", entry.path,
                    condition.argument, name, masked ? condition.mask : condition.value);
        }
    }
    std::vector<Rule> rules;
    if (arguments.size() < conditions.size()) {
        for (const auto& condition : conditions)
            rules.push_back({.conditions = {condition}, .action = entry.action});
        return rules;
    }
    std::sort(conditions.begin(), conditions.end());
    rules.push_back({.conditions = std::move(conditions), .action = entry.action});
    return rules;
}

class Translation {
  public:
    Translation(const OciProfile& profile, const ProfileContext& context)
        : profile_(profile), context_(context) {}

    base::Result<Policy> run();

  private:
    base::Result<void> add_architectures();
    base::Result<void> add_flags();
    base::Result<void> add_entry(const OciEntry& entry);
    base::Result<void> add_call(const OciEntry& entry, const std::string& name);
    base::Result<void> add_rule(Call& call, const Rule& rule, const OciEntry& entry);
    void refuse_hidden_flags();

    const OciProfile& profile_;
    const ProfileContext& context_;
    Policy policy_;
    std::vector<std::uint32_t>
            tokens_;  // libseccomp's, one more than policy_.architectures with x32
    std::size_t rules_ = 0;
    bool notifies_ = false;
};

base::Result<void> Translation::add_architectures() {
    tokens_ = {native_architecture()};
    for (const auto& name : profile_.architectures) {
        const auto known = std::find_if(
                kArchitectures.begin(), kArchitectures.end(),
                [&](const auto& entry) { return entry.scmp == name; });
        if (known == kArchitectures.end()) {
            if (std::find(kOtherArchitectures.begin(), kOtherArchitectures.end(), name) !=
                kOtherArchitectures.end())
                continue;
            return base::fail(base::Errc::invalid, "architectures: unknown architecture {}", name);
        }
        // Only what this machine can run; a profile often lists every machine.
        const bool runs_here = native_architecture() == SCMP_ARCH_X86_64 &&
                               (known->token == SCMP_ARCH_X86 || known->token == SCMP_ARCH_X32);
        if (runs_here && std::find(tokens_.begin(), tokens_.end(), known->token) == tokens_.end()) {
            tokens_.push_back(known->token);
        }
    }
    for (const auto token : tokens_) {
        if (token == SCMP_ARCH_X32) {
            policy_.architectures[0].x32 = true;
            continue;
        }
        const std::string name = token == SCMP_ARCH_X86_64 ? "x86_64"
                                 : token == SCMP_ARCH_X86  ? "x86"
                                                           : "native";
        policy_.architectures.push_back({.name = name, .audit = token});
    }
    return base::ok;
}

base::Result<void> Translation::add_flags() {
    policy_.log = context_.log;
    for (const auto& flag : profile_.flags) {
        if (std::find(kFlags.begin(), kFlags.end(), flag) == kFlags.end()) {
            return base::fail(base::Errc::invalid, "flags: unknown flag {}", flag);
        }
        if (flag == "SECCOMP_FILTER_FLAG_LOG") policy_.log = true;
        // The filter is loaded by a single thread, with mitigations left on; the rest changes
        // nothing.
        else
            policy_.notes.push_back(flag + " accepted, not needed");
    }
    return base::ok;
}

base::Result<void> Translation::add_rule(Call& call, const Rule& rule, const OciEntry& entry) {
    for (const auto& other : call.rules) {
        if (other.conditions != rule.conditions) continue;
        if (other.action == rule.action) return base::ok;
        return base::fail(
                base::Errc::invalid,
                "{}: {} gets {} here and {} in an earlier entry under the same condition",
                entry.path, call.name, action_text(rule.action), action_text(other.action));
    }
    if (++rules_ > kMaxProfileRules || call.rules.size() >= kMaxCallRules) {
        return base::fail(
                base::Errc::exhausted, "{}: more than {} rules, or {} of {}", entry.path,
                kMaxProfileRules, kMaxCallRules, call.name);
    }
    call.rules.push_back(rule);
    return base::ok;
}

base::Result<void> Translation::add_call(const OciEntry& entry, const std::string& name) {
    const auto rules = TRY(rules_of(entry, name));
    for (const auto token : tokens_) {
        const auto resolved = resolve_call(token, name);
        if (!resolved.known) {
            if (context_.ignore_unknown) {
                if (policy_.notes.size() < kMaxNotes)
                    policy_.notes.push_back("ignored unknown call " + name);
                return base::ok;
            }
            return base::fail(
                    base::Errc::invalid, "{}.names: unknown system call {}", entry.path, name);
        }
        if (!resolved.number) continue;
        auto& architecture =
                policy_.architectures
                        [token == SCMP_ARCH_X86 ? policy_.architectures.size() - 1 : 0];
        auto& call = architecture.calls[*resolved.number];
        call.name = name;
        for (const auto& rule : rules) TRY(add_rule(call, rule, entry));
        architecture.newest = std::max(architecture.newest, *resolved.number & ~kX32Bit);
    }
    return base::ok;
}

base::Result<void> Translation::add_entry(const OciEntry& entry) {
    if (!TRY(applies(entry, context_))) return base::ok;
    for (const auto& name : entry.names) {
        if (is_notify(entry.action)) {
            notifies_ = true;
            // The answer to a notification is written: nobody could give it.
            if (name == "write")
                return base::fail(
                        base::Errc::invalid, "{}: write cannot be SCMP_ACT_NOTIFY", entry.path);
        }
        TRY(add_call(entry, name));
    }
    return base::ok;
}

// Calls whose arguments no filter can see void the rules of the calls that they stand for.
void Translation::refuse_hidden_flags() {
    for (auto& architecture : policy_.architectures) {
        bool filtered_socket = false;
        bool names_clone3 = false;
        for (const auto& [number, call] : architecture.calls) {
            if (call.name == "socket")
                filtered_socket = !call.rules.empty() && !call.rules.front().conditions.empty();
            if (call.name == "clone3") names_clone3 = true;
        }
        const auto refuse = [&](std::uint32_t token, const char* name) {
            const auto resolved = resolve_call(token, name);
            if (resolved.number) {
                architecture.calls[*resolved.number] = {
                        .name = name, .rules = {{.conditions = {}, .action = kNoSuchCall}}};
            }
        };
        // SC-02: the address family of socketcall lies in memory.
        if (architecture.audit == SCMP_ARCH_X86 && filtered_socket)
            refuse(SCMP_ARCH_X86, "socketcall");
        // SC-04: C libraries go back to clone on ENOSYS only. A profile that names clone3 has
        // thought about it.
        if (!names_clone3 && !is_permissive(policy_.default_action))
            refuse(architecture.audit, "clone3");
    }
}

base::Result<Policy> Translation::run() {
    if (is_notify(profile_.default_action)) {
        return base::fail(
                base::Errc::invalid, "defaultAction: SCMP_ACT_NOTIFY cannot be the default");
    }
    policy_.default_action = profile_.default_action;
    policy_.newer_action = is_permissive(profile_.default_action) ? profile_.default_action
                                                                  : kNoSuchCall;  // SC-03
    policy_.foreign_action = kNoSuchCall;                                         // SC-02
    policy_.listener_path = profile_.listener_path;
    policy_.listener_metadata = profile_.listener_metadata;
    TRY(add_architectures());
    TRY(add_flags());
    for (const auto& entry : profile_.entries) TRY(add_entry(entry));
    if (notifies_ && profile_.listener_path.empty()) {
        return base::fail(
                base::Errc::invalid, "listenerPath: is missing although a rule is SCMP_ACT_NOTIFY");
    }
    for (auto& architecture : policy_.architectures) {
        for (auto& [number, call] : architecture.calls) order_rules(call.rules);
    }
    refuse_hidden_flags();
    return std::move(policy_);
}

}  // namespace

base::Result<Filter> compile_profile(std::string_view json, const ProfileContext& context) {
    ProfileContext known = context;
    if (known.kernel_major == 0) {
        const auto kernel = TRY(base::sys::kernel_version());
        known.kernel_major = kernel.major;
        known.kernel_minor = kernel.minor;
    }
    const auto profile = TRY(parse_oci_profile(json).context("seccomp profile"));
    const auto policy = TRY(Translation(profile, known).run().context("seccomp profile"));
    return compile(policy).context("seccomp profile");
}

}  // namespace security
