#include "cli/exit_code.hpp"

namespace cli {

int exit_code(const base::Error& error) {
    switch (error.kind) {
        case base::Errc::not_found:
            return kExitNotFound;
        case base::Errc::unavailable:
        case base::Errc::timeout:
            return kExitUnavailable;
        case base::Errc::invalid:
            return kExitUsage;
        case base::Errc::already_exists:
        case base::Errc::conflict:
        case base::Errc::denied:
        case base::Errc::exhausted:
        case base::Errc::cancelled:
        case base::Errc::unsupported:
        case base::Errc::corrupt:
        case base::Errc::internal:
            return kExitFailed;
    }
    return kExitFailed;
}

int start_exit_code(const base::Error& error) {
    // garden-api §3: the texts are part of the wire.
    const auto has = [&](std::string_view text) {
        return error.text.find(text) != std::string::npos;
    };
    const bool executing = has("exec: ") || has("execute ");
    if (has("executable file not found") || (executing && has("no such file or directory")))
        return kExitNoExecutable;
    // A directory, a file without the permission, a program of another machine.
    if (executing && (has("ermission denied") || has("xec format error")))
        return kExitNotExecutable;
    return kExitNotStarted;
}

}  // namespace cli
