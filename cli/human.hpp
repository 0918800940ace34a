// Quantities for people: sizes, ages, and the sizes that people type. Used by tables, progress and
// arguments.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace cli {

std::string human_bytes(std::uint64_t bytes);         // "0 B", "1.5 KiB", "12 MiB"
std::string human_age(std::chrono::nanoseconds age);  // "3 s", "4 min", "2 h", "5 d"
// "64m", "1.5g", "1024": binary units b, k, m, g, t, with an optional "b" or "ib" behind. 0 is
// refused.
base::Result<std::uint64_t> parse_bytes(std::string_view text, std::string_view what);
// Cells of a terminal, not bytes: continuation bytes of UTF-8 count nothing.
std::size_t display_width(std::string_view text);
// Control characters of foreign text must not reach a terminal: they become '?', those of Unicode
// (C1, bidi) and bytes that are no UTF-8 as well. `allowed`: those that may stay.
std::string printable(std::string_view text, std::string_view allowed = {});

}  // namespace cli
