// The event stream (receptor-api §10): six kinds, numbered per connection, no replay.
#include "brain/receptor/events.hpp"

#include "brain/receptor/api.hpp"
#include "brain/receptor/errors.hpp"
#include "brain/receptor/responses.hpp"

#include <algorithm>

namespace brain::receptor {

namespace {

// How often a reader that is sent nothing is looked after.
constexpr std::chrono::milliseconds kClientCheck{1'000};

std::string one_desired(const api::DesiredLrp& desired) {
    base::json::Writer w;
    w.begin_object().key("desired_lrp");
    write(w, desired);
    w.end_object();
    return w.take();
}

std::string two_desired(const api::DesiredLrp& before, const api::DesiredLrp& after) {
    base::json::Writer w;
    w.begin_object().key("desired_lrp_before");
    write(w, before);
    w.key("desired_lrp_after");
    write(w, after);
    w.end_object();
    return w.take();
}

std::string one_actual(const api::ActualLrp& lrp) {
    base::json::Writer w;
    w.begin_object().key("actual_lrp");
    write(w, lrp);
    w.end_object();
    return w.take();
}

std::string two_actual(const api::ActualLrp& before, const api::ActualLrp& after) {
    const bool evacuating = after.presence == api::Presence::evacuating;
    base::json::Writer w;
    w.begin_object().key("actual_lrp_before");
    write(w, before, evacuating);
    w.key("actual_lrp_after");
    write(w, after, evacuating);
    w.end_object();
    return w.take();
}

// Blanks inside of routes are their author's; a line break between two tokens is one more blank.
std::string one_line(std::string json) {
    std::ranges::replace_if(
            json, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return json;
}

}  // namespace

std::string data_of(const api::Event& event) {
    switch (event.kind) {
        case api::EventKind::desired_lrp_created:
            return one_line(one_desired(*event.desired_after));
        case api::EventKind::desired_lrp_removed:
            return one_line(one_desired(*event.desired_before));
        case api::EventKind::desired_lrp_changed:
            return one_line(two_desired(*event.desired_before, *event.desired_after));
        case api::EventKind::actual_lrp_created:
            return one_actual(*event.actual_after);
        case api::EventKind::actual_lrp_removed:
            return one_actual(*event.actual_before);
        case api::EventKind::actual_lrp_changed:
            return two_actual(*event.actual_before, *event.actual_after);
        // 2015's streams ended at a kind that they did not know.
        case api::EventKind::actual_lrp_crashed:
        case api::EventKind::task_created:
        case api::EventKind::task_changed:
        case api::EventKind::task_removed:
            return {};
    }
    return {};
}

namespace {

struct Reader {
    base::Gate::Pass pass;  // held as long as the stream lasts
    std::unique_ptr<api::EventStream> stream;
    std::chrono::milliseconds keep_alive;

    base::Result<void> run(base::http::EventWriter& writer) {
        auto silent_since = std::chrono::steady_clock::now();
        for (std::uint64_t id = 0;;) {
            const auto event = stream->next(kClientCheck);
            // Behind, or the brain has stopped or lost the lead: the client lists again.
            if (!event) return base::ok;
            const auto data = *event ? data_of(**event) : std::string();
            if (!data.empty()) {
                TRY(writer.send(to_string((*event)->kind), data, std::to_string(id++)));
                silent_since = std::chrono::steady_clock::now();
                continue;
            }
            if (writer.peer_gone()) return base::ok;
            if (keep_alive.count() == 0 ||
                std::chrono::steady_clock::now() - silent_since < keep_alive)
                continue;
            TRY(writer.comment("still here"));
            silent_since = std::chrono::steady_clock::now();
        }
    }
};

}  // namespace

Response Api::events(Request&) {
    auto pass = events_.enter("events");
    if (!pass) return unknown(pass.error());
    auto stream = brain_.subscribe();
    if (!stream) return unknown(stream.error());
    // std::function wants to be copied; the one owner is the response.
    const auto reader = std::make_shared<Reader>(
            Reader{.pass = std::move(*pass),
                   .stream = std::move(*stream),
                   .keep_alive = settings_.event_keep_alive});
    auto response = Response::events(
            [reader](base::http::EventWriter& writer) { return reader->run(writer); });
    response.headers.set("Content-Type", "text/event-stream; charset=utf-8");
    response.headers.set("Cache-Control", "no-cache, no-store, must-revalidate");
    response.headers.set("Connection", "keep-alive");
    return response;
}

}  // namespace brain::receptor
