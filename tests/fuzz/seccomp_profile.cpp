// OCI seccomp profiles come from API clients: no text may crash the compiler, run long, or make a
// program the kernel could not run.
#include "security/capabilities.hpp"
#include "security/seccomp.hpp"
#include "security/seccomp_policy.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/unit/security/interpreter.hpp"

#include <array>
#include <string_view>

namespace {

constexpr std::uint32_t kNumberStep = 37;

void check(const security::Filter& filter, std::uint32_t first) {
    fuzz::require(
            !filter.program.empty() &&
                    filter.program.size() <= security::kMaxInstructions * sizeof(sock_filter),
            "a program has 1 to 4096 instructions");
    fuzz::require(filter.hash.starts_with("sha256:"), "a filter has a hash");
    fuzz::require(!filter.listing.empty(), "a filter has a listing");
    // The interpreter throws when a jump leaves the program or a load its data: an uncaught
    // exception is a finding.
    constexpr std::array<std::uint32_t, 3> kArchitectures = {
            AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64};
    constexpr std::array<std::uint64_t, 3> kArguments = {
            0, ~std::uint64_t{0}, std::uint64_t{1} << 32};
    for (const auto architecture : kArchitectures) {
        // Some numbers only, and others for another input: the search goes on faster.
        for (std::uint32_t number = first; number < 512; number += kNumberStep) {
            for (const auto argument : kArguments) {
                std::array<std::uint64_t, 6> args{};
                args.fill(argument);
                for (const auto bit : {0U, security::kX32Bit}) {
                    (void)test::run_filter(
                            filter,
                            {.number = number | bit, .args = args, .architecture = architecture});
                }
            }
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    bool strict = false;
    for (const bool lenient : {false, true}) {
        const auto filter = security::compile_profile(
                text, {.capabilities = security::kUnprivilegedMask,
                       .kernel_major = 6,
                       .kernel_minor = 1,
                       .ignore_unknown = lenient});
        if (filter)
            check(*filter, static_cast<std::uint32_t>(size % kNumberStep));
        else
            fuzz::require(!filter.error().text.empty(), "an error says something");
        if (lenient)
            fuzz::require(filter.has_value() || !strict, "lenient takes what strict takes");
        strict = filter.has_value();
    }
    return 0;
}
