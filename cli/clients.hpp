// Which daemon a command speaks to, and how it is reached: gardend, or the two APIs of a cell. Used
// by main and by the commands of cells.
#pragma once

#include "base/http/client.hpp"
#include "base/result.hpp"
#include "cli/options.hpp"
#include "executor/api/client.hpp"
#include "rep/api/client.hpp"

#include <string>
#include <string_view>

namespace cli {

struct Daemon {
    std::string_view name;  // "gardend", "celld"
    std::string address;
    std::string_view flag;
    std::string_view variable;
};

// For the hint when nobody answers.
Daemon daemon_of(const Arguments& arguments);

// `flag` is named when the address is wrong. The tls flags are those of every daemon.
base::Result<base::http::ClientConfig> client_config(
        const Global& global, std::string_view address, std::string_view flag);
base::Result<executor::api::Client> cell_client(const Global& global);
base::Result<rep::api::Client> rep_client(const Global& global);

}  // namespace cli
