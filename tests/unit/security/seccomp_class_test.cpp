#include "security/seccomp.hpp"
#include "security/seccomp_lists.hpp"
#include "security/seccomp_policy.hpp"
#include "tests/unit/security/interpreter.hpp"

#include <errno.h>

#include <set>
#include <string>

#include <catch2/catch.hpp>
#include <seccomp.h>

using security::Class;
using test::action;
using test::errno_action;
using test::kAllow;

namespace {

std::uint32_t number(const std::string& name) {
    const auto resolved = security::resolve_call(SCMP_ARCH_X86_64, name);
    INFO(name);
    REQUIRE(resolved.number);
    return *resolved.number;
}

security::Filter filter(Class container_class) {
    return security::class_filter(container_class).value();
}

std::uint32_t
with(const security::Filter& f, const std::string& name, std::uint64_t a0, std::uint64_t a1 = 0) {
    return action(f, {.number = number(name), .args = {a0, a1}});
}

}  // namespace

TEST_CASE(
        "the sum check of 6.4: 303 allowed, 5 conditional, 71 denied, 6 without an answer are 385 "
        "different calls") {
    const auto allowed = security::allowed_calls();
    const auto denied = security::denied_calls();
    CHECK(allowed.size() == 303);
    CHECK(denied.size() == 71);
    std::set<std::string> all(allowed.begin(), allowed.end());
    all.insert(denied.begin(), denied.end());
    for (const auto* name : {"clone", "personality", "socket", "socketpair", "ioctl"})
        all.insert(name);
    for (const auto* name :
         {"clone3", "open_tree_attr", "file_getattr", "file_setattr", "listns",
          "rseq_slice_yield"}) {
        all.insert(name);
    }
    CHECK(all.size() == 385);
    std::set<std::uint32_t> numbers;
    for (const auto& name : all) numbers.insert(number(name));
    CHECK(numbers.size() == 385);
}

TEST_CASE("SC-01 every call of 6.2 is allowed and no search takes more than 16 steps") {
    const auto f = filter(Class::unprivileged);
    int slowest = 0;
    for (const auto& name : security::allowed_calls()) {
        const auto answer = test::run_filter(f, {.number = number(name)});
        INFO(name);
        CHECK(answer.action == kAllow);
        slowest = std::max(slowest, answer.steps);
    }
    CHECK(slowest <= 16);
}

TEST_CASE("SC-02 a foreign architecture and x32 get ENOSYS for every call") {
    for (const auto c : {Class::unprivileged, Class::privileged, Class::privileged_in_userns}) {
        const auto f = filter(c);
        for (std::uint32_t n = 0; n < 600; ++n) {
            CHECK(action(f, {.number = n, .architecture = AUDIT_ARCH_I386}) ==
                  errno_action(ENOSYS));
            CHECK(action(f, {.number = n, .architecture = AUDIT_ARCH_AARCH64}) ==
                  errno_action(ENOSYS));
            CHECK(action(f, {.number = n | security::kX32Bit}) == errno_action(ENOSYS));
        }
        CHECK(action(f, {.number = 0xffffffff}) == errno_action(ENOSYS));
    }
}

TEST_CASE("SC-03 numbers above our table get ENOSYS") {
    for (const auto c : {Class::unprivileged, Class::privileged}) {
        const auto f = filter(c);
        for (std::uint32_t n = 467; n < 1000; ++n)
            CHECK(action(f, {.number = n}) == errno_action(ENOSYS));
    }
    CHECK(action(filter(Class::unprivileged), {.number = 466}) == kAllow);
}

TEST_CASE("SC-04 clone3 gets ENOSYS in the unprivileged class and stays in the privileged ones") {
    CHECK(with(filter(Class::unprivileged), "clone3", 0) == errno_action(ENOSYS));
    CHECK(with(filter(Class::privileged), "clone3", 0) == kAllow);
}

TEST_CASE("SC-05 every call of 6.4 gets EPERM") {
    const auto f = filter(Class::unprivileged);
    for (const auto& name : security::denied_calls()) {
        INFO(name);
        CHECK(action(f, {.number = number(name)}) == errno_action(EPERM));
    }
}

TEST_CASE("6.3 clone is allowed without namespaces only") {
    const auto f = filter(Class::unprivileged);
    CHECK(with(f, "clone", 0x003d0f00) == kAllow);  // pthread_create
    CHECK(with(f, "clone", 0x01200011) == kAllow);  // fork
    for (const std::uint64_t flag :
         {0x00020000U, 0x02000000U, 0x04000000U, 0x08000000U, 0x10000000U, 0x20000000U,
          0x40000000U}) {
        CHECK(with(f, "clone", flag | 17) == errno_action(EPERM));
    }
}

TEST_CASE("6.3 personality takes five values, SC-06 whatever the high half says") {
    const auto f = filter(Class::unprivileged);
    for (const std::uint64_t value : {0x0ULL, 0x8ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL}) {
        CHECK(with(f, "personality", value) == kAllow);
        CHECK(with(f, "personality", value | (7ULL << 32)) == kAllow);
    }
    for (const std::uint64_t value : {0x1ULL, 0x40000ULL, 0x0040000ULL | (1ULL << 32)}) {
        CHECK(with(f, "personality", value) == errno_action(EPERM));
    }
}

TEST_CASE("6.3 sockets have an allow-list of families, SC-06 whatever the high half says") {
    const auto f = filter(Class::unprivileged);
    const std::set<std::uint64_t> allowed = {1, 2, 10, 16, 17};
    for (const auto* name : {"socket", "socketpair"}) {
        for (std::uint64_t family = 0; family < 64; ++family) {
            const auto expected = allowed.contains(family)       ? kAllow
                                  : family == 38 || family == 40 ? errno_action(EPERM)
                                                                 : errno_action(EAFNOSUPPORT);
            CHECK(with(f, name, family) == expected);
            CHECK(with(f, name, family | (0xdeadULL << 32)) == expected);
        }
    }
}

TEST_CASE(
        "6.3 ioctl refuses terminal injection in every class, SC-06 whatever the high half says") {
    for (const auto c : {Class::unprivileged, Class::privileged, Class::privileged_in_userns}) {
        const auto f = filter(c);
        for (const std::uint64_t command : {0x5412ULL, 0x541CULL}) {
            CHECK(with(f, "ioctl", 0, command) == errno_action(EPERM));
            CHECK(with(f, "ioctl", 0, command | (1ULL << 32)) == errno_action(EPERM));
        }
        CHECK(with(f, "ioctl", 0x5412, 0x5413) == kAllow);
    }
}

TEST_CASE("6.6 the privileged classes lose the host-global calls and nothing else") {
    const auto f = filter(Class::privileged);
    const auto denied = security::privileged_denied_calls();
    for (const auto& name : denied) {
        INFO(name);
        CHECK(action(f, {.number = number(name)}) == errno_action(EPERM));
    }
    for (const auto* name :
         {"mount", "umount2", "pivot_root", "unshare", "setns", "clone", "clone3", "keyctl", "bpf",
          "chroot", "mknod", "personality", "ptrace", "reboot", "fsopen", "move_mount"}) {
        INFO(name);
        CHECK(action(f, {.number = number(name)}) == kAllow);
    }
    CHECK(with(f, "socket", 38) == errno_action(EPERM));
    CHECK(with(f, "socket", 40) == errno_action(EPERM));
    CHECK(with(f, "socket", 31) == kAllow);
}

TEST_CASE("SC-08 SC-20 denials are logged in every class") {
    CHECK(filter(Class::unprivileged).log);
    CHECK(filter(Class::privileged).log);
}

TEST_CASE("SC-10 a class filter has a hash and a listing, and is the same each time") {
    const auto f = filter(Class::unprivileged);
    CHECK(f.hash.starts_with("sha256:"));
    CHECK(f.hash.size() == 7 + 64);
    CHECK(f.program == filter(Class::unprivileged).program);
    CHECK(f.listing.find("clone: allow if (arg0:32 & 0x7e020000) == 0x0; else errno(1)\n") !=
          std::string::npos);
    CHECK(f.listing.find("\nread: allow\n") != std::string::npos);
    CHECK(f.listing.find("\nmount: errno(1)\n") != std::string::npos);
    CHECK(f.hash != filter(Class::privileged).hash);
}
