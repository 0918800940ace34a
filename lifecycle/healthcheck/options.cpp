#include "lifecycle/healthcheck/options.hpp"

#include "base/parse.hpp"
#include "base/sys/error.hpp"
#include "lifecycle/flags/flags.hpp"

#include <array>
#include <utility>
#include <vector>

namespace lifecycle {

namespace {

// The command line as written; the flags of the modes are five, the mode is one.
struct Written {
    std::string network = "tcp";
    std::string port = "8080";
    CheckOptions options;
    std::chrono::nanoseconds startup{0};
    std::chrono::nanoseconds liveness{0};
    std::chrono::nanoseconds readiness{0};
    std::chrono::nanoseconds until_ready{0};
};

std::vector<Flag> flags_of(Written& out) {
    return {
            text_flag("network", "how to connect: tcp (default)", out.network),
            text_flag("port", "port that the app listens on (default 8080)", out.port),
            text_flag(
                    "uri", "path to GET; empty: a connection is enough (default)", out.options.uri),
            duration_flag("timeout", "time for one check (default 1s)", out.options.timeout),
            duration_flag(
                    "startup-interval", "check so often until it is healthy or -startup-timeout",
                    out.startup),
            duration_flag(
                    "startup-timeout", "time to become healthy; 0: for ever (default 60s)",
                    out.options.startup_timeout),
            duration_flag(
                    "liveness-interval", "check so often until it is not healthy", out.liveness),
            duration_flag(
                    "readiness-interval", "check so often until it is not healthy", out.readiness),
            duration_flag(
                    "until-ready-interval", "check so often until it is healthy", out.until_ready),
    };
}

base::Error invalid(std::string text) {
    return base::sys::plain_error(base::Errc::invalid, std::move(text));
}

base::Result<void> choose_mode(Written& written) {
    const std::array modes{
            std::pair{Mode::startup, written.startup}, std::pair{Mode::liveness, written.liveness},
            std::pair{Mode::readiness, written.readiness},
            std::pair{Mode::until_ready, written.until_ready}};
    for (const auto& [mode, interval] : modes) {
        if (interval.count() == 0) continue;
        if (written.options.mode != Mode::once)
            return invalid(
                    "only one of -startup-interval, -liveness-interval, "
                    "-readiness-interval and -until-ready-interval can be given");
        written.options.mode = mode;
        written.options.interval = interval;
    }
    return base::ok;
}

}  // namespace

base::Result<std::optional<CheckOptions>> parse_check_options(
        std::span<const char* const> arguments) {
    Written written;
    const auto flags = flags_of(written);
    if (TRY(read_flags(arguments, flags)) == Asked::help) return std::optional<CheckOptions>();
    if (written.network != "tcp" && written.network != "tcp4")
        return invalid("flag -network: '" + written.network.substr(0, 64) + "' is not tcp");
    written.options.port = TRY(base::parse_number<std::uint16_t>(written.port, "flag -port"));
    if (written.options.port == 0) return invalid("flag -port: must not be 0");
    if (written.options.timeout.count() == 0) return invalid("flag -timeout: must be over 0");
    TRY(choose_mode(written));
    return std::optional(std::move(written.options));
}

std::string check_usage() {
    Written unused;
    return usage("healthcheck", flags_of(unused));
}

}  // namespace lifecycle
