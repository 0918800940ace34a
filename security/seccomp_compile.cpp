// Policy to classic BPF: the architecture word first, then a binary search over the call numbers,
// then arguments (SC-01, SC-02). Our own assembler and not libseccomp's: its version on the oldest
// host cannot compare 32 bits only (SC-06), knows no calls after 5.17, and cannot answer ENOSYS
// above a number (SC-03).
#include "base/fail.hpp"
#include "security/seccomp_policy.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <bit>
#include <cstring>

#include <openssl/evp.h>

namespace security {

namespace {

static_assert(
        std::endian::native == std::endian::little,
        "argument halves are loaded in little-endian order");

constexpr std::uint32_t kNumberAt = offsetof(seccomp_data, nr);
constexpr std::uint32_t kArchitectureAt = offsetof(seccomp_data, arch);

std::uint32_t low_at(std::uint32_t argument) {
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) + 8 * argument;
}

std::uint32_t high_at(std::uint32_t argument) {
    return low_at(argument) + 4;
}

std::uint32_t low(std::uint64_t value) {
    return static_cast<std::uint32_t>(value);
}

std::uint32_t high(std::uint64_t value) {
    return static_cast<std::uint32_t>(value >> 32);
}

using Program = std::vector<sock_filter>;

sock_filter statement(unsigned code, std::uint32_t value) {
    return {.code = static_cast<std::uint16_t>(code), .jt = 0, .jf = 0, .k = value};
}

sock_filter load(std::uint32_t offset) {
    return statement(BPF_LD | BPF_W | BPF_ABS, offset);
}

sock_filter give(std::uint32_t action) {
    return statement(BPF_RET | BPF_K, action);
}

// Where a test inside one rule goes on; `next` falls through.
enum class Go : std::uint8_t { next, fail, pass };

struct Step {
    sock_filter code = {};
    Go yes = Go::next;
    Go no = Go::next;
};

Step plain(sock_filter code) {
    return {.code = code};
}

Step test(unsigned operation, std::uint32_t value, Go yes, Go no) {
    return {.code = statement(BPF_JMP | operation | BPF_K, value), .yes = yes, .no = no};
}

void add_low(std::vector<Step>& steps, const Condition& c) {
    const std::uint32_t value = low(c.value);
    steps.push_back(plain(load(low_at(c.argument))));
    switch (c.compare) {
        case Compare::equal:
            steps.push_back(test(BPF_JEQ, value, Go::next, Go::fail));
            break;
        case Compare::not_equal:
            steps.push_back(test(BPF_JEQ, value, Go::fail, Go::next));
            break;
        case Compare::less:
            steps.push_back(test(BPF_JGE, value, Go::fail, Go::next));
            break;
        case Compare::less_or_equal:
            steps.push_back(test(BPF_JGT, value, Go::fail, Go::next));
            break;
        case Compare::greater:
            steps.push_back(test(BPF_JGT, value, Go::next, Go::fail));
            break;
        case Compare::greater_or_equal:
            steps.push_back(test(BPF_JGE, value, Go::next, Go::fail));
            break;
        case Compare::masked_equal:
            steps.push_back(plain(statement(BPF_ALU | BPF_AND | BPF_K, low(c.mask))));
            steps.push_back(test(BPF_JEQ, value, Go::next, Go::fail));
            break;
    }
}

void add_high(std::vector<Step>& steps, const Condition& c) {
    const std::uint32_t value = high(c.value);
    steps.push_back(plain(load(high_at(c.argument))));
    switch (c.compare) {
        case Compare::equal:
            steps.push_back(test(BPF_JEQ, value, Go::next, Go::fail));
            break;
        case Compare::not_equal:
            steps.push_back(test(BPF_JEQ, value, Go::next, Go::pass));
            break;
        case Compare::less:
        case Compare::less_or_equal:
            steps.push_back(test(BPF_JGT, value, Go::fail, Go::next));
            steps.push_back(test(BPF_JEQ, value, Go::next, Go::pass));
            break;
        case Compare::greater:
        case Compare::greater_or_equal:
            steps.push_back(test(BPF_JGT, value, Go::pass, Go::next));
            steps.push_back(test(BPF_JEQ, value, Go::next, Go::fail));
            break;
        case Compare::masked_equal:
            steps.push_back(plain(statement(BPF_ALU | BPF_AND | BPF_K, high(c.mask))));
            steps.push_back(test(BPF_JEQ, value, Go::next, Go::fail));
            break;
    }
}

std::uint8_t distance(Go go, std::size_t from, std::size_t pass, std::size_t fail) {
    switch (go) {
        case Go::next:
            return 0;
        case Go::pass:
            return static_cast<std::uint8_t>(pass - from - 1);
        case Go::fail:
            return static_cast<std::uint8_t>(fail - from - 1);
    }
    return 0;
}

void add_rule(Program& program, const Rule& rule) {
    std::vector<std::vector<Step>> conditions;
    std::size_t total = 0;
    for (const auto& condition : rule.conditions) {
        auto& steps = conditions.emplace_back();
        if (!condition.narrow) add_high(steps, condition);
        add_low(steps, condition);
        total += steps.size();
    }
    // Steps are counted from the start of the rule; "fail" lies behind its `ret`.
    const std::size_t fail = total + 1;
    std::size_t at = 0;
    for (const auto& steps : conditions) {
        const std::size_t pass = at + steps.size();
        for (const auto& step : steps) {
            sock_filter code = step.code;
            code.jt = distance(step.yes, at, pass, fail);
            code.jf = distance(step.no, at, pass, fail);
            program.push_back(code);
            ++at;
        }
    }
    program.push_back(give(rule.action));
}

void add_leaf(Program& program, const std::vector<Rule>& rules, std::uint32_t otherwise) {
    for (const auto& rule : rules) {
        add_rule(program, rule);
        if (rule.conditions.empty()) return;
    }
    program.push_back(give(otherwise));
}

// All numbers from `first` up to the next segment's are decided alike.
struct Segment {
    std::uint32_t first = 0;
    std::vector<Rule> rules;
    std::uint32_t otherwise = 0;
};

void push(std::vector<Segment>& segments, Segment segment) {
    if (!segments.empty()) {
        auto& last = segments.back();
        if (last.first == segment.first) {
            segments.pop_back();
            push(segments, std::move(segment));
            return;
        }
        if (last.rules == segment.rules && last.otherwise == segment.otherwise) return;
    }
    segments.push_back(std::move(segment));
}

std::vector<Segment> segments_of(const ArchitecturePolicy& architecture, const Policy& policy) {
    std::vector<Segment> segments;
    const std::uint32_t newest = architecture.newest;
    const std::uint32_t beyond = architecture.x32 ? policy.newer_action : policy.foreign_action;
    push(segments, {.first = 0, .rules = {}, .otherwise = policy.default_action});
    const auto add_calls = [&](std::uint32_t from, std::uint32_t to) {
        for (auto it = architecture.calls.lower_bound(from);
             it != architecture.calls.end() && it->first <= to; ++it) {
            push(segments, {.first = it->first,
                            .rules = it->second.rules,
                            .otherwise = policy.default_action});
            push(segments,
                 {.first = it->first + 1, .rules = {}, .otherwise = policy.default_action});
        }
    };
    add_calls(0, newest);
    push(segments, {.first = newest + 1, .rules = {}, .otherwise = policy.newer_action});
    if (architecture.x32) {
        push(segments, {.first = kX32Bit, .rules = {}, .otherwise = policy.default_action});
        add_calls(kX32Bit, kX32Bit | newest);
        push(segments, {.first = (kX32Bit | newest) + 1, .rules = {}, .otherwise = beyond});
    } else {
        push(segments, {.first = kX32Bit, .rules = {}, .otherwise = beyond});
    }
    return segments;
}

// The code of segments [begin, end): the number is in the accumulator.
Program search(const std::vector<Segment>& segments, std::size_t begin, std::size_t end) {
    Program program;
    if (end - begin == 1) {
        add_leaf(program, segments[begin].rules, segments[begin].otherwise);
        return program;
    }
    const std::size_t middle = begin + (end - begin) / 2;
    const Program left = search(segments, begin, middle);
    const Program right = search(segments, middle, end);
    sock_filter branch = statement(BPF_JMP | BPF_JGE | BPF_K, segments[middle].first);
    if (left.size() <= 255) {
        branch.jt = static_cast<std::uint8_t>(left.size());
        program.push_back(branch);
    } else {
        // Too far for a conditional jump: over it to the left half, or by the long jump to the
        // right one.
        branch.jf = 1;
        program.push_back(branch);
        program.push_back(statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(left.size())));
    }
    program.insert(program.end(), left.begin(), left.end());
    program.insert(program.end(), right.begin(), right.end());
    return program;
}

base::Result<Program> assemble(const Policy& policy) {
    Program program = {load(kArchitectureAt)};
    for (const auto& architecture : policy.architectures) {
        const auto segments = segments_of(architecture, policy);
        const Program block = search(segments, 0, segments.size());
        sock_filter branch = statement(BPF_JMP | BPF_JEQ | BPF_K, architecture.audit);
        branch.jt = 1;
        program.push_back(branch);
        program.push_back(
                statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(block.size() + 1)));
        program.push_back(load(kNumberAt));
        program.insert(program.end(), block.begin(), block.end());
    }
    program.push_back(give(policy.foreign_action));
    if (program.size() > kMaxInstructions) {
        return base::fail(
                base::Errc::exhausted, "the filter has {} instructions, the kernel takes {}",
                program.size(), kMaxInstructions);
    }
    return program;
}

base::Result<std::string> hash_of(const std::string& bytes) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (::EVP_Digest(bytes.data(), bytes.size(), digest, &length, ::EVP_sha256(), nullptr) != 1) {
        return base::fail(base::Errc::internal, "hash the filter");
    }
    std::string text = "sha256:";
    for (unsigned i = 0; i < length; ++i)
        text += base::format("{:02x}", static_cast<unsigned>(digest[i]));
    return text;
}

}  // namespace

base::Result<Filter> compile(const Policy& policy) {
    const Program program = TRY(assemble(policy));
    Filter filter;
    filter.program.resize(program.size() * sizeof(sock_filter));
    std::memcpy(filter.program.data(), program.data(), filter.program.size());
    filter.hash = TRY(hash_of(filter.program));
    filter.listing = base::format("# {}, {} instructions\n", filter.hash, program.size()) +
                     list_policy(policy);
    filter.log = policy.log;
    filter.listener_path = policy.listener_path;
    filter.listener_metadata = policy.listener_metadata;
    return filter;
}

}  // namespace security
