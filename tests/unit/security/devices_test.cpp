#include "security/devices.hpp"

#include <linux/bpf.h>

#include <cstring>
#include <stdexcept>

#include <catch2/catch.hpp>

using security::Class;
using security::device_rules;
using security::DeviceRule;

namespace {

std::vector<std::string> texts(const std::vector<DeviceRule>& rules) {
    std::vector<std::string> out;
    for (const auto& rule : rules) out.push_back(to_string(rule));
    return out;
}

// What the kernel would answer; only the instructions that our programs have.
bool allows(
        const std::string& program,
        char type,
        unsigned access,
        std::uint32_t major,
        std::uint32_t minor) {
    std::vector<bpf_insn> code(program.size() / sizeof(bpf_insn));
    std::memcpy(code.data(), program.data(), program.size());
    const std::uint32_t context[] = {(access << 16) | (type == 'b' ? 1U : 2U), major, minor};
    std::uint32_t r[11] = {};
    for (std::size_t pc = 0; pc < code.size();) {
        const auto& op = code[pc++];
        const auto k = static_cast<std::uint32_t>(op.imm);
        switch (op.code) {
            case BPF_LDX | BPF_MEM | BPF_W:
                r[op.dst_reg] = context[op.off / 4];
                break;
            case BPF_ALU | BPF_MOV | BPF_X:
                r[op.dst_reg] = r[op.src_reg];
                break;
            case BPF_ALU | BPF_MOV | BPF_K:
                r[op.dst_reg] = k;
                break;
            case BPF_ALU | BPF_RSH | BPF_K:
                r[op.dst_reg] >>= k;
                break;
            case BPF_ALU | BPF_AND | BPF_K:
                r[op.dst_reg] &= k;
                break;
            case BPF_JMP32 | BPF_JNE | BPF_K:
                if (r[op.dst_reg] != k) pc += static_cast<std::size_t>(op.off);
                break;
            case BPF_JMP | BPF_EXIT:
                return r[0] == 1;
            default:
                throw std::runtime_error("unknown instruction");
        }
    }
    throw std::runtime_error("ran over the end");
}

constexpr unsigned kMake = 1;
constexpr unsigned kRead = 2;
constexpr unsigned kWrite = 4;

}  // namespace

TEST_CASE("DEV-02 rules of an unprivileged container") {
    CHECK(texts(device_rules(Class::unprivileged)) == std::vector<std::string>{
                                                              "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",
                                                              "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm",
                                                              "c 5:2 rwm", "c 136:* rwm"});
}

TEST_CASE("DEV-03 rules of the privileged classes") {
    const auto privileged = texts(device_rules(Class::privileged));
    CHECK(privileged.size() == 12);
    for (const auto* rule : {"c 10:229 rwm", "c 10:200 rwm", "c *:* m", "b *:* m"}) {
        CHECK(std::count(privileged.begin(), privileged.end(), rule) == 1);
    }
    CHECK(texts(device_rules(Class::privileged_in_userns)).size() == 10);
}

TEST_CASE("DEV-01 nodes") {
    CHECK(security::device_nodes(Class::unprivileged).size() == 6);
    const auto nodes = security::device_nodes(Class::privileged);
    CHECK(nodes.size() == 8);
    CHECK(nodes.back().name == "net/tun");
}

TEST_CASE("DEV-04 the v2 program says what the rules say") {
    const auto plain = security::device_program(device_rules(Class::unprivileged));
    CHECK(allows(plain, 'c', kRead | kWrite, 1, 3));
    CHECK(allows(plain, 'c', kMake, 136, 77));
    CHECK_FALSE(allows(plain, 'b', kRead, 1, 3));
    CHECK_FALSE(allows(plain, 'c', kRead, 1, 1));
    CHECK_FALSE(allows(plain, 'c', kRead, 5, 1));
    CHECK_FALSE(allows(plain, 'c', kMake, 10, 200));
    const auto privileged = security::device_program(device_rules(Class::privileged));
    CHECK(allows(privileged, 'b', kMake, 8, 0));
    CHECK_FALSE(allows(privileged, 'b', kRead, 8, 0));
    CHECK_FALSE(allows(privileged, 'b', kMake | kRead, 8, 0));
    CHECK(allows(privileged, 'c', kRead | kWrite, 10, 229));
    // DEV-03: memory, kernel log, console, loop, kvm stay closed.
    for (const auto& [type, major, minor] :
         {std::tuple('c', 1U, 1U),
          {'c', 1U, 2U},
          {'c', 1U, 11U},
          {'c', 5U, 1U},
          {'b', 7U, 0U},
          {'c', 10U, 237U},
          {'c', 10U, 232U}}) {
        CHECK_FALSE(allows(privileged, type, kRead, major, minor));
        CHECK_FALSE(allows(privileged, type, kWrite, major, minor));
    }
    CHECK_FALSE(allows(security::device_program({}), 'c', kRead, 1, 3));
    const DeviceRule everything{.type = 'a', .read = true, .write = true, .make = true};
    CHECK(allows(security::device_program({everything}), 'b', kRead, 0xffffffff, 0xffffffff));
}

TEST_CASE("DEV-05 rules on the command line are named exactly") {
    CHECK(to_string(security::parse_device_rule("c 10:200 rwm").value()) == "c 10:200 rwm");
    CHECK(to_string(security::parse_device_rule("b 8:1 r").value()) == "b 8:1 r");
    CHECK(to_string(security::parse_device_rule("c 189:* wr").value()) == "c 189:* rw");
    CHECK(to_string(security::parse_device_rule("c *:* m").value()) == "c *:* m");
    for (const auto* text :
         {"",          "c",        "c 1:3",      "c 1:3 ",        "c 1:3 x",   "c 1:3 rr",
          "a *:* rwm", "b *:0 r",  "b 8:* r",    "c *:* r",       "c *:3 rwm", "c 1 rwm",
          "cc 1:3 r",  "c  1:3 r", "c 4096:0 r", "c 1:1048576 r", "c -1:3 r",  "c 1:3 r w",
          "c 1:: r",   "d 1:3 r"}) {
        INFO(text);
        const auto rule = security::parse_device_rule(text);
        REQUIRE(!rule);
        CHECK(rule.error().kind == base::Errc::invalid);
    }
}
