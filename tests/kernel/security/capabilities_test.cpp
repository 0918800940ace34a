#include "security/capabilities.hpp"

#include "security/rlimits.hpp"
#include "tests/kernel/security/child.hpp"
#include "tests/support/needs.hpp"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include <fmt/format.h>

using security::capability_sets;
using security::CapabilitySets;
using security::Class;

namespace {

// What the launcher does right before exec (CAP-06): bounding first, then ids, then the sets.
bool apply(const CapabilitySets& sets, std::uint32_t uid) {
    for (unsigned long n = 0; n < 64; ++n) {
        if ((sets.bounding >> n & 1) == 0 && ::prctl(PR_CAPBSET_DROP, n, 0, 0, 0) != 0 &&
            errno != EINVAL)
            return false;
    }
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return false;
    if (::syscall(SYS_setresgid, uid, uid, uid) != 0 ||
        ::syscall(SYS_setresuid, uid, uid, uid) != 0)
        return false;
    __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2] = {};
    for (unsigned half = 0; half < 2; ++half) {
        data[half].permitted = static_cast<std::uint32_t>(sets.permitted >> (32 * half));
        data[half].effective = static_cast<std::uint32_t>(sets.effective >> (32 * half));
        data[half].inheritable = static_cast<std::uint32_t>(sets.inheritable >> (32 * half));
    }
    return ::syscall(SYS_capset, &header, data) == 0;
}

std::function<int(int)> applied(const CapabilitySets& sets, std::uint32_t uid) {
    return [=](int out) {
        if (!apply(sets, uid)) return 98;
        (void)::dup2(out, 1);
        ::execl("/bin/grep", "grep", "^Cap", "/proc/self/status", nullptr);
        return 97;
    };
}

std::string text(
        std::uint64_t inheritable,
        std::uint64_t permitted,
        std::uint64_t effective,
        std::uint64_t bounding) {
    return fmt::format(
            "CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:"
            "\t0000000000000000\n",
            inheritable, permitted, effective, bounding);
}

}  // namespace

TEST_CASE(
        "CAP-01, 03, 04, 05 an unprivileged container's processes have their sets after exec",
        "[root]") {
    NEEDS(root, userns);
    constexpr std::uint64_t k14 = security::kUnprivilegedMask;
    CHECK(test::in_user_namespace(applied(capability_sets({}, 0), 0)).output ==
          text(0, k14, k14, k14));
    CHECK(test::in_user_namespace(applied(capability_sets({}, 1000), 1000)).output ==
          text(0, 0, 0, k14));
    const security::CapabilityPolicy garden{.garden_inheritable = true};
    CHECK(test::in_user_namespace(applied(capability_sets(garden, 0), 0)).output ==
          text(k14, k14, k14, k14));
    CHECK(test::in_user_namespace(applied(capability_sets(garden, 1000), 1000)).output ==
          text(k14, 0, 0, k14));
}

TEST_CASE(
        "CAP-02, 03 a privileged container's processes have what the daemon holds after exec",
        "[root]") {
    NEEDS(root);
    const auto available = security::own_bounding_set().value();
    const security::CapabilityPolicy policy{
            .container_class = Class::privileged, .available = available};
    const auto expected = security::kGardenPrivilegedMask & available;
    CHECK(test::in_child(applied(capability_sets(policy, 0), 0)).output ==
          text(0, expected, expected, expected));
    const auto other = security::kPrivilegedNonRootMask & available;
    CHECK(test::in_child(applied(capability_sets(policy, 1000), 1000)).output ==
          text(0, 0, 0, other));
}

TEST_CASE(
        "all capabilities exist inside a user namespace, also those that the daemon lacks",
        "[root]") {
    NEEDS(root, userns);
    const auto sets =
            capability_sets({.container_class = Class::privileged_in_userns, .available = 0}, 0);
    const auto ended = test::in_user_namespace(applied(sets, 0));
    CHECK(ended.output == text(0, sets.permitted, sets.permitted, sets.permitted));
}

TEST_CASE("CAP-02 the own bounding set is what the kernel shows", "[root]") {
    const auto mask = security::own_bounding_set().value();
    const auto ended = test::in_child([](int out) {
        (void)::dup2(out, 1);
        ::execl("/bin/grep", "grep", "^CapBnd", "/proc/self/status", nullptr);
        return 97;
    });
    CHECK(ended.output == fmt::format("CapBnd:\t{:016x}\n", mask));
}

TEST_CASE(
        "PL-09 the limits that are planned can be set, by a process without CAP_SYS_RESOURCE",
        "[root]") {
    NEEDS(root);
    const auto ceilings = security::own_rlimits().value();
    CHECK(ceilings.hard.size() == 15);
    const auto limits = security::rlimits({{"nofile", 512}, {"nproc", 4567}}, ceilings).value();
    const auto ended = test::in_child([&](int) {
        if (::setresuid(12345, 12345, 12345) != 0) return 99;
        for (const auto& limit : limits) {
            const rlimit64 wanted = {.rlim_cur = limit.soft, .rlim_max = limit.hard};
            if (::syscall(SYS_prlimit64, 0, limit.resource, &wanted, nullptr) != 0)
                return 1 + limit.resource;
            rlimit64 got = {};
            if (::syscall(SYS_prlimit64, 0, limit.resource, nullptr, &got) != 0) return 98;
            if (got.rlim_cur != limit.soft || got.rlim_max != limit.hard) return 97;
        }
        return 0;
    });
    CHECK(ended.code == 0);
}
