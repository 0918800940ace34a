#include "lifecycle/flags/flags.hpp"

#include "base/clock.hpp"

#include <algorithm>

namespace lifecycle {

namespace {

base::Error invalid(std::string text) {
    return base::Error{
            .kind = base::Errc::invalid,
            .sys = 0,
            .text = std::move(text),
            .where = base::Where::here()};
}

std::string dashed(std::string_view name) {
    return "-" + std::string(name.substr(0, 64));
}

}  // namespace

Flag text_flag(std::string_view name, std::string_view help, std::string& out) {
    return {.name = name,
            .help = help,
            .set = [&out](std::string_view value) -> base::Result<void> {
                out = value;
                return base::ok;
            }};
}

Flag duration_flag(std::string_view name, std::string_view help, std::chrono::nanoseconds& out) {
    return {.name = name,
            .help = help,
            .set = [&out](std::string_view value) -> base::Result<void> {
                const auto duration = TRY(base::parse_duration(value));
                // Added to a clock's reading, the longest durations would wrap.
                if (duration > kMaxDuration)
                    return invalid(
                            "'" + base::to_text(duration) + "' is over the limit of " +
                            base::to_text(kMaxDuration));
                out = duration;
                return base::ok;
            }};
}

base::Result<Asked> read_flags(
        std::span<const char* const> arguments, std::span<const Flag> flags) {
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        std::string_view word = arguments[at];
        if (!word.starts_with('-') || word == "-" || word == "--")
            return invalid("unexpected argument '" + std::string(word.substr(0, 64)) + "'");
        word.remove_prefix(word.starts_with("--") ? 2 : 1);
        const auto equals = word.find('=');
        const auto name = word.substr(0, equals);
        if (name == "h" || name == "help") return Asked::help;
        const auto flag = std::find_if(flags.begin(), flags.end(), [name](const Flag& known) {
            return known.name == name;
        });
        if (flag == flags.end()) return invalid("unknown flag " + dashed(name));
        std::string_view value;
        if (equals != std::string_view::npos) {
            value = word.substr(equals + 1);
        } else if (++at < arguments.size()) {
            value = arguments[at];
        } else {
            return invalid("flag " + dashed(name) + " needs a value");
        }
        TRY(flag->set(value).context("flag " + dashed(name)));
    }
    return Asked::run;
}

std::string usage(std::string_view program, std::span<const Flag> flags) {
    std::string out("usage: ");
    out.append(program).append(" [-FLAG=VALUE]...\n");
    std::size_t width = 0;
    for (const Flag& flag : flags) width = std::max(width, flag.name.size());
    for (const Flag& flag : flags) {
        out.append("  -").append(flag.name).append(width - flag.name.size() + 2, ' ');
        out.append(flag.help).append("\n");
    }
    return out;
}

}  // namespace lifecycle
