// One failure as a value: what kind, which errno, a sentence, and where it was noticed; used by
// everything.
#pragma once

#include "base/where.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace base {

// A kind means a decision for the caller, not a place (conventions §4).
enum class Errc : std::uint8_t {
    invalid,
    not_found,
    already_exists,
    conflict,
    denied,
    exhausted,
    unavailable,
    timeout,
    cancelled,
    unsupported,
    corrupt,
    internal,
};

// The word of a kind, as it appears in JSON and logs.
std::string_view to_string(Errc kind);

// The kind that an errno value stands for; the one table of the house.
Errc errc_of_errno(int error);

// The HTTP status that a kind is answered with; the one table of the house.
int http_status(Errc kind);

struct [[nodiscard]] Error {
    Errc kind = Errc::internal;
    int sys = 0;  // errno, or 0
    std::string text;
    Where where;

    // Adds what this level knows in front: "create container web-1: <text>".
    Error&& context(std::string_view prefix) &&;
};

// Ends the program: a broken invariant, never an opinion about the outside world.
[[noreturn]] void panic(std::string_view text, Where where = Where::here());

}  // namespace base
