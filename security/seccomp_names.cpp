// Names of system calls: libseccomp's tables, and the calls that are younger than the library of
// the oldest host we build on.
#include "security/seccomp_policy.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <seccomp.h>

namespace security {

namespace {

using Named = std::pair<std::string_view, std::uint32_t>;

// Since number 424 a call has the same number on every architecture.
constexpr std::array<Named, 21> kYoung = {{
        {"cachestat", 451},         {"fchmodat2", 452},        {"map_shadow_stack", 453},
        {"futex_wake", 454},        {"futex_wait", 455},       {"futex_requeue", 456},
        {"statmount", 457},         {"listmount", 458},        {"lsm_get_self_attr", 459},
        {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
        {"setxattrat", 463},        {"getxattrat", 464},       {"listxattrat", 465},
        {"removexattrat", 466},     {"open_tree_attr", 467},   {"file_getattr", 468},
        {"file_setattr", 469},      {"listns", 470},           {"rseq_slice_yield", 471},
}};

// libseccomp answers the multiplexed number for these on i386; the direct calls are what a filter
// can see into.
constexpr std::array<Named, 25> kDirectI386 = {{
        {"socket", 359},      {"socketpair", 360},  {"bind", 361},       {"connect", 362},
        {"listen", 363},      {"accept4", 364},     {"getsockopt", 365}, {"setsockopt", 366},
        {"getsockname", 367}, {"getpeername", 368}, {"sendto", 369},     {"sendmsg", 370},
        {"recvfrom", 371},    {"recvmsg", 372},     {"shutdown", 373},   {"semget", 393},
        {"semctl", 394},      {"shmget", 395},      {"shmctl", 396},     {"shmat", 397},
        {"shmdt", 398},       {"msgget", 399},      {"msgsnd", 400},     {"msgrcv", 401},
        {"msgctl", 402},
}};

constexpr std::array<Named, 2> kYoungX86 = {{{"uretprobe", 335}, {"uprobe", 336}}};

// SC-06: bit n = argument n has 32 bits in the kernel, whatever the register holds.
constexpr std::array<Named, 22> kNarrow = {{
        {"bpf", 0b101},        {"clone", 0b1},          {"fcntl", 0b11},     {"futex", 0b10},
        {"getsockopt", 0b111}, {"ioctl", 0b11},         {"kcmp", 0b111},     {"keyctl", 0b1},
        {"kill", 0b11},        {"madvise", 0b100},      {"open", 0b110},     {"openat", 0b1101},
        {"personality", 0b1},  {"prctl", 0b1},          {"quotactl", 0b101}, {"reboot", 0b111},
        {"setns", 0b11},       {"setsockopt", 0b10111}, {"socket", 0b111},   {"socketcall", 0b1},
        {"socketpair", 0b111}, {"syslog", 0b101},
}};

}  // namespace

std::uint32_t native_architecture() {
    return ::seccomp_arch_native();
}

std::uint32_t narrow_arguments(std::string_view name) {
    const auto found = std::find_if(kNarrow.begin(), kNarrow.end(), [&](const Named& entry) {
        return entry.first == name;
    });
    return found == kNarrow.end() ? 0 : found->second;
}

std::string_view young_call_name(std::uint32_t architecture, std::uint32_t number) {
    for (const auto& [young, known] : kYoung)
        if (known == number) return young;
    if (architecture != SCMP_ARCH_X86_64) return {};
    for (const auto& [young, known] : kYoungX86)
        if (known == number) return young;
    return {};
}

Resolved resolve_call(std::uint32_t architecture, const std::string& name) {
    const std::uint32_t bit = architecture == SCMP_ARCH_X32 ? kX32Bit : 0;
    for (const auto& [young, number] : kYoung) {
        if (young == name) return {.known = true, .number = number | bit};
    }
    for (const auto& [young, number] : kYoungX86) {
        if (young != name) continue;
        if (architecture == SCMP_ARCH_X86_64) return {.known = true, .number = number};
        return {.known = true, .number = {}};
    }
    if (architecture == SCMP_ARCH_X86) {
        for (const auto& [direct, number] : kDirectI386) {
            if (direct == name) return {.known = true, .number = number};
        }
    }
    const int number = ::seccomp_syscall_resolve_name_arch(architecture, name.c_str());
    if (number == __NR_SCMP_ERROR) return {};
    // Negative: a call that other architectures have.
    if (number < 0) return {.known = true, .number = {}};
    return {.known = true, .number = static_cast<std::uint32_t>(number)};
}

}  // namespace security
