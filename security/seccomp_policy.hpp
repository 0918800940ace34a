// A system-call policy as a plain value: which call gets which action under which condition. Made
// by the class lists and by OCI profiles (seccomp_class.cpp, seccomp_profile.cpp), turned into BPF
// and text by seccomp_compile.cpp. Private to security.
#pragma once

#include "base/result.hpp"
#include "security/seccomp.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace security {

inline constexpr std::uint32_t kNewestCall = 466;  // the newest number of our table; SC-03
inline constexpr std::uint32_t kX32Bit = 0x40000000;
inline constexpr std::size_t kMaxConditions =
        16;  // of one rule: jumps of BPF reach 255 instructions
inline constexpr std::size_t kMaxInstructions = 4096;  // BPF_MAXINSNS

enum class Compare : std::uint8_t {
    equal,
    not_equal,
    less,
    less_or_equal,
    greater,
    greater_or_equal,
    masked_equal
};

struct Condition {
    std::uint32_t argument = 0;  // 0 to 5
    Compare compare = Compare::equal;
    std::uint64_t value = 0;
    std::uint64_t mask = ~std::uint64_t{0};  // masked_equal only
    bool narrow = false;  // the kernel reads the low 32 bits only, and so do we (SC-06)

    friend auto operator<=>(const Condition&, const Condition&) = default;  // NOLINT
};

struct Rule {
    std::vector<Condition> conditions;  // all must hold; sorted
    std::uint32_t action = 0;           // SECCOMP_RET_* with data

    friend bool operator==(const Rule&, const Rule&) = default;
};

struct Call {
    std::string name;
    std::vector<Rule> rules;  // the first that holds decides; none: the default action

    friend bool operator==(const Call&, const Call&) = default;
};

// One value of the architecture word. x32 shares the one of x86-64 and differs by kX32Bit of the
// number.
struct ArchitecturePolicy {
    std::string name;         // "x86_64", for the listing
    std::uint32_t audit = 0;  // AUDIT_ARCH_*
    bool x32 = false;         // calls with kX32Bit are in `calls`
    std::uint32_t newest = kNewestCall;
    std::map<std::uint32_t, Call> calls;
};

struct Policy {
    std::uint32_t default_action = 0;
    std::uint32_t newer_action = 0;                 // numbers above `newest` (SC-03)
    std::uint32_t foreign_action = 0;               // other architecture words (SC-02)
    std::vector<ArchitecturePolicy> architectures;  // the native one first
    bool log = false;
    std::vector<std::string> notes;  // lines of the listing
    std::string listener_path;
    std::string listener_metadata;
};

base::Result<Filter> compile(const Policy& policy);
std::string list_policy(const Policy& policy);

// Restrictive before permissive, the unconditional one last: what a document's order cannot change.
void order_rules(std::vector<Rule>& rules);
std::string action_text(std::uint32_t action);

// Number of `name` on an architecture of libseccomp (SCMP_ARCH_*).
struct Resolved {
    bool known = false;                   // of any architecture
    std::optional<std::uint32_t> number;  // on this one
};

Resolved resolve_call(std::uint32_t architecture, const std::string& name);
std::uint32_t native_architecture();
// The other way, for calls that are younger than the library's table; "" for others.
std::string_view young_call_name(std::uint32_t architecture, std::uint32_t number);
// Bit n: argument n of this call has 32 bits (SC-06).
std::uint32_t narrow_arguments(std::string_view name);

}  // namespace security
