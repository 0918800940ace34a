// What the kernel would answer: a small interpreter of the classic BPF that seccomp allows. Used by
// the seccomp unit tests.
#pragma once

#include "security/seccomp.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace test {

struct SystemCall {
    std::uint32_t number = 0;
    std::array<std::uint64_t, 6> args = {};
    std::uint32_t architecture = AUDIT_ARCH_X86_64;
};

struct Answer {
    std::uint32_t action = 0;
    int steps = 0;
};

inline std::vector<sock_filter> instructions(const security::Filter& filter) {
    std::vector<sock_filter> program(filter.program.size() / sizeof(sock_filter));
    std::memcpy(program.data(), filter.program.data(), filter.program.size());
    return program;
}

inline Answer run_filter(const security::Filter& filter, const SystemCall& call) {
    const auto program = instructions(filter);
    seccomp_data data = {};
    data.nr = static_cast<int>(call.number);
    data.arch = call.architecture;
    for (std::size_t i = 0; i < 6; ++i) data.args[i] = call.args[i];
    std::uint32_t a = 0;
    int steps = 0;
    for (std::size_t pc = 0; pc < program.size();) {
        const auto& op = program[pc++];
        ++steps;
        const auto jump = [&](bool yes) { pc += yes ? op.jt : op.jf; };
        switch (op.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                if (op.k + 4 > sizeof data) throw std::runtime_error("load outside seccomp_data");
                std::memcpy(&a, reinterpret_cast<const char*>(&data) + op.k, 4);
                break;
            case BPF_ALU | BPF_AND | BPF_K:
                a &= op.k;
                break;
            case BPF_JMP | BPF_JA:
                pc += op.k;
                break;
            case BPF_JMP | BPF_JEQ | BPF_K:
                jump(a == op.k);
                break;
            case BPF_JMP | BPF_JGT | BPF_K:
                jump(a > op.k);
                break;
            case BPF_JMP | BPF_JGE | BPF_K:
                jump(a >= op.k);
                break;
            case BPF_RET | BPF_K:
                return {.action = op.k, .steps = steps};
            default:
                throw std::runtime_error("an instruction that seccomp does not know");
        }
    }
    throw std::runtime_error("the program ran over its end");
}

inline std::uint32_t action(const security::Filter& filter, const SystemCall& call) {
    return run_filter(filter, call).action;
}

inline constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW;

constexpr std::uint32_t errno_action(int error) {
    return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

}  // namespace test
