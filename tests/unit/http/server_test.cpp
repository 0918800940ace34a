#include "fixture.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>

using namespace base::http;
using test::HttpServer;
using test::RawConnection;
using namespace std::chrono_literals;

namespace {

Response echo(Request& request) {
    auto body = request.read_body();
    if (!body) return Response::error(body.error());
    return Response::text(200, request.method + " " + request.path + " " + *body);
}

}  // namespace

TEST_CASE("a request is answered and the connection is kept for the next") {
    HttpServer server(echo);
    RawConnection raw(server.endpoint());
    raw.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(raw.read_until("GET /a ").find("HTTP/1.1 200 OK\r\n") == 0);
    raw.send("POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz");
    CHECK(raw.read_until("POST /b xyz").find("Content-Length: 11") != std::string::npos);
}

TEST_CASE("pipelined requests are answered in their order") {
    HttpServer server(echo);
    RawConnection raw(server.endpoint());
    raw.send(
            "POST /1 HTTP/1.1\r\nContent-Length: 1\r\n\r\naGET /2 HTTP/1.1\r\n\r\nGET /3 "
            "HTTP/1.1\r\nConnection: close\r\n\r\n");
    const auto answers = raw.read_to_end();
    CHECK(raw.ended());
    const auto first = answers.find("POST /1 a");
    const auto second = answers.find("GET /2 ");
    const auto third = answers.find("GET /3 ");
    CHECK(first < second);
    CHECK(second < third);
    CHECK(third != std::string::npos);
    CHECK(answers.find("Connection: close") > second);
}

TEST_CASE("a chunked body reaches the handler whole") {
    HttpServer server(echo);
    RawConnection raw(server.endpoint());
    raw.send("PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    raw.send("2\r\nde\r\n0\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
    CHECK(raw.read_until("GET /next ").find("PUT /c abcde") != std::string::npos);
}

TEST_CASE("malformed requests are answered 400 and closed") {
    HttpServer server(echo);
    for (const auto* bad :
         {"nonsense\r\n\r\n", "GET nopath HTTP/1.1\r\n\r\n", "GET /?a=%zz HTTP/1.1\r\n\r\n",
          "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
          "GET / HTTP/1.1\r\nBad Name: x\r\n\r\n"}) {
        RawConnection raw(server.endpoint());
        raw.send(bad);
        const auto answer = raw.read_to_end();
        INFO(bad);
        CHECK(answer.starts_with("HTTP/1.1 400 "));
        CHECK(raw.ended());
    }
    RawConnection coded(server.endpoint());
    coded.send("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n");
    CHECK(coded.read_to_end().starts_with("HTTP/1.1 501 "));
}

TEST_CASE("a header over the limit is answered 431") {
    HttpServer server(echo, ServerLimits{.workers = 2, .header_bytes = 4096});
    RawConnection raw(server.endpoint());
    raw.send("GET / HTTP/1.1\r\nX: " + std::string(8000, 'a') + "\r\n\r\n");
    CHECK(raw.read_to_end().starts_with("HTTP/1.1 431 "));
}

TEST_CASE("a body over the limit of a JSON reader is refused") {
    HttpServer server([](Request& request) {
        auto body = request.read_body(10);
        return body ? Response::text(200, *body) : Response::text(413, body.error().text);
    });
    RawConnection raw(server.endpoint());
    raw.send("POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n12345678901");
    CHECK(raw.read_until("limit 10").starts_with("HTTP/1.1 413 "));
}

TEST_CASE("a header that dribbles in is cut off without an answer") {
    HttpServer server(echo, ServerLimits{.workers = 2, .header_timeout = 150ms});
    RawConnection raw(server.endpoint());
    raw.send("GET / HT");
    const auto begin = std::chrono::steady_clock::now();
    CHECK(raw.read_to_end(3s).empty());
    CHECK(raw.ended());
    CHECK(std::chrono::steady_clock::now() - begin < 2s);
}

TEST_CASE("an idle connection is closed after the idle timeout") {
    HttpServer server(echo, ServerLimits{.workers = 2, .idle_timeout = 100ms});
    RawConnection raw(server.endpoint());
    raw.send("GET / HTTP/1.1\r\n\r\n");
    CHECK(raw.read_to_end(3s).find("GET / ") != std::string::npos);
    CHECK(raw.ended());
}

TEST_CASE("a client that expects 100-continue gets it before it sends the body") {
    HttpServer server(echo);
    for (const auto* framing : {"Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n"}) {
        RawConnection raw(server.endpoint());
        raw.send(std::string("POST /e HTTP/1.1\r\nExpect: 100-continue\r\n") + framing + "\r\n");
        CHECK(raw.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
        raw.send(framing[0] == 'C' ? "hi" : "2\r\nhi\r\n0\r\n\r\n");
        CHECK(raw.read_until("POST /e hi").starts_with("HTTP/1.1 200"));
    }
}

TEST_CASE("a handler that does not want a large body can answer early and is heard") {
    HttpServer server([](Request&) { return Response::text(400, "no thanks"); });
    auto client = server.client();
    std::size_t left = 32 * 1024 * 1024;
    auto answer = client.call(
            {.method = "PUT",
             .target = "/",
             .headers = {},
             .body = {},
             .upload = [&](std::span<char> into) -> base::Result<std::size_t> {
                 const auto count = std::min(left, into.size());
                 std::fill_n(into.begin(), count, 'x');
                 left -= count;
                 return count;
             }});
    REQUIRE(answer);
    CHECK(answer->status == 400);
    CHECK(answer->body == "no thanks");
}

TEST_CASE("request ids are echoed when harmless and made otherwise") {
    HttpServer server([](Request& request) { return Response::text(200, request.id); });
    auto client = server.client();
    const auto ask = [&](std::string id) {
        return client
                .call({.method = "GET",
                       .target = "/",
                       .headers = {{"X-Request-Id", std::move(id)}},
                       .body = {}})
                .value();
    };
    CHECK(ask("abc-1").body == "abc-1");
    CHECK(ask("abc-1").headers.get("X-Request-Id") == "abc-1");
    CHECK(ask(std::string(200, 'a')).body.size() == 32);
    CHECK(ask("a b").body.size() == 32);
}

TEST_CASE("the peer's process is known on a unix socket") {
    HttpServer server([](Request& request) {
        return Response::text(200, std::to_string(request.peer.process->pid));
    });
    CHECK(server.client().call({.method = "GET", .target = "/", .headers = {}, .body = {}})->body ==
          std::to_string(::getpid()));
}

TEST_CASE("an exception in a handler is a 500 and a bad header of ours too") {
    HttpServer server([](Request& request) -> Response {
        if (request.path == "/throw") throw std::runtime_error("oops");
        auto response = Response::text(200, "x");
        response.headers.set("X-Bad", "a\r\nInjected: 1");
        return response;
    });
    auto client = server.client();
    CHECK(client.call({.method = "GET", .target = "/throw", .headers = {}, .body = {}})->status ==
          500);
    const auto answer =
            client.call({.method = "GET", .target = "/header", .headers = {}, .body = {}}).value();
    CHECK(answer.status == 500);
    CHECK_FALSE(answer.headers.has("Injected"));
}

TEST_CASE("a full queue answers 503 and does not grow") {
    std::mutex mutex;
    std::condition_variable wake;
    bool go = false;
    std::atomic<int> running = 0;
    HttpServer server(
            [&](Request&) {
                ++running;
                std::unique_lock lock(mutex);
                wake.wait(lock, [&] { return go; });
                return Response::text(200, "done");
            },
            ServerLimits{.workers = 1, .queued_requests = 1});
    RawConnection first(server.endpoint()), second(server.endpoint());
    first.send("GET / HTTP/1.1\r\n\r\n");
    while (running == 0) std::this_thread::yield();
    second.send("GET / HTTP/1.1\r\n\r\n");
    std::string refused;
    // The second takes the one place in the queue; whoever comes after it is refused.
    for (int i = 0; i < 100 && refused.empty(); ++i) {
        RawConnection third(server.endpoint());
        third.send("GET / HTTP/1.1\r\n\r\n");
        refused = third.read_until("jobs wait", 20ms);
    }
    CHECK(refused.starts_with("HTTP/1.1 503 "));
    {
        const std::lock_guard lock(mutex);
        go = true;
    }
    wake.notify_all();
    CHECK(first.read_until("done").find("200") != std::string::npos);
}

TEST_CASE("two hundred connections at once are all served") {
    HttpServer server(echo);
    constexpr std::size_t kCount = 200;
    std::vector<RawConnection> all;
    all.reserve(kCount);
    for (std::size_t i = 0; i < kCount; ++i) all.emplace_back(server.endpoint());
    for (std::size_t i = 0; i < kCount; ++i)
        all[i].send("GET /" + std::to_string(i) + "x HTTP/1.1\r\n\r\n");
    std::size_t good = 0;
    for (std::size_t i = 0; i < kCount; ++i)
        good += all[i].read_until("GET /" + std::to_string(i) + "x ").starts_with("HTTP/1.1 200")
                        ? 1U
                        : 0U;
    CHECK(good == kCount);
    CHECK(server.server().connections() == kCount);
}

TEST_CASE("connections over the limit wait until one ends") {
    HttpServer server(echo, ServerLimits{.workers = 2, .connections = 2});
    auto first = std::make_unique<RawConnection>(server.endpoint());
    RawConnection second(server.endpoint());
    first->send("GET /1 HTTP/1.1\r\n\r\n");
    second.send("GET /2 HTTP/1.1\r\n\r\n");
    CHECK_FALSE(first->read_until("GET /1 ").empty());
    CHECK_FALSE(second.read_until("GET /2 ").empty());
    RawConnection third(server.endpoint());
    third.send("GET /3 HTTP/1.1\r\n\r\n");
    CHECK(third.read_until("GET /3 ", 50ms).empty());
    first.reset();
    CHECK_FALSE(third.read_until("GET /3 ").empty());
}

TEST_CASE("a paused server listens but answers only after resume") {
    HttpServer server(echo, {}, true);
    RawConnection raw(server.endpoint());
    raw.send("GET / HTTP/1.1\r\n\r\n");
    CHECK(raw.read_until("GET", 50ms).empty());
    server.server().resume();
    CHECK_FALSE(raw.read_until("GET / ").empty());
}

TEST_CASE("a stale socket file is replaced and a live one is a conflict") {
    test::TemporaryDirectory directory;
    Endpoint endpoint;
    endpoint.path = directory.path + "/s";
    endpoint.mode = 0600;
    {
        (void)base::sys::listen_on(base::sys::unix_address(endpoint.path).value()).value();
    }  // leaves the file
    const auto start = [&] {
        return Server::start(
                {.endpoints = {endpoint}, .limits = {.workers = 1}, .on_served = {}}, echo);
    };
    auto server = start();
    REQUIRE(server);

    struct ::stat file {};

    REQUIRE(::stat(endpoint.path.c_str(), &file) == 0);
    CHECK((file.st_mode & 0777) == 0600);
    auto second = start();
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == base::Errc::conflict);
    server->reset();
    CHECK(::stat(endpoint.path.c_str(), &file) != 0);
}

TEST_CASE("stop lets a running request finish and closes idle connections") {
    std::atomic<bool> entered = false;
    std::atomic<bool> go = false;
    HttpServer server([&](Request&) {
        entered = true;
        while (!go) std::this_thread::yield();
        return Response::text(200, "late answer");
    });
    RawConnection idle(server.endpoint()), busy(server.endpoint());
    busy.send("GET / HTTP/1.1\r\n\r\n");
    while (!entered) std::this_thread::yield();
    std::atomic<bool> stopped = false;
    std::thread stopper([&] { stopped = server.server().stop(5s); });
    CHECK(idle.read_to_end().empty());
    CHECK(idle.ended());
    go = true;
    CHECK(busy.read_to_end().find("late answer") != std::string::npos);
    stopper.join();
    CHECK(stopped);
}

TEST_CASE("stop cuts off what is not over at the deadline") {
    HttpServer server([](Request& request) { return echo(request); });
    RawConnection raw(server.endpoint());
    raw.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
    CHECK_FALSE(raw.read_until("100 Continue").empty());  // the handler reads now
    raw.send("half");
    const auto begin = std::chrono::steady_clock::now();
    CHECK_FALSE(server.server().stop(100ms));
    CHECK(std::chrono::steady_clock::now() - begin < 3s);
}

TEST_CASE("every served request is reported once") {
    test::TemporaryDirectory directory;
    Endpoint endpoint;
    endpoint.path = directory.path + "/s";
    std::mutex mutex;
    std::vector<Served> seen;
    Router router;
    router.get("/a/:x", [](Request&) { return Response::text(201, ""); });
    auto server = Server::start(
                          {.endpoints = {endpoint},
                           .limits = {.workers = 2},
                           .on_served =
                                   [&](const Served& served) {
                                       const std::lock_guard lock(mutex);
                                       seen.push_back(served);
                                   }},
                          router)
                          .value();
    Client client(
            {.endpoint = endpoint, .connect_timeout = 2s, .idle_connections = 1, .headers = {}});
    REQUIRE(client.call({.method = "GET", .target = "/a/1", .headers = {}, .body = {}}));
    (void)server->stop(1s);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].route == "/a/:x");
    CHECK(seen[0].status == 201);
    CHECK(seen[0].peer == "unix");
}
