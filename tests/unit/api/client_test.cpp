#include "garden/api/client.hpp"

#include "base/fail.hpp"
#include "base/http/router.hpp"
#include "base/http/server.hpp"
#include "base/sys/file.hpp"
#include "base/sys/stream_socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>

using namespace base::http;
using GardenClient = garden::api::Client;
using namespace std::chrono_literals;

namespace {

// A real server that answers as garden-api says, without an engine.
class FakeGarden {
  public:
    FakeGarden() {
        router_.get("/ping", [](Request&) { return Response::json("{}\n"); });
        router_.get("/containers", [](Request& request) {
            const auto value = request.query.get("a b");
            return Response::json("{\"Handles\":[\"" + std::string(value) + "\"]}\n");
        });
        router_.del("/containers/:handle", [](Request& request) {
            return Response::json(
                    R"({"Type":"ContainerNotFoundError","Message":"x","Handle":")" +
                            std::string(request.param("handle")) +
                            R"(","ProcessID":"","Binary":""})",
                    404);
        });
        router_.put("/containers/:handle/grace_time", [](Request& request) {
            return request.read_body().value() == "3000000000" ? Response::json("{}")
                                                               : Response::json("{}", 500);
        });
        router_.put("/containers/:handle/files", [](Request& request) {
            auto pipe = request.body_pipe().value();
            const auto tar = base::sys::read_all(pipe.read_end(), 1 << 20).value();
            const bool good = tar == "tar bytes" && request.query.get("destination") == "/a b" &&
                              pipe.finish();
            return Response::json("{}", good ? 200 : 500);
        });
        router_.post("/cloche/v1/images/pull", [](Request&) {
            return Response::events([](EventWriter& events) -> base::Result<void> {
                TRY(events.send(
                        "progress",
                        R"({"step":"downloading","layer":"sha256:1","current":1,"total":2})"));
                return events.send("error", R"({"kind":"denied","message":"no such user"})");
            });
        });
        router_.post(
                "/containers/:handle/processes", [this](Request& request) { return run(request); });
        router_.get(
                "/containers/:handle/processes/:id/attaches/:stream/:kind",
                [this](Request& request) { return output(request); });
        Endpoint endpoint;
        path_ = "/tmp/garden-client-test-" + std::to_string(::getpid());
        endpoint.path = path_;
        server_ = Server::start(
                          {.endpoints = {endpoint}, .limits = {.workers = 8}, .on_served = {}},
                          router_)
                          .value();
    }

    GardenClient client() const {
        return GardenClient(
                {.endpoint = server_->endpoints()[0],
                 .connect_timeout = 2s,
                 .idle_connections = 2,
                 .headers = {}});
    }

  private:
    // Echoes what comes on stdin to stdout, one "-" to stderr, and exits with 7 at the end of
    // input.
    Response run(Request& request) {
        auto spec = base::json::decode<garden::api::ProcessSpec>(
                            request.read_body().value(), base::json::Rest::ignore)
                            .value();
        if (spec.path == "/missing")
            return Response::json(
                    R"({"Type":"ExecutableNotFoundError","Message":"exec: \"/missing\": stat /missing: no such file or directory","Handle":"","ProcessID":"","Binary":""})",
                    500);
        return Response::hijack(201, [this](Hijacked main) {
            (void)base::sys::write_all(
                    main.socket, "{\"process_id\":\"p1\",\"stream_id\":\"7\"}\n");
            base::json::ValueSplitter splitter(1 << 20);
            (void)splitter.feed(main.leftover);
            std::string all;
            char piece[1000];
            for (bool ended = false; !ended;) {
                while (auto text = splitter.next()) {
                    auto message = base::json::decode<garden::api::ProcessMessage>(*text).value();
                    if (message.tty)
                        all += "[" + std::to_string(message.tty->window_size->columns) + "]";
                    if (message.signal) all += "{" + std::to_string(*message.signal) + "}";
                    if (message.data) all += *message.data;
                    ended = message.source && !message.data;
                }
                if (ended) break;
                const auto count = ::read(main.socket.get(), piece, sizeof piece);
                if (count <= 0) return;
                (void)splitter.feed(std::string_view(piece, static_cast<std::size_t>(count)));
            }
            {
                const std::lock_guard lock(mutex_);
                (void)base::sys::write_all(outputs_["stdout"].socket, all);
                (void)base::sys::write_all(outputs_["stderr"].socket, "-");
                outputs_.clear();
            }
            (void)base::sys::write_all(main.socket, "{\"process_id\":\"p1\",\"exit_status\":7}\n");
        });
    }

    Response output(Request& request) {
        const std::string kind(request.param("kind"));
        return Response::hijack(200, [this, kind](Hijacked hijacked) {
            const std::lock_guard lock(mutex_);
            outputs_[kind] = std::move(hijacked);
            ready_ = outputs_.size() == 2;
        });
    }

    Router router_;
    std::string path_;
    std::mutex mutex_;
    std::map<std::string, Hijacked> outputs_;

  public:
    std::atomic<bool> ready_ = false;

  private:
    std::unique_ptr<Server> server_;
};

std::string read_rest(Hijacked& output) {
    return output.leftover + base::sys::read_all(output.socket, 8 << 20).value();
}

}  // namespace

TEST_CASE("simple calls and their errors") {
    FakeGarden garden;
    auto client = garden.client();
    CHECK(client.ping());
    CHECK(client.list({{"a b", "c&d"}}).value() == std::vector<std::string>{"c&d"});
    CHECK(client.set_grace_time("h", 3s));
    auto destroyed = client.destroy("no/pe");
    REQUIRE_FALSE(destroyed);
    CHECK(destroyed.error().kind == base::Errc::not_found);
    CHECK(destroyed.error().text == "unknown handle: no/pe");
    auto unknown = client.capacity();
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().kind == base::Errc::not_found);
}

TEST_CASE("files are streamed in from a source") {
    FakeGarden garden;
    std::string data = "tar bytes";
    CHECK(garden.client().stream_in(
            "h", "root", "/a b", [&](std::span<char> into) -> base::Result<std::size_t> {
                const auto count = std::min(into.size(), data.size());
                std::copy_n(data.data(), count, into.data());
                data.erase(0, count);
                return count;
            }));
}

TEST_CASE("a pull tells its progress and its error with the kind") {
    FakeGarden garden;
    int steps = 0;
    auto pulled = garden.client().pull(
            {.uri = "docker:///x", .username = {}, .password = {}}, [&](const auto& step) {
                ++steps;
                CHECK(step.step == "downloading");
                CHECK(step.total == 2);
            });
    REQUIRE_FALSE(pulled);
    CHECK(pulled.error().kind == base::Errc::denied);
    CHECK(pulled.error().text == "no such user");
    CHECK(steps == 1);
}

TEST_CASE("a process runs over its three connections") {
    FakeGarden garden;
    auto client = garden.client();
    auto stream = client.run("h", {.id = "p1", .path = "/bin/cat"});
    REQUIRE(stream);
    CHECK(stream->process_id() == "p1");
    CHECK(stream->stream_id() == "7");
    auto out = stream->open_output(false).value();
    auto err = stream->open_output(true).value();
    while (!garden.ready_) std::this_thread::yield();
    stream->send_window(100, 30);
    stream->send_signal(garden::api::StreamSignal::terminate);
    // "ü" cut in two by the caller's reads arrives whole; a lone continuation byte does not.
    stream->send_input("hi \xC3");
    stream->send_input("\xBC <&>");
    stream->send_input("\xBF");
    stream->send_input_end();
    CHECK(stream->wait(5s).value() == 7);
    CHECK(read_rest(out) == "[100]{0}hi ü <&>\xEF\xBF\xBD");
    CHECK(read_rest(err) == "-");
}

TEST_CASE("input of any size is queued and flushed without blocking the reader") {
    FakeGarden garden;
    auto client = garden.client();
    auto stream = client.run("h", {.id = "p1", .path = "/bin/cat"}).value();
    auto out = stream.open_output(false).value();
    auto err = stream.open_output(true).value();
    while (!garden.ready_) std::this_thread::yield();
    const std::string data(300'000, 'x');
    stream.send_input(data);
    stream.send_input_end();
    std::string got;
    std::thread reader([&] { got = read_rest(out); });
    CHECK(stream.wait(10s).value() == 7);
    reader.join();
    CHECK(got == data);
}

TEST_CASE("a process that cannot be started is an error with the server's text") {
    FakeGarden garden;
    auto stream = garden.client().run("h", {.id = "p1", .path = "/missing"});
    REQUIRE_FALSE(stream);
    CHECK(stream.error().kind == base::Errc::not_found);
    CHECK(stream.error().text.find("/missing") != std::string::npos);
}
