// From argv to Arguments. Used by main; tested without a terminal or a daemon.
#pragma once

#include "base/result.hpp"
#include "cli/options.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cli {

struct Parsed {
    Arguments arguments;
    std::string print;  // help or version: print this and exit with 0
};

// `arguments` without the program's name. Errc::invalid: a usage error that names the flag.
// The others are CLOCHE_HOST, CLOCHE_CELL and CLOCHE_REP, "" when unset.
base::Result<Parsed> parse_arguments(
        std::vector<std::string> arguments,
        std::string_view environment_host,
        std::string_view environment_cell = {},
        std::string_view environment_rep = {});

// "src:dst[:ro|:rw]", both absolute.
base::Result<VolumeOption> parse_volume(std::string_view text);

}  // namespace cli
