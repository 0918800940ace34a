#include "base/fail.hpp"
#include "security/seccomp.hpp"
#include "security/seccomp_policy.hpp"
#include "tests/unit/security/interpreter.hpp"

#include <errno.h>

#include <functional>
#include <string>

#include <catch2/catch.hpp>
#include <seccomp.h>

using base::Errc;
using security::compile_profile;
using security::ProfileContext;
using test::action;
using test::errno_action;
using test::kAllow;

namespace {

constexpr std::uint64_t kHuge = 0x1122334455667788;
constexpr std::uint64_t kSysAdmin = std::uint64_t{1} << 21;

std::string with_entry(const std::string& entry) {
    return R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[)" + entry + "]}";
}

std::string error_of(const std::string& json, ProfileContext context = {}) {
    const auto filter = compile_profile(json, context);
    if (filter) return "";
    return filter.error().text;
}

std::uint32_t number(const std::string& name, std::uint32_t architecture = SCMP_ARCH_X86_64) {
    return security::resolve_call(architecture, name).number.value();
}

std::uint32_t decide(
        const std::string& json,
        const std::string& call,
        std::uint64_t a0 = 0,
        ProfileContext context = {}) {
    const auto filter = compile_profile(json, context);
    if (!filter) FAIL(filter.error().text);
    return action(*filter, {.number = number(call), .args = {a0}});
}

}  // namespace

TEST_CASE("SC-09 every comparison compares as the format says") {
    struct Row {
        const char* op;
        std::function<bool(std::uint64_t, std::uint64_t)> holds;
    };

    const Row rows[] = {
            {"SCMP_CMP_EQ", std::equal_to<>{}}, {"SCMP_CMP_NE", std::not_equal_to<>{}},
            {"SCMP_CMP_LT", std::less<>{}},     {"SCMP_CMP_LE", std::less_equal<>{}},
            {"SCMP_CMP_GT", std::greater<>{}},  {"SCMP_CMP_GE", std::greater_equal<>{}},
    };
    const std::uint64_t values[] = {
            0,           1,     5,         0xffffffff,           0x100000000,
            0x100000005, kHuge, kHuge + 1, kHuge - (1ULL << 32), kHuge + (1ULL << 32),
            ~0ULL};
    for (const auto& row : rows) {
        for (const auto datum : values) {
            const auto json = with_entry(base::format(
                    R"({{"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[{{"index":0,"value":{},"op":"{}"}}]}})",
                    datum, row.op));
            const auto filter = compile_profile(json, {}).value();
            for (const auto value : values) {
                INFO(row.op << " " << value << " with " << datum);
                CHECK((action(filter, {.number = number("lseek"), .args = {value}}) == kAllow) ==
                      row.holds(value, datum));
            }
        }
    }
}

TEST_CASE("SC-09 masked comparison takes value as the mask and valueTwo as the datum") {
    const auto json = with_entry(
            R"({"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":1095216660735,"valueTwo":1095216660495,"op":"SCMP_CMP_MASKED_EQ"}]})");
    const auto filter = compile_profile(json, {}).value();
    const std::uint64_t mask = 1095216660735;
    const std::uint64_t datum = 1095216660495;
    CHECK((datum & ~mask) == 0);
    for (const std::uint64_t value : std::initializer_list<std::uint64_t>{
                 datum, datum | 0xff00, datum ^ 1, datum ^ (1ULL << 35), datum | (1ULL << 60)}) {
        CHECK((action(filter, {.number = number("lseek"), .args = {0, value}}) == kAllow) ==
              ((value & mask) == datum));
    }
}

TEST_CASE(
        "SC-09 conditions of one entry all hold, on one argument twice they are alternatives, "
        "entries are alternatives") {
    const auto both = with_entry(
            R"({"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_EQ"}]})");
    const auto f = compile_profile(both, {}).value();
    CHECK(action(f, {.number = number("lseek"), .args = {1, 2}}) == kAllow);
    CHECK(action(f, {.number = number("lseek"), .args = {1, 3}}) == errno_action(EPERM));
    CHECK(action(f, {.number = number("lseek"), .args = {0, 2}}) == errno_action(EPERM));
    const auto either = with_entry(
            R"({"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]})");
    CHECK(decide(either, "lseek", 1) == kAllow);
    CHECK(decide(either, "lseek", 2) == kAllow);
    CHECK(decide(either, "lseek", 3) == errno_action(EPERM));
    const auto entries = with_entry(
            R"({"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},)"
            R"({"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":9,"op":"SCMP_CMP_GT"}]})");
    CHECK(decide(entries, "lseek", 1) == kAllow);
    CHECK(decide(entries, "lseek", 10) == kAllow);
    CHECK(decide(entries, "lseek", 9) == errno_action(EPERM));
}

TEST_CASE("SC-09 the stricter rule decides, in whatever order a document has them") {
    const std::string allow =
            R"({"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":5,"op":"SCMP_CMP_LE"}]})";
    const std::string kill =
            R"({"names":["lseek"],"action":"SCMP_ACT_KILL_PROCESS","args":[{"index":0,"value":3,"op":"SCMP_CMP_EQ"}]})";
    const auto one = compile_profile(with_entry(allow + "," + kill), {}).value();
    const auto two = compile_profile(with_entry(kill + "," + allow), {}).value();
    CHECK(one.program == two.program);
    CHECK(action(one, {.number = number("lseek"), .args = {3}}) == SECCOMP_RET_KILL_PROCESS);
    CHECK(action(one, {.number = number("lseek"), .args = {4}}) == kAllow);
}

TEST_CASE("SC-09 every action and its errno") {
    struct Row {
        const char* json;
        std::uint32_t expected;
    };

    const Row rows[] = {
            {R"("action":"SCMP_ACT_KILL")", SECCOMP_RET_KILL_THREAD},
            {R"("action":"SCMP_ACT_KILL_THREAD")", SECCOMP_RET_KILL_THREAD},
            {R"("action":"SCMP_ACT_KILL_PROCESS")", SECCOMP_RET_KILL_PROCESS},
            {R"("action":"SCMP_ACT_TRAP")", SECCOMP_RET_TRAP},
            {R"("action":"SCMP_ACT_ERRNO")", errno_action(EPERM)},
            {R"("action":"SCMP_ACT_ERRNO","errnoRet":38)", errno_action(38)},
            {R"("action":"SCMP_ACT_ERRNO","errnoRet":0)", errno_action(0)},
            {R"("action":"SCMP_ACT_TRACE","errnoRet":7)", SECCOMP_RET_TRACE | 7},
            {R"("action":"SCMP_ACT_LOG")", SECCOMP_RET_LOG},
            {R"("action":"SCMP_ACT_ALLOW")", kAllow},
    };
    for (const auto& row : rows) {
        const auto json =
                R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":13,"syscalls":[{"names":["getpid"],)" +
                std::string(row.json) + "}]}";
        INFO(row.json);
        CHECK(decide(json, "getpid") == row.expected);
        CHECK(decide(json, "getppid") == errno_action(13));
    }
}

TEST_CASE("SC-09 includes and excludes by capability, architecture and kernel") {
    const auto rule = [](const std::string& filter) {
        return with_entry(R"({"names":["mount"],"action":"SCMP_ACT_ALLOW",)" + filter + "}");
    };

    struct Row {
        std::string filter;
        ProfileContext context;
        bool applies;
    };

    const ProfileContext plain{.capabilities = 1, .kernel_major = 5, .kernel_minor = 10};
    const ProfileContext admin{
            .capabilities = kSysAdmin | 1, .kernel_major = 5, .kernel_minor = 10};
    const Row rows[] = {
            {R"("includes":{})", plain, true},
            {R"("includes":{"caps":["CAP_SYS_ADMIN"]})", plain, false},
            {R"("includes":{"caps":["CAP_SYS_ADMIN"]})", admin, true},
            {R"("includes":{"caps":["CAP_SYS_ADMIN","CAP_CHOWN"]})", admin, true},
            {R"("includes":{"caps":["CAP_SYS_ADMIN","CAP_BPF"]})", admin, false},
            {R"("excludes":{"caps":["CAP_SYS_ADMIN"]})", plain, true},
            {R"("excludes":{"caps":["CAP_BPF","CAP_SYS_ADMIN"]})", admin, false},
            {R"("includes":{"arches":["arm64","amd64"]})", plain, true},
            {R"("includes":{"arches":["s390x"]})", plain, false},
            {R"("excludes":{"arches":["amd64"]})", plain, false},
            {R"("includes":{"minKernel":"4.8"})", plain, true},
            {R"("includes":{"minKernel":"5.10"})", plain, true},
            {R"("includes":{"minKernel":"5.11"})", plain, false},
            {R"("includes":{"minKernel":"6.0"})", plain, false},
            {R"("excludes":{"minKernel":"5.10"})", plain, false},
            {R"("excludes":{"minKernel":"5.11"})", plain, true},
    };
    for (const auto& row : rows) {
        INFO(row.filter);
        CHECK((decide(rule(row.filter), "mount", 0, row.context) == kAllow) == row.applies);
    }
}

TEST_CASE("SC-09 errors name the path in the document") {
    struct Row {
        std::string json;
        const char* part;
    };

    const auto entry = [](const std::string& text) {
        return with_entry(R"({"names":["read"],"action":"SCMP_ACT_ALLOW"},)" + text);
    };
    const Row rows[] = {
            {"", "EOF"},
            {"[]", "expected an object"},
            {"{", "invalid JSON"},
            {"{}", "defaultAction: is missing"},
            {R"({"defaultAction":"ALLOW"})", "defaultAction: unknown action ALLOW"},
            {R"({"defaultAction":"SCMP_ACT_NOTIFY"})",
             "defaultAction: SCMP_ACT_NOTIFY cannot be the default"},
            {R"({"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1})",
             "defaultErrnoRet: has no meaning"},
            {R"({"defaultAction":"SCMP_ACT_ALLOW","default":1})", "default: unknown member"},
            {R"({"defaultAction":"SCMP_ACT_ALLOW","defaultAction":"SCMP_ACT_KILL"})",
             "'defaultAction' appears twice"},
            {R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_PDP11"]})",
             "architectures: unknown architecture"},
            {R"({"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_FUN"]})",
             "flags: unknown flag"},
            {entry(R"({"names":["nosuchcall"],"action":"SCMP_ACT_ALLOW"})"),
             "syscalls[1].names: unknown system call nosuchcall"},
            {entry(R"({"names":[],"action":"SCMP_ACT_ALLOW"})"),
             "syscalls[1]: names no system call"},
            {entry(R"({"names":["open"]})"), "syscalls[1]: has no action"},
            {entry(R"({"names":["open"],"action":7})"), "syscalls[1].action: expected a string"},
            {entry(R"({"names":["open",3],"action":"SCMP_ACT_ALLOW"})"),
             "syscalls[1].names[1]: expected a string"},
            {entry(R"({"names":["open"],"action":"SCMP_ACT_ERRNO","errnoRet":4096})"),
             "syscalls[1].errnoRet"},
            {entry(R"({"names":["open"],"action":"SCMP_ACT_ERRNO","errnoRet":-1})"),
             "syscalls[1].errnoRet"},
            {entry(R"({"names":["open"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]})"),
             "syscalls[1].args[0].index"},
            {entry(R"({"names":["open"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":0,"op":"EQ"}]})"),
             "syscalls[1].args[0].op: unknown operator EQ"},
            {entry(R"({"names":["open"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}]})"),
             "syscalls[1].args[0].value"},
            {entry(R"({"names":["open"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_EQ"}]})"),
             "syscalls[1].args[0]: has no value"},
            {entry(R"({"names":["open"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_FLY"]}})"),
             "syscalls[1].includes.caps: unknown capability 'CAP_FLY'"},
            {entry(R"({"names":["open"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"new"}})"),
             "syscalls[1].includes.minKernel: is not like 4.8"},
            {entry(R"({"names":["open"],"action":"SCMP_ACT_ALLOW","excludes":{"cap":[]}})"),
             "syscalls[1].excludes.cap: unknown member"},
            {entry(R"({"names":["read"],"action":"SCMP_ACT_KILL"})"),
             "syscalls[1]: read gets kill_thread here and allow in an earlier entry"},
            {entry(R"({"names":["write"],"action":"SCMP_ACT_NOTIFY"})"),
             "syscalls[1]: write cannot be SCMP_ACT_NOTIFY"},
            {entry(R"({"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"})"),
             "listenerPath: is missing"},
            {entry(R"({"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":4294967297,"op":"SCMP_CMP_EQ"}]})"),
             "argument 0 of socket has 32 bits"},
    };
    for (const auto& row : rows) {
        const auto text = error_of(row.json);
        INFO(row.json << "\n" << text);
        CHECK(text.starts_with("seccomp profile: "));
        CHECK(text.find(row.part) != std::string::npos);
    }
}

TEST_CASE("SC-09 unknown names are ignored on demand and said in the listing") {
    const auto json = with_entry(R"({"names":["nosuchcall","read"],"action":"SCMP_ACT_ALLOW"})");
    const auto filter = compile_profile(json, {.ignore_unknown = true}).value();
    CHECK(action(filter, {.number = number("read")}) == kAllow);
    CHECK(filter.listing.find("ignored unknown call nosuchcall") != std::string::npos);
}

TEST_CASE("SC-09 calls of other architectures are no error here") {
    CHECK(decide(with_entry(R"({"names":["mmap2","read"],"action":"SCMP_ACT_ALLOW"})"), "read") ==
          kAllow);
}

TEST_CASE("SC-09 a notification with a listener is compiled and the listener is handed on") {
    const auto json =
            R"({"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/listen","listenerMetadata":"m",
                          "syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]})";
    const auto filter = compile_profile(json, {}).value();
    CHECK(filter.listener_path == "/run/listen");
    CHECK(filter.listener_metadata == "m");
    CHECK(action(filter, {.number = number("mkdir")}) == SECCOMP_RET_USER_NOTIF);
}

TEST_CASE("SC-09 flags: LOG reaches the loader") {
    CHECK(compile_profile(
                  R"({"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG"]})", {})
                  .value()
                  .log);
    CHECK_FALSE(
            compile_profile(
                    R"({"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_TSYNC"]})",
                    {})
                    .value()
                    .log);
}

TEST_CASE("SC-02 other architectures are refused unless the profile names them") {
    const std::string calls =
            R"("syscalls":[{"names":["read","socketcall"],"action":"SCMP_ACT_ALLOW"},
        {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":40,"op":"SCMP_CMP_NE"}]}]})";
    const auto native =
            compile_profile(R"({"defaultAction":"SCMP_ACT_ERRNO",)" + calls, {}).value();
    CHECK(action(native, {.number = 3, .architecture = AUDIT_ARCH_I386}) == errno_action(ENOSYS));
    CHECK(action(native, {.number = security::kX32Bit}) == errno_action(ENOSYS));
    for (const auto* list :
         {R"("architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],)",
          R"("architectures":["SCMP_ARCH_X32","SCMP_ARCH_X86"],)",
          R"("archMap":[{"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]},
                                {"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]}],)"}) {
        const auto all =
                compile_profile(
                        std::string(R"({"defaultAction":"SCMP_ACT_ERRNO",)") + list + calls, {})
                        .value();
        CHECK(action(all, {.number = 0}) == kAllow);
        CHECK(action(all, {.number = security::kX32Bit}) == kAllow);
        CHECK(action(all, {.number = 3, .architecture = AUDIT_ARCH_I386}) == kAllow);
        CHECK(action(all, {.number = 1, .architecture = AUDIT_ARCH_I386}) == errno_action(EPERM));
        CHECK(action(all, {.number = 3, .architecture = AUDIT_ARCH_ARM}) == errno_action(ENOSYS));
        CHECK(action(all, {.number = 359, .args = {2}, .architecture = AUDIT_ARCH_I386}) == kAllow);
        CHECK(action(all, {.number = 359, .args = {40}, .architecture = AUDIT_ARCH_I386}) ==
              errno_action(EPERM));
        // Its address family lies in memory: with a rule on families it cannot stay.
        CHECK(action(all, {.number = number("socketcall", SCMP_ARCH_X86),
                           .architecture = AUDIT_ARCH_I386}) == errno_action(ENOSYS));
    }
}

TEST_CASE("SC-03 and SC-04 hold for restrictive profiles that do not think of them") {
    const auto strict = with_entry(R"({"names":["read"],"action":"SCMP_ACT_ALLOW"})");
    CHECK(decide(strict, "clone3") == errno_action(ENOSYS));
    const auto f = compile_profile(strict, {}).value();
    CHECK(action(f, {.number = 467}) == errno_action(ENOSYS));
    CHECK(action(f, {.number = 5000}) == errno_action(ENOSYS));
    CHECK(decide(with_entry(R"({"names":["clone3"],"action":"SCMP_ACT_ALLOW"})"), "clone3") ==
          kAllow);
    const auto newer =
            compile_profile(with_entry(R"({"names":["listns"],"action":"SCMP_ACT_ALLOW"})"), {})
                    .value();
    CHECK(action(newer, {.number = number("listns")}) == kAllow);
    CHECK(action(newer, {.number = 469}) == errno_action(EPERM));
    CHECK(decide(R"({"defaultAction":"SCMP_ACT_ALLOW"})", "clone3") == kAllow);
}

TEST_CASE("SC-06 profiles cannot be stepped around with the high half of a narrow argument") {
    const auto json =
            R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["socket"],"action":"SCMP_ACT_ERRNO",
                          "args":[{"index":0,"value":40,"op":"SCMP_CMP_EQ"}]}]})";
    CHECK(decide(json, "socket", 40) == errno_action(EPERM));
    CHECK(decide(json, "socket", 40 | (1ULL << 40)) == errno_action(EPERM));
    CHECK(decide(json, "socket", 1) == kAllow);
}

TEST_CASE("profiles are bounded in bytes, entries, rules and instructions") {
    CHECK(error_of(std::string(2 << 20, ' ')).find("the limit is 1048576") != std::string::npos);
    CHECK(error_of(std::string(40, '[')).find("the limit is 16") != std::string::npos);
    std::string entries;
    for (int i = 0; i < 2049; ++i) entries += R"({"name":"read","action":"SCMP_ACT_ALLOW"},)";
    entries.pop_back();
    CHECK(error_of(with_entry(entries)).find("2048") != std::string::npos);
    std::string rules;
    for (int i = 0; i < 2000; ++i) {
        rules += base::format(
                R"({{"name":"lseek","action":"SCMP_ACT_ALLOW","args":[{{"index":0,"value":{},"op":"SCMP_CMP_EQ"}}]}},)",
                i);
    }
    rules.pop_back();
    CHECK(error_of(with_entry(rules)).find("1024 of lseek") != std::string::npos);
    std::string wide;
    for (const auto* name : {"lseek", "mmap", "brk", "read"}) {
        for (int i = 0; i < 400; ++i) {
            wide += base::format(
                    R"({{"name":"{}","action":"SCMP_ACT_ALLOW","args":[{{"index":0,"value":{},"op":"SCMP_CMP_EQ"}}]}},)",
                    name, i);
        }
    }
    wide.pop_back();
    CHECK(error_of(with_entry(wide)).find("the kernel takes 4096") != std::string::npos);
}

TEST_CASE("long jumps: a call with hundreds of rules leaves its neighbours right") {
    std::string rules =
            R"({"names":["read","write","open","getpid","reboot"],"action":"SCMP_ACT_LOG"},)";
    for (int i = 0; i < 300; ++i) {
        rules += base::format(
                R"({{"name":"lseek","action":"SCMP_ACT_ALLOW","args":[{{"index":0,"value":{},"op":"SCMP_CMP_EQ"}}]}},)",
                i);
    }
    rules.pop_back();
    const auto f = compile_profile(with_entry(rules), {}).value();
    for (std::uint32_t n = 0; n < 466; ++n) {
        const bool logged =
                n == 0 || n == 1 || n == 2 || n == number("getpid") || n == number("reboot");
        const auto expected = logged     ? SECCOMP_RET_LOG
                              : n == 8   ? kAllow
                              : n == 435 ? errno_action(ENOSYS)
                                         : errno_action(EPERM);
        INFO(n);
        CHECK(action(f, {.number = n}) == expected);
    }
    CHECK(action(f, {.number = 8, .args = {299}}) == kAllow);
    CHECK(action(f, {.number = 8, .args = {300}}) == errno_action(EPERM));
}
