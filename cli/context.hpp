// What every command gets: the daemon, the flags, and where to print. Made by main.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "cli/options.hpp"
#include "cli/table.hpp"
#include "garden/api/client.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace cli {

struct Context {
    const Global& global;
    garden::api::Client& client;
    bool color = false;         // standard output is a terminal and nobody objects
    std::uint16_t columns = 0;  // of the terminal behind standard error; 0 = none

    bool json() const { return global.json; }
};

// All of it; waits when the descriptor takes nothing now.
base::Result<void> write_out(base::FdRef fd, std::string_view data);
// Data goes to standard output, talk to standard error. A reader that left (EPIPE) ends the command
// with an error.
base::Result<void> print(std::string_view text);
void say(std::string_view text);  // with a line break added; control characters are taken out
base::Result<void> print_table(const Context& context, const Table& table);
// The same text with line breaks and indentation; what is not JSON stays as it is.
std::string pretty_json(const std::string& text);
// JSON as a table of "a.b.c" and values.
base::Result<void> print_flat(const Context& context, const std::string& json);

}  // namespace cli
