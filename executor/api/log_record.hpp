// One line of a container's log as it goes over the wire, with JSON both ways. Used by
// executor/logs, the executor's routes, its client and whoever shows logs to people.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "executor/api/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace executor::api {

enum class LogKind : std::uint8_t { out = 1, err = 2 };

std::string_view to_string(LogKind kind);  // "out", "err"
std::optional<LogKind> parse_log_kind(std::string_view word);

struct LogRecord {
    std::uint64_t sequence = 0;  // of the container, from 1
    std::int64_t time_ns = 0;    // since 1970
    LogKind kind = LogKind::out;
    std::string source;  // "APP", "HEALTH", …
    std::string text;    // one line without its end
    Tags tags;           // source_id, instance_id and the container's own
    // Not 0: no line, but the number of lines that this reader was too slow for, right here.
    std::uint64_t dropped = 0;
    bool operator==(const LogRecord&) const = default;
};

void to_json(base::json::Writer& w, const LogRecord& v);
base::Result<void> from_json(const base::json::Node& node, LogRecord& v);

}  // namespace executor::api
