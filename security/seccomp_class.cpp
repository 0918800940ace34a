// The filters of the container classes: the allow-list of 6.2-6.4 and the thin deny-list of 6.6.
#include "base/fail.hpp"
#include "security/seccomp.hpp"
#include "security/seccomp_lists.hpp"
#include "security/seccomp_policy.hpp"

#include <errno.h>

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <array>

#include <seccomp.h>

namespace security {

namespace {

constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW;

constexpr std::uint32_t answer(int error) {
    return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

// Flags of clone that make a namespace: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
constexpr std::uint64_t kNamespaceFlags = 0x7E020000;
constexpr std::array<std::uint64_t, 2> kTerminalInjection = {0x5412, 0x541C};  // TIOCSTI, TIOCLINUX
constexpr std::array<std::uint64_t, 2> kHostFamilies = {38, 40};               // AF_ALG, AF_VSOCK
constexpr std::array<std::uint64_t, 5> kFamilies = {
        1, 2, 10, 16, 17};  // UNIX, INET, INET6, NETLINK, PACKET
constexpr std::array<std::uint64_t, 5> kPersonalities = {0, 0x8, 0x20000, 0x20008, 0xffffffff};

Rule when(std::uint32_t argument, std::uint64_t value, std::uint32_t action) {
    return {.conditions =
                    {{.argument = argument,
                      .compare = Compare::equal,
                      .value = value,
                      .narrow = true}},  // SC-06
            .action = action};
}

Rule always(std::uint32_t action) {
    return {.conditions = {}, .action = action};
}

class Builder {
  public:
    explicit Builder(std::uint32_t default_action) {
        policy_.default_action = default_action;
        policy_.newer_action = answer(ENOSYS);    // SC-03
        policy_.foreign_action = answer(ENOSYS);  // SC-02
        const std::uint32_t native = native_architecture();
        // The token of libseccomp is the kernel's word for all architectures but x32.
        policy_.architectures.push_back(
                {.name = native == SCMP_ARCH_X86_64 ? "x86_64" : "native", .audit = native});
    }

    void set(const std::string& name, std::vector<Rule> rules) {
        const auto resolved = resolve_call(native_architecture(), name);
        if (!resolved.known) base::panic("no such system call in our table: " + name);
        if (!resolved.number) return;  // older architectures have calls that this one never had
        policy_.architectures[0].calls[*resolved.number] = {
                .name = name, .rules = std::move(rules)};
    }

    void set_all(const std::vector<std::string>& names, std::uint32_t action) {
        for (const auto& name : names) set(name, {always(action)});
    }

    Policy& policy() { return policy_; }

  private:
    Policy policy_;
};

void refuse_terminal_injection(Builder& builder) {
    std::vector<Rule> rules;
    for (const auto command : kTerminalInjection) rules.push_back(when(1, command, answer(EPERM)));
    rules.push_back(always(kAllow));
    builder.set("ioctl", std::move(rules));
}

base::Result<Filter> allow_list() {
    Builder builder(answer(EPERM));                  // SC-01, SC-05
    builder.set_all(denied_calls(), answer(EPERM));  // the default; by name for the listing
    builder.set_all(allowed_calls(), kAllow);
    builder.set("clone3", {always(answer(ENOSYS))});  // SC-04
    builder.set(
            "clone", {{.conditions =
                               {{.argument = 0,
                                 .compare = Compare::masked_equal,
                                 .value = 0,
                                 .mask = kNamespaceFlags,
                                 .narrow = true}},
                       .action = kAllow}});
    std::vector<Rule> personality;
    for (const auto value : kPersonalities) personality.push_back(when(0, value, kAllow));
    builder.set("personality", std::move(personality));
    for (const auto* name : {"socket", "socketpair"}) {
        std::vector<Rule> rules;
        for (const auto family : kFamilies) rules.push_back(when(0, family, kAllow));
        for (const auto family : kHostFamilies) rules.push_back(when(0, family, answer(EPERM)));
        rules.push_back(always(answer(EAFNOSUPPORT)));
        builder.set(name, std::move(rules));
    }
    refuse_terminal_injection(builder);
    builder.policy().log = true;  // SC-08
    return compile(builder.policy());
}

base::Result<Filter> deny_list() {
    Builder builder(kAllow);
    builder.set_all(privileged_denied_calls(), answer(EPERM));
    std::vector<Rule> socket;
    for (const auto family : kHostFamilies) socket.push_back(when(0, family, answer(EPERM)));
    socket.push_back(always(kAllow));
    builder.set("socket", std::move(socket));
    refuse_terminal_injection(builder);
    builder.policy().log =
            true;  // SC-20: denials there are evidence, too; allowed calls cost nothing
    return compile(builder.policy());
}

}  // namespace

base::Result<Filter> class_filter(Class container_class) {
    // Built once a process; the language makes the first use thread-safe.
    static const base::Result<Filter> unprivileged = allow_list();
    static const base::Result<Filter> privileged = deny_list();
    switch (container_class) {
        case Class::unprivileged:
            return unprivileged;
        case Class::privileged:
        case Class::privileged_in_userns:
            return privileged;
    }
    return base::fail(base::Errc::internal, "no such container class");
}

}  // namespace security
