#include "executor/api/log_record.hpp"

namespace executor::api {

std::string_view to_string(LogKind kind) {
    switch (kind) {
        case LogKind::out:
            return "out";
        case LogKind::err:
            return "err";
    }
    base::panic("log kind");
}

std::optional<LogKind> parse_log_kind(std::string_view word) {
    if (word == "out") return LogKind::out;
    if (word == "err") return LogKind::err;
    return std::nullopt;
}

void to_json(base::json::Writer& w, const LogRecord& v) {
    w.begin_object();
    if (v.dropped != 0) {
        w.member("dropped", v.dropped);
    } else {
        w.member("sequence", v.sequence)
                .member("time", v.time_ns)
                .member("kind", to_string(v.kind))
                .member("source", v.source)
                .member("text", v.text)
                .member_unless_zero("tags", v.tags);
    }
    w.end_object();
}

base::Result<void> from_json(const base::json::Node& node, LogRecord& v) {
    LogRecord read;
    std::string kind = "out";
    base::json::Fields fields(node);
    fields.optional("sequence", read.sequence)
            .optional("time", read.time_ns)
            .optional("kind", kind)
            .optional("source", read.source)
            .optional("text", read.text)
            .optional("tags", read.tags)
            .optional("dropped", read.dropped);
    TRY(fields.finish(base::json::Unknown::ignore));
    const auto parsed = parse_log_kind(kind);
    if (!parsed) return node.refuse("kind: expected out or err, got '" + kind.substr(0, 16) + "'");
    read.kind = *parsed;
    // A gap is no line: whatever else stands there is nothing.
    if (read.dropped != 0) read = LogRecord{.dropped = read.dropped};
    v = std::move(read);
    return base::ok;
}

}  // namespace executor::api
