#include "security/denials.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <string>

#include <catch2/catch.hpp>

using namespace security;

namespace {

const std::string kRecord =
        "audit(1795621548.787:767): auid=4294967295 uid=524289 gid=0 ses=4294967295 pid=11210 "
        "comm=\"mount\" exe=\"/bin/busybox\" sig=0 arch=c000003e syscall=165 compat=0 "
        "ip=0x7f64e951f829 code=0x50000";

DenialRecord record(std::uint32_t call, std::int64_t at = 1) {
    return {.time_ns = at,
            .command = "c",
            .executable = "/x",
            .architecture = AUDIT_ARCH_X86_64,
            .call = call,
            .action = SECCOMP_RET_ERRNO};
}

DenialSample no_sample(const DenialRecord& of) {
    return {.call = call_name(of.architecture, of.call),
            .command = of.command,
            .executable = of.executable};
}

std::string with(const std::string& from, const std::string& to) {
    auto text = kRecord;
    text.replace(text.find(from), from.size(), to);
    return text;
}

}  // namespace

TEST_CASE("SC-20 a record of the kernel says who was refused what and when") {
    const auto parsed = parse_denial(kRecord).value();
    CHECK(parsed.time_ns == 1'795'621'548'787'000'000);
    CHECK(parsed.serial == 767);
    CHECK(parsed.uid == 524289);
    CHECK(parsed.pid == 11210);
    CHECK(parsed.command == "mount");
    CHECK(parsed.executable == "/bin/busybox");
    CHECK(call_name(parsed.architecture, parsed.call) == "mount");
    CHECK(architecture_name(parsed.architecture) == "x86_64");
    CHECK(denial_action_name(parsed.action) == "errno");
    CHECK_FALSE(is_noise(parsed));
    CHECK(is_noise(parse_denial(with("syscall=165", "syscall=435")).value()));
}

TEST_CASE("texts that a process chose cannot add or change a member") {
    // The kernel writes hexadecimal for what has a space or a quote.
    CHECK(parse_denial(with("\"mount\"", "7569643D30207069643D31")).value().command ==
          "uid=0 pid=1");
    CHECK(parse_denial(with("\"mount\"", "\"a=b\"")).value().command == "a=b");
    CHECK(parse_denial(with("\"/bin/busybox\"", "(null)")).value().executable == "(null)");
    CHECK(parse_denial(with("\"/bin/busybox\"", "\"" + std::string(4000, 'x') + "\""))
                  .value()
                  .executable.size() == kMaxDenialText);
    CHECK_FALSE(parse_denial(kRecord + " uid=0"));  // twice
}

TEST_CASE("a record with a member that is missing or no number is refused") {
    for (const auto* text :
         {"", "audit", "audit(1.2:3)", "audit(1.2): uid=0", "audit(a.b:c): uid=0",
          "audit(9999999999.000:1): uid=0 pid=1 arch=1 syscall=1",
          "audit(1.1000:1): uid=0 pid=1 arch=1 syscall=1", "audit(1.2:3): uid=0 pid=1 arch=1"}) {
        INFO(text);
        CHECK_FALSE(parse_denial(text));
    }
    CHECK_FALSE(parse_denial(with("uid=524289", "uid=-1")));
    CHECK_FALSE(parse_denial(with("arch=c000003e", "arch=")));
    CHECK_FALSE(parse_denial(kRecord + std::string(kMaxAuditRecord, ' ')));
    CHECK(audit_serial(kRecord) == 767);
    CHECK_FALSE(audit_serial("nonsense"));
}

TEST_CASE("calls have their names, young and x32 ones included; unknown ones their number") {
    CHECK(call_name(AUDIT_ARCH_X86_64, 462) == "mseal");
    CHECK(call_name(AUDIT_ARCH_X86_64, 0x40000000 | 165) == "mount");
    CHECK(call_name(AUDIT_ARCH_X86_64, 100'000) == "#100000");
    CHECK(call_name(AUDIT_ARCH_I386, 21) == "mount");
    CHECK(call_name(1, 2) == "#2");
    CHECK(architecture_name(1) == "#1");
}

TEST_CASE("the group of a process is what every hierarchy agrees on, and the outermost") {
    CHECK(group_of("12:pids:/garden-x/web\n0::/garden-x/web\n", "garden-x") == "web");
    CHECK(group_of("12:pids:/garden-x/web/init\n1:cpu:/\n0::/\n", "garden-x") == "web");
    CHECK(group_of("0::/a/b/garden-x/web\n", "garden-x") == "web");
    // A container made a group that looks like another's.
    CHECK(group_of("0::/garden-x/web/garden-x/db\n", "garden-x") == "web");
    CHECK_FALSE(group_of("1:cpu:/garden-x/web\n0::/garden-x/db\n", "garden-x"));
    CHECK_FALSE(group_of("0::/garden-xy/web\n", "garden-x"));
    CHECK_FALSE(group_of("0::/user.slice\n", "garden-x"));
    CHECK_FALSE(group_of("", "garden-x"));
}

TEST_CASE("SC-21 a container's denials are counted by call, with first and last time") {
    DenialLog log;
    const auto now = DenialLog::Clock::now();
    CHECK(log.note(record(165, 10), now, no_sample));
    CHECK(log.note(record(165, 20), now, no_sample));
    CHECK(log.note(record(272, 30), now, no_sample));
    const auto report = log.report();
    REQUIRE(report.calls.size() == 2);
    CHECK(report.calls[0].call == "mount");
    CHECK(report.calls[0].count == 2);
    CHECK(report.calls[0].first_ns == 10);
    CHECK(report.calls[0].last_ns == 20);
    CHECK(report.calls[1].call == "unshare");
    CHECK(report.total == 3);
    CHECK(report.samples.size() == 2);  // one for each call of the same executable
}

TEST_CASE("SC-21 what a container can make us remember has a bound, and the rest is counted") {
    DenialLog log;
    auto now = DenialLog::Clock::now();
    int sampled = 0;
    for (std::uint32_t i = 0; i < 3000; ++i) {
        now += std::chrono::milliseconds(10);
        log.note(record(100'000 + i), now, [&](const auto& of) {
            ++sampled;
            return no_sample(of);
        });
    }
    const auto report = log.report();
    CHECK(report.calls.size() == kMaxDeniedCalls);
    CHECK(report.samples.size() == kMaxDenialSamples);
    CHECK(sampled == static_cast<int>(kMaxDenialSamples));
    CHECK(report.total == 3000);
    CHECK(report.other == 3000 - kMaxDeniedCalls);
    CHECK(report.suppressed == 0);
}

TEST_CASE("SC-21 a flood of one container is suppressed, visibly, and ends with the flood") {
    DenialLog log;
    const auto now = DenialLog::Clock::now();
    for (int i = 0; i < 100'000; ++i) log.note(record(165), now, no_sample);
    auto report = log.report();
    CHECK(report.total == kDenialBurst);
    CHECK(report.suppressed == 100'000 - kDenialBurst);
    CHECK(log.total() == 100'000);
    CHECK(log.note(record(165), now + std::chrono::seconds(1), no_sample));
    CHECK(log.report().total == kDenialBurst + 1);
}
