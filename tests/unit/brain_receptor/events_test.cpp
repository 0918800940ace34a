// The event stream: every kind, what is left out, readers that are slow, gone or too many
// (receptor-api §10).
#include "brain/receptor/events.hpp"

#include "fixture.hpp"

#include <thread>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;
using brain::api::EventKind;

namespace {

// A client that asks for events and reads nothing of them.
base::http::ClientStream silent_reader(const Served& served) {
    base::http::Client client({.endpoint = served.server->endpoints()[0], .idle_connections = 0});
    return client.open({.target = "/v1/events"}).value();
}

// What one more reader is answered; it leaves at once.
int status_of_one_more(const Served& served) {
    return silent_reader(served).status();
}

const std::string kLong(10'000, 'x');

}  // namespace

TEST_CASE("a stream has the headers of 2015") {
    const Served served;
    auto reader = served.events();
    const auto& headers = reader.stream().headers();
    CHECK(headers.get("Content-Type") == "text/event-stream; charset=utf-8");
    CHECK(headers.get("Cache-Control") == "no-cache, no-store, must-revalidate");
    CHECK(headers.get("Connection") == "keep-alive");
}

TEST_CASE("a frame is id, event and one line of data") {
    const Served served;
    base::http::Client client({.endpoint = served.server->endpoints()[0], .idle_connections = 0});
    auto stream = client.open({.target = "/v1/events"}).value();
    REQUIRE(served.call("POST", "/v1/desired_lrps",
                        lrp_body("p", ",\"routes\":{\"a\":{\n\"b\" :\r\n 1}}"))
                    .status == 201);
    std::string text;
    char piece[4096];
    while (text.find("\n\n") == std::string::npos)
        text.append(piece, stream.read_some(piece, 10s).value());
    CHECK(text.starts_with("id: 0\nevent: desired_lrp_created\ndata: {\"desired_lrp\":{"));
    CHECK(text.substr(0, text.find("\n\n")).ends_with("}}"));
    CHECK(text.find("\"routes\":{\"a\":{ \"b\" :   1}}") != std::string::npos);
    CHECK(std::count(text.begin(), text.begin() + static_cast<long>(text.find("\n\n")), '\n') == 2);
}

TEST_CASE("a desired LRP is created, changed and removed") {
    const Served served;
    auto reader = served.events();
    served.desire("p", 0);
    auto seen = Served::next(reader);
    CHECK(seen.name == "desired_lrp_created");
    CHECK(seen.id == "0");
    CHECK(seen.data.size() == 1);
    CHECK(seen.text == "{\"desired_lrp\":" + served.get("/v1/desired_lrps/p").body + "}");
    REQUIRE(served.call("PUT", "/v1/desired_lrps/p", R"({"annotation":"new"})").status == 204);
    seen = Served::next(reader);
    CHECK(seen.name == "desired_lrp_changed");
    CHECK(seen.id == "1");
    CHECK_FALSE(seen.data["desired_lrp_before"].contains("annotation"));
    CHECK(seen.data["desired_lrp_after"]["annotation"] == "new");
    CHECK(seen.data["desired_lrp_after"]["modification_tag"]["index"] == 1);
    REQUIRE(served.call("DELETE", "/v1/desired_lrps/p").status == 204);
    seen = Served::next(reader);
    CHECK(seen.name == "desired_lrp_removed");
    CHECK(seen.data["desired_lrp"]["process_guid"] == "p");
}

TEST_CASE("an actual LRP is created, changed and removed") {
    const Served served;
    served.desire("p", 0);
    auto reader = served.events();
    REQUIRE(served.call("PUT", "/v1/desired_lrps/p", R"({"instances":1})").status == 204);
    CHECK(Served::next(reader).name == "desired_lrp_changed");
    auto seen = Served::next(reader);
    CHECK(seen.name == "actual_lrp_created");
    CHECK(seen.data["actual_lrp"]["state"] == "UNCLAIMED");
    CHECK(seen.data["actual_lrp"]["ports"].is_null());
    served.run("p");
    seen = Served::next(reader);
    CHECK(seen.name == "actual_lrp_changed");
    CHECK(seen.data["actual_lrp_before"]["state"] == "UNCLAIMED");
    CHECK(seen.data["actual_lrp_after"]["state"] == "CLAIMED");
    seen = Served::next(reader);
    CHECK(seen.data["actual_lrp_after"]["address"] == "10.0.0.7");
    REQUIRE(served.subject->cells().remove_actual_lrp(key_of("p"), instance_of("p", "cell-1")));
    seen = Served::next(reader);
    CHECK(seen.name == "actual_lrp_removed");
    CHECK(seen.data["actual_lrp"]["instance_guid"] == "instance-p");
}

TEST_CASE("in a changed event both records have the later one's evacuating flag") {
    const Served served;
    served.desire("p");
    served.run("p");
    auto reader = served.events();
    REQUIRE(served.subject->cells().evacuate_running_actual_lrp(running_of("p")).value());
    // A brain may tell of the new row first.
    auto seen = Served::next(reader);
    if (seen.name != "actual_lrp_changed") seen = Served::next(reader);
    CHECK(seen.data["actual_lrp_before"]["evacuating"] == true);
    CHECK(seen.data["actual_lrp_after"]["evacuating"] == true);
}

TEST_CASE("tasks and crashes are left out and do not end the stream or count") {
    const Served served;
    served.desire("p");
    served.run("p");
    auto reader = served.events();
    served.desire_task("t");
    served.complete_task("t");
    REQUIRE(served.subject->cells().crash_actual_lrp(
            key_of("p"), instance_of("p", "cell-1"), "why"));
    const auto seen = Served::next(reader);
    CHECK(seen.name.starts_with("actual_lrp_"));
    CHECK(seen.id == "0");
    for (const auto kind :
         {EventKind::actual_lrp_crashed, EventKind::task_created, EventKind::task_changed,
          EventKind::task_removed})
        CHECK(brain::receptor::data_of({.kind = kind}).empty());
}

TEST_CASE("numbers begin anew for each connection and the last id asked for is ignored") {
    const Served served;
    auto first = served.events();
    served.desire("a", 0);
    CHECK(Served::next(first).id == "0");
    base::http::Client client({.endpoint = served.server->endpoints()[0], .idle_connections = 0});
    base::http::ClientRequest request;
    request.target = "/v1/events";
    request.headers.set("Last-Event-ID", "0");
    base::http::EventReader second(client.open(std::move(request)).value());
    served.desire("b", 0);
    CHECK(Served::next(first).id == "1");
    const auto seen = Served::next(second);
    CHECK(seen.id == "0");
    CHECK(seen.data["desired_lrp"]["process_guid"] == "b");
}

TEST_CASE("one reader more than allowed is refused, and readers take no request's worker") {
    brain::receptor::Settings settings;
    settings.event_readers = 3;
    settings.workers = 1;
    settings.downloads = 1;
    const Served served(settings);
    {
        auto a = served.events();
        auto b = served.events();
        auto c = served.events();
        const auto refused = served.get("/v1/events");
        CHECK(refused.status == 503);
        CHECK(refused.name() == "UnknownError");
        CHECK(refused.message().find("event readers") != std::string::npos);
        CHECK(served.get("/v1/cells").status == 200);
    }
    // Those that left are noticed within a second or so.
    int status = 503;
    for (int i = 0; i < 200 && status == 503; ++i) {
        std::this_thread::sleep_for(50ms);
        status = status_of_one_more(served);
    }
    CHECK(status == 200);
}

TEST_CASE("a reader that takes nothing is dropped and leaves its place to another") {
    brain::receptor::Settings settings;
    settings.event_readers = 1;
    const Served served(settings, [](auto& config) { config.limits.write_timeout = 300ms; });
    auto slow = silent_reader(served);
    served.desire("p", 0);
    int status = 503;
    // Its socket takes some megabytes, and then nothing; each update is two records.
    for (int i = 0; i < 3'000 && status == 503; ++i) {
        REQUIRE(served.subject->clients().update_desired_lrp("p", {.annotation = kLong}));
        if (i % 50 == 49) status = status_of_one_more(served);
    }
    CHECK(status == 200);
}

TEST_CASE("a reader that is behind by more than the buffer is sent away") {
    const Served served;
    auto reader = served.events();
    served.desire("p", 0);
    // Nobody reads: the socket fills, then the brain's buffer.
    constexpr std::size_t kUpdates = 3'000;
    for (std::size_t i = 0; i < kUpdates; ++i)
        REQUIRE(served.subject->clients().update_desired_lrp("p", {.annotation = kLong}));
    std::size_t seen = 0;
    auto event = reader.next(10s);
    for (; event && *event; event = reader.next(10s)) ++seen;
    CHECK(event);  // a clean end, not a cut
    CHECK(seen < kUpdates);
}

TEST_CASE("a keep-alive is sent only when it is configured") {
    brain::receptor::Settings settings;
    settings.event_keep_alive = 10ms;
    const Served served(settings);
    auto stream = silent_reader(served);
    char piece[64];
    const auto count = stream.read_some(piece, 10s).value();
    CHECK(std::string(piece, count) == ": still here\n\n");
}
