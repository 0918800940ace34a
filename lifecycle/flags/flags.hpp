// Flags as the recipes of apps write them: "-name=value" or "-name value", one dash or two. Used by
// the programs of lifecycle/, whose command lines other people's software makes. No fmt: static.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace lifecycle {

inline constexpr int kUsage = 2;  // exit code of a bad command line, where the recipe has no other

inline constexpr std::chrono::hours kMaxDuration{30 * 24};

struct Flag {
    std::string_view name;  // without dashes
    std::string_view help;  // one line, with the default
    std::function<base::Result<void>(std::string_view value)> set;
};

Flag text_flag(std::string_view name, std::string_view help, std::string& out);
// "500ms", "1m30s", "0"; kMaxDuration at most.
Flag duration_flag(std::string_view name, std::string_view help, std::chrono::nanoseconds& out);

enum class Asked { run, help };

// Every flag in the order written, the last one wins; anything that is no known flag is
// Errc::invalid, and so is a flag without its value.
base::Result<Asked> read_flags(std::span<const char* const> arguments, std::span<const Flag> flags);

std::string usage(std::string_view program, std::span<const Flag> flags);

}  // namespace lifecycle
