#include "security/event_log_line.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <algorithm>

namespace security {

namespace {

using base::Errc;

std::string bounded(const std::string& text) {
    if (text.size() <= kMaxEventText) return text;
    return text.substr(0, kMaxEventText) + base::format("... ({} bytes)", text.size());
}

void put(base::json::Writer& w, const EventValue& value) {
    if (const auto* number = std::get_if<std::uint64_t>(&value)) {
        w.value(*number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
        w.value(bounded(*text));
    } else {
        const auto& list = std::get<std::vector<std::string>>(value);
        w.begin_array();
        for (std::size_t i = 0; i < std::min(list.size(), kMaxEventList); ++i)
            w.value(bounded(list[i]));
        if (list.size() > kMaxEventList) w.value(base::format("... ({} in all)", list.size()));
        w.end_array();
    }
}

std::string signed_text(std::uint64_t seq, std::string_view time, std::string_view prev) {
    return base::format("cloche event log checkpoint 1\n{}\n{}\n{}\n", seq, time, prev);
}

bool is_hash(std::string_view text) {
    return text.size() == kNoLine.size() &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

EventLine checkpoint_line(
        const EventKey& key,
        std::uint64_t seq,
        std::string time,
        std::string prev,
        const std::string& signature) {
    return {.seq = seq,
            .time = std::move(time),
            .actor = "gardend",
            .event = std::string(kCheckpoint),
            .handle = {},
            .details = details_of({{"key", key.id()}, {"signature", signature}}),
            .prev = std::move(prev)};
}

}  // namespace

std::string details_of(const EventFields& fields) {
    base::json::Writer w;
    w.begin_object();
    for (std::size_t i = 0; i < std::min(fields.size(), kMaxEventFields); ++i) {
        w.key(fields[i].first);
        put(w, fields[i].second);
        // Escapes make a text up to six times as long; what does not fit is left out, visibly.
        if (w.text().size() > kMaxEventLine - 4 * kMaxEventText) {
            w = base::json::Writer();
            return w.begin_object().member("too_long", true).end_object().take();
        }
    }
    return w.end_object().take();
}

std::string to_text(const EventLine& line) {
    base::json::Writer w;
    w.begin_object().member("seq", line.seq).member("time", line.time);
    w.member("actor", bounded(line.actor)).member("event", bounded(line.event));
    w.member("handle", bounded(line.handle));
    w.key("details").raw(line.details);
    return w.member("prev", line.prev).end_object().take();
}

base::Result<EventLine> parse_event_line(std::string_view text) {
    if (text.size() > 2 * kMaxEventLine) {
        return base::fail(
                Errc::corrupt, "{} bytes, at most {} are one line", text.size(), 2 * kMaxEventLine);
    }
    const auto document = TRY(base::json::Document::parse(text));
    EventLine line;
    const auto root = document.root();
    const auto details = TRY(root.find("details"));
    if (!details || !details->is_object())
        return base::fail(Errc::corrupt, "details: expected an object");
    line.details = details->dump();
    base::json::Fields fields(root);
    fields.required("seq", line.seq).required("time", line.time).required("actor", line.actor);
    fields.required("event", line.event).required("handle", line.handle);
    fields.required("prev", line.prev);
    TRY(fields.finish(base::json::Unknown::ignore));
    if (!is_hash(line.prev)) return base::fail(Errc::corrupt, "prev: expected 64 digits");
    return line;
}

base::Result<EventLine> make_checkpoint(
        const EventKey& key, std::uint64_t seq, std::string time, std::string prev) {
    const auto signature = TRY(key.sign(signed_text(seq, time, prev)));
    return checkpoint_line(key, seq, std::move(time), std::move(prev), signature);
}

base::Result<void> check_checkpoint(
        const EventKey& key, const EventLine& line, std::string_view text) {
    const auto document = TRY(base::json::Document::parse(line.details));
    std::string id;
    std::string signature;
    base::json::Fields fields(document.root());
    fields.required("key", id).required("signature", signature);
    TRY(fields.finish(base::json::Unknown::reject));
    if (id != key.id()) {
        return base::fail(
                Errc::corrupt, "signed by another key: {}, expected {}", id.substr(0, 64),
                key.id());
    }
    if (!key.verify(signed_text(line.seq, line.time, line.prev), signature))
        return base::fail(Errc::corrupt, "the signature of the checkpoint is wrong");
    // What is not signed has one value only, so that nothing can be hidden in it.
    if (to_text(checkpoint_line(key, line.seq, line.time, line.prev, signature)) != text)
        return base::fail(Errc::corrupt, "the checkpoint was changed");
    return base::ok;
}

}  // namespace security
