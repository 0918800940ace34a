// From options to wire objects, and the choices the CLI makes itself: image, command line, process
// id. Used by run, create, exec.
#pragma once

#include "base/result.hpp"
#include "cli/options.hpp"
#include "garden/api/client.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cli {

inline constexpr const char* kMainProcess = "main";  // id of what `run` starts

// The first line of a file; tokens are long, files are not passwords.
base::Result<std::string> read_password(base::FdRef file);
base::Result<std::string> read_password_file(const std::string& path);  // of --password-file

// Reads the seccomp and password files and resolves the image name against the working directory.
base::Result<garden::api::ContainerSpec> container_spec(const ContainerOptions& options);

struct TerminalWish {
    bool wanted = false;
    std::uint16_t columns = 80, rows = 24;
    std::string type;  // $TERM
};

// `image`: defaults for user, directory and command; nullptr when none is known. Errc::invalid:
// there is no command.
base::Result<garden::api::ProcessSpec> process_spec(
        const ProcessOptions& options,
        const garden::api::ImageConfig* image,
        const TerminalWish& terminal);
TerminalWish terminal_wish(bool wanted);

// The given id; else "main" when there is one, else the only one (`running` = among those that
// run).
base::Result<std::string> choose_process(
        const std::vector<garden::api::ProcessRow>& rows, const std::string& given, bool running);

}  // namespace cli
