#include "base/log.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "base/parse.hpp"
#include "base/trace.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace base::log {

namespace {

// logfmt: a value with a space, quote, '=' or control character is quoted.
void append_value(std::string& out, std::string_view value) {
    const bool plain = !value.empty() && value.find_first_of(" \"=\\") == std::string_view::npos &&
                       std::all_of(value.begin(), value.end(), [](char c) {
                           return static_cast<unsigned char>(c) > 0x20;
                       });
    if (plain) {
        out += value;
        return;
    }
    out += '"';
    json::append_escaped(out, value);  // no raw newline ever: a field cannot forge a second line
    out += '"';
}

int priority(Level level) {
    switch (level) {
        case Level::debug:
            return 7;
        case Level::info:
            return 6;
        case Level::warning:
            return 4;
        case Level::error:
            return 3;
        case Level::fatal:
            return 2;
    }
    return 6;
}

}  // namespace

Field::Field(std::string_view n, std::chrono::nanoseconds v) : name(n) {
    value = fmt::format("{:.3f}ms", std::chrono::duration<double, std::milli>(v).count());
}

std::string_view to_string(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warning:
            return "warning";
        case Level::error:
            return "error";
        case Level::fatal:
            return "fatal";
    }
    return "info";
}

Result<Level> parse_level(std::string_view word) {
    if (word == "warn") return Level::warning;
    for (const auto level :
         {Level::debug, Level::info, Level::warning, Level::error, Level::fatal}) {
        if (to_string(level) == word) return level;
    }
    return fail(
            Errc::invalid, "log level '{}': expected debug, info, warning, error or fatal",
            word.substr(0, 32));
}

Result<Format> parse_format(std::string_view word) {
    if (word == "text") return Format::text;
    if (word == "json") return Format::json;
    return fail(Errc::invalid, "log format '{}': expected text or json", word.substr(0, 32));
}

bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");  // NOLINT: read once, before threads
    if (stream == nullptr) return false;
    const std::string_view text = stream;
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return false;
    const auto device = parse_number<std::uint64_t>(text.substr(0, colon), "device");
    const auto inode = parse_number<std::uint64_t>(text.substr(colon + 1), "inode");
    struct ::stat found = {};
    return device && inode && ::fstat(STDERR_FILENO, &found) == 0 && found.st_dev == *device &&
           found.st_ino == *inode;
}

std::string render(
        const Config& config,
        Level level,
        std::chrono::system_clock::time_point time,
        std::string_view message,
        std::initializer_list<Field> fields) {
    if (config.format == Format::json) {
        json::Writer writer;
        writer.begin_object().member("time", to_rfc3339(time)).member("level", to_string(level));
        writer.member("component", config.component).member("message", message);
        for (const auto& field : fields) {
            writer.key(field.name);
            if (field.bare) {
                writer.raw(field.value);
            } else {
                writer.value(field.value);
            }
        }
        if (!trace::current().empty()) writer.member("trace", trace::current());
        writer.end_object();
        return writer.take();
    }
    std::string out;
    if (config.journal) {
        out = fmt::format("<{}>", priority(level));  // the journal has the time already
    } else {
        out = fmt::format("time={} ", to_rfc3339(time));
    }
    out += fmt::format("level={} component={} msg=", to_string(level), config.component);
    append_value(out, message);
    for (const auto& field : fields) {
        out += ' ';
        out += field.name;
        out += '=';
        append_value(out, field.value);
    }
    if (!trace::current().empty()) out.append(" trace=").append(trace::current());
    return out;
}

void Logger::log(Level level, std::string_view message, std::initializer_list<Field> fields) const {
    if (!wants(level)) return;
    auto line = render(config_, level, std::chrono::system_clock::now(), message, fields);
    if (line.size() > kMaxLine) {
        line.resize(kMaxLine);
        line += "...";
    }
    line += '\n';
    (void)!::write(config_.sink.get(), line.data(), line.size());  // nobody is left to be told
}

}  // namespace base::log
