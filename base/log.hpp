// Log: one line per event on stderr, logfmt or JSON, with level, component and fields. Programs
// log, libraries do not: `main` makes a Logger and passes references down.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace base::log {

enum class Level : std::uint8_t { debug, info, warning, error, fatal };
enum class Format : std::uint8_t { text, json };

Result<Level> parse_level(std::string_view word);    // debug, info, warning (warn), error, fatal
Result<Format> parse_format(std::string_view word);  // text, json
std::string_view to_string(Level level);

inline constexpr std::size_t kMaxLine =
        8192;  // longer lines are cut, so that a client cannot flood the log

struct Field {
    std::string name;
    std::string value;
    bool bare = false;  // a number or a word of ours: never quoted in JSON

    Field(std::string_view n, std::string_view v) : name(n), value(v) {}

    Field(std::string_view n, const char* v) : name(n), value(v) {}

    Field(std::string_view n, const std::string& v) : name(n), value(v) {}

    Field(std::string_view n, bool v) : name(n), value(v ? "true" : "false"), bare(true) {}

    Field(std::string_view n, std::chrono::nanoseconds v);
    template <std::integral T>

    requires(!std::same_as<T, bool>) Field(std::string_view n, T v)
        : name(n), value(std::to_string(v)), bare(true) {}
};

struct Config {
    std::string component;  // "gardend"
    Level level = Level::info;
    Format format = Format::text;
    bool journal = false;  // put sd-daemon(3) priorities "<6>" in front
    FdRef sink{2};
};

// True when stderr is the journal's socket (JOURNAL_STREAM names its device and inode).
bool stderr_is_journal();

// Safe from any thread; each event is one write.
class Logger {
  public:
    explicit Logger(Config config) : config_(std::move(config)), level_(config_.level) {}

    void set_level(Level level) { level_ = level; }

    bool wants(Level level) const { return level >= level_.load(std::memory_order_relaxed); }

    void log(Level level, std::string_view message, std::initializer_list<Field> fields = {}) const;

    void debug(std::string_view message, std::initializer_list<Field> fields = {}) const {
        log(Level::debug, message, fields);
    }

    void info(std::string_view message, std::initializer_list<Field> fields = {}) const {
        log(Level::info, message, fields);
    }

    void warning(std::string_view message, std::initializer_list<Field> fields = {}) const {
        log(Level::warning, message, fields);
    }

    void error(std::string_view message, std::initializer_list<Field> fields = {}) const {
        log(Level::error, message, fields);
    }

  private:
    Config config_;
    std::atomic<Level> level_;
};

// The line without newline, for tests and for other sinks.
std::string render(
        const Config& config,
        Level level,
        std::chrono::system_clock::time_point time,
        std::string_view message,
        std::initializer_list<Field> fields);

}  // namespace base::log
