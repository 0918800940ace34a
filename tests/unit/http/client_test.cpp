#include "fixture.hpp"

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

using namespace base::http;
using test::HttpServer;
using namespace std::chrono_literals;

namespace {

ClientRequest get(std::string target, std::chrono::milliseconds timeout = 5s) {
    return {.method = "GET",
            .target = std::move(target),
            .headers = {},
            .body = {},
            .upload = {},
            .timeout = timeout};
}

}  // namespace

TEST_CASE("a client keeps its connection and opens a new one when the server closed it") {
    HttpServer server(
            [](Request&) { return Response::text(200, "x"); },
            ServerLimits{.workers = 2, .idle_timeout = 80ms});
    auto client = server.client();
    for (int i = 0; i < 5; ++i) CHECK(client.call(get("/"))->status == 200);
    CHECK(server.server().connections() == 1);
    const auto deadline = std::chrono::steady_clock::now() + 3s;
    while (server.server().connections() != 0 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    CHECK(client.call(get("/"))->status == 200);
}

TEST_CASE("a server that is not there is unavailable, at once") {
    Endpoint endpoint;
    endpoint.path = "/nowhere/at/all.sock";
    Client client(
            {.endpoint = endpoint, .connect_timeout = 2s, .idle_connections = 1, .headers = {}});
    auto answer = client.call(get("/"));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == base::Errc::unavailable);
    CHECK(answer.error().text.find("GET / at unix:///nowhere/at/all.sock") != std::string::npos);
}

TEST_CASE("an answer that does not come in time is a timeout") {
    std::atomic<bool> go = false;
    HttpServer server([&](Request&) {
        while (!go) std::this_thread::yield();
        return Response::text(200, "x");
    });
    auto client = server.client();
    auto answer = client.call(get("/", 50ms));
    go = true;
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == base::Errc::timeout);
}

TEST_CASE("an answer over the limit is refused") {
    HttpServer server([](Request&) { return Response::text(200, std::string(1000, 'x')); });
    auto answer = server.client().call(get("/"), 999);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == base::Errc::exhausted);
    CHECK(server.client().call(get("/"), 1000)->body.size() == 1000);
}

TEST_CASE("requests with line breaks are refused before anything is sent") {
    HttpServer server([](Request&) { return Response::text(200, ""); });
    auto client = server.client();
    CHECK_FALSE(client.call(get("/a b")));
    CHECK_FALSE(client.call(get("/a\r\nX: 1")));
    auto request = get("/");
    request.headers.add("X", "1\r\nY: 2");
    CHECK_FALSE(client.call(std::move(request)));
}

TEST_CASE("a read that waits is cancelled from another thread") {
    HttpServer server([](Request& request) {
        return Response::events([&request](EventWriter& events) -> base::Result<void> {
            while (!events.peer_gone() && !request.client_gone()) std::this_thread::yield();
            return base::ok;
        });
    });
    auto client = server.client();
    auto stream = client.open(get("/")).value();
    std::thread canceller([&] { stream.cancel(); });
    std::array<char, 10> piece{};
    auto got = stream.read_some(piece);
    canceller.join();
    REQUIRE_FALSE(got);
    CHECK(got.error().kind == base::Errc::cancelled);
}

TEST_CASE("calls of many threads through one client all arrive") {
    HttpServer server([](Request& request) { return Response::text(200, request.path); });
    auto client = server.client(2);
    std::atomic<int> good = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 20; ++i) {
                const auto path = "/" + std::to_string(t) + "-" + std::to_string(i);
                auto answer = client.call(get(path));
                good += answer && answer->body == path ? 1 : 0;
            }
        });
    for (auto& thread : threads) thread.join();
    CHECK(good == 160);
}

TEST_CASE("the same over TCP on a free port") {
    Endpoint endpoint;
    endpoint.kind = Endpoint::Kind::tcp;
    endpoint.host = "127.0.0.1";
    auto server =
            Server::start(
                    {.endpoints = {endpoint}, .limits = {.workers = 2}, .on_served = {}},
                    [](Request& request) { return Response::text(200, request.peer.address); })
                    .value();
    REQUIRE(server->endpoints()[0].port != 0);
    Client client(
            {.endpoint = server->endpoints()[0],
             .connect_timeout = 2s,
             .idle_connections = 1,
             .headers = {}});
    CHECK(client.call(get("/"))->body.starts_with("127.0.0.1:"));
}
