// The v2 device filter as eBPF, written by hand: a dozen instructions a rule, no compiler and no
// library (DEV-04).
#include "security/devices.hpp"

#include <linux/bpf.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace security {

namespace {

// Registers: the context in r1 until it is read, then scratch.
constexpr std::uint8_t kResult = BPF_REG_0;
constexpr std::uint8_t kContext = BPF_REG_1;
constexpr std::uint8_t kScratch = BPF_REG_1;
constexpr std::uint8_t kType = BPF_REG_2;
constexpr std::uint8_t kAccess = BPF_REG_3;
constexpr std::uint8_t kMajor = BPF_REG_4;
constexpr std::uint8_t kMinor = BPF_REG_5;

bpf_insn instruction(
        unsigned code,
        std::uint8_t to,
        std::uint8_t from,
        std::int16_t offset,
        std::uint32_t value) {
    bpf_insn out = {};
    out.code = static_cast<std::uint8_t>(code);
    out.dst_reg = to & 0xfU;
    out.src_reg = from & 0xfU;
    out.off = offset;
    out.imm = static_cast<std::int32_t>(value);
    return out;
}

bpf_insn load(std::uint8_t to, std::size_t offset) {
    return instruction(
            BPF_LDX | BPF_MEM | BPF_W, to, kContext, static_cast<std::int16_t>(offset), 0);
}

// 32 bits wide, so that a number above 2^31 is not sign-extended.
bpf_insn alu(unsigned operation, std::uint8_t to, std::uint32_t value) {
    return instruction(BPF_ALU | operation | BPF_K, to, 0, 0, value);
}

bpf_insn answer(bool allow) {
    return alu(BPF_MOV, kResult, allow ? 1 : 0);
}

bpf_insn leave() {
    return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

void add_rule(std::vector<bpf_insn>& program, const DeviceRule& rule) {
    // A fixed array: GCC 12 takes the growth of a vector here for an overflow
    // (-Wstringop-overflow).
    constexpr std::size_t kMostTests = 6;  // type, three for the access, major, minor
    std::array<bpf_insn, kMostTests> tests = {};
    std::size_t count = 0;
    const auto require_equal = [&](std::uint8_t reg, std::uint32_t value) {
        tests[count++] = instruction(BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, 0, value);
    };
    if (rule.type != 'a')
        require_equal(kType, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    constexpr std::uint32_t kRead = BPF_DEVCG_ACC_READ;
    constexpr std::uint32_t kWrite = BPF_DEVCG_ACC_WRITE;
    constexpr std::uint32_t kMake = BPF_DEVCG_ACC_MKNOD;
    constexpr std::uint32_t kEvery = kRead | kWrite | kMake;
    const std::uint32_t access =
            (rule.read ? kRead : 0) | (rule.write ? kWrite : 0) | (rule.make ? kMake : 0);
    if (access != kEvery) {
        // One rule has to cover all that is asked for, as in the v1 controller.
        tests[count++] = instruction(BPF_ALU | BPF_MOV | BPF_X, kScratch, kAccess, 0, 0);
        tests[count++] = alu(BPF_AND, kScratch, ~access);
        require_equal(kScratch, 0);
    }
    if (rule.major) require_equal(kMajor, *rule.major);
    if (rule.minor) require_equal(kMinor, *rule.minor);
    // A failed test goes behind this rule: over the tests that are left, the answer and the exit.
    for (std::size_t i = 0; i < count; ++i) {
        if ((tests[i].code & 0x07) == BPF_JMP32)
            tests[i].off = static_cast<std::int16_t>(count - i - 1 + 2);
    }
    for (std::size_t i = 0; i < count; ++i) program.push_back(tests[i]);
    program.push_back(answer(true));
    program.push_back(leave());
}

}  // namespace

std::string device_program(const std::vector<DeviceRule>& allowed) {
    std::vector<bpf_insn> program = {
            load(kType, offsetof(bpf_cgroup_dev_ctx, access_type)),
            load(kMajor, offsetof(bpf_cgroup_dev_ctx, major)),
            load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)),
            instruction(BPF_ALU | BPF_MOV | BPF_X, kAccess, kType, 0, 0),
            alu(BPF_RSH, kAccess, 16),
            alu(BPF_AND, kType, 0xffff)};
    bool everything = false;
    for (const auto& rule : allowed) {
        // The verifier refuses unreachable instructions: nothing may follow a rule that matches
        // everything.
        everything = rule.type == 'a' && !rule.major && !rule.minor && rule.read && rule.write &&
                     rule.make;
        add_rule(program, rule);
        if (everything) break;
    }
    if (!everything) {
        program.push_back(answer(false));
        program.push_back(leave());
    }
    std::string bytes(program.size() * sizeof(bpf_insn), '\0');
    std::memcpy(bytes.data(), program.data(), bytes.size());
    return bytes;
}

}  // namespace security
