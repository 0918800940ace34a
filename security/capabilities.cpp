#include "security/capabilities.hpp"

#include "base/fail.hpp"
#include "base/sys/self.hpp"

#include <algorithm>
#include <array>

namespace security {

namespace {

// Index = number of the capability in <linux/capability.h>. Our own table, so that the answer is
// the same on every kernel.
constexpr std::array<std::string_view, 41> kNames = {
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
        "WAKE_ALARM",
        "BLOCK_SUSPEND",
        "AUDIT_READ",
        "PERFMON",
        "BPF",
        "CHECKPOINT_RESTORE"};

constexpr std::uint64_t bit(unsigned capability) {
    return std::uint64_t{1} << capability;
}

constexpr std::uint64_t kAllMask = bit(kNames.size()) - 1;
// CAP-07: NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP.
constexpr std::uint64_t kStrictDrops = bit(13) | bit(18) | bit(27) | bit(29) | bit(31);

std::uint64_t class_bounding(const CapabilityPolicy& policy, bool root) {
    switch (policy.container_class) {
        case Class::unprivileged:
            return kUnprivilegedMask;  // CAP-01
        case Class::privileged:
            return (root ? kGardenPrivilegedMask : kPrivilegedNonRootMask) &
                   policy.available;  // CAP-02, CAP-03
        // A new user namespace gives the full set whatever the daemon holds, so there is nothing to
        // intersect.
        case Class::privileged_in_userns:
            return root ? kAllMask : kPrivilegedNonRootMask;
    }
    return 0;
}

}  // namespace

CapabilitySets capability_sets(const CapabilityPolicy& policy, std::uint32_t uid) {
    const bool root = uid == 0;  // CAP-03: never the gid
    std::uint64_t bounding =
            class_bounding(policy, root) & policy.keep;  // CAP-08: a request only reduces
    if (policy.strict) bounding &= ~kStrictDrops;
    return {.bounding = bounding,
            .permitted = root ? bounding : 0,
            .effective = root ? bounding : 0,
            .inheritable = policy.garden_inheritable ? bounding : 0,  // CAP-05
            .ambient = 0};                                            // CAP-04
}

base::Result<std::uint64_t> parse_capabilities(const std::vector<std::string>& names) {
    std::uint64_t mask = 0;
    for (const auto& name : names) {
        std::string upper = name;
        for (char& c : upper) {
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        }
        std::string_view key = upper;
        if (key.starts_with("CAP_")) key.remove_prefix(4);
        const auto found = std::find(kNames.begin(), kNames.end(), key);
        if (found == kNames.end()) {
            return base::fail(
                    base::Errc::invalid, "unknown capability '{}'", name.substr(0, 64));  // CAP-08
        }
        mask |= bit(static_cast<unsigned>(found - kNames.begin()));
    }
    return mask;
}

std::vector<std::string> capability_names(std::uint64_t mask) {
    std::vector<std::string> names;
    for (unsigned capability = 0; capability < 64; ++capability) {
        if ((mask & bit(capability)) == 0) continue;
        names.push_back(
                capability < kNames.size() ? "CAP_" + std::string(kNames[capability])
                                           : "CAP_" + std::to_string(capability));
    }
    return names;
}

base::Result<std::uint64_t> own_bounding_set() {
    return base::sys::own_bounding_capabilities();
}

}  // namespace security
