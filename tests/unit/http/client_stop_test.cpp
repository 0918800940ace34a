#include "base/clock.hpp"
#include "fixture.hpp"

#include <atomic>
#include <stop_token>
#include <thread>

#include <catch2/catch.hpp>

using namespace base::http;
using test::HttpServer;
using namespace std::chrono_literals;

namespace {

ClientRequest get(std::stop_token stop) {
    ClientRequest request{.method = "GET", .target = "/", .headers = {}, .body = {}};
    request.timeout = 20s;
    request.stop = std::move(stop);
    return request;
}

}  // namespace

TEST_CASE("a stop ends the wait for an answer at once") {
    std::atomic<bool> go = false;
    HttpServer server([&](Request&) {
        while (!go) std::this_thread::yield();
        return Response::text(200, "x");
    });
    auto client = server.client();
    std::stop_source source;
    const auto begin = std::chrono::steady_clock::now();
    std::jthread stopper([&] {
        base::pause_for(50ms);
        source.request_stop();
    });
    auto answer = client.call(get(source.get_token()));
    go = true;
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == base::Errc::cancelled);
    CHECK(std::chrono::steady_clock::now() - begin < 5s);
}

TEST_CASE("a stop before the call ends it") {
    HttpServer server([](Request&) { return Response::text(200, "x"); });
    auto client = server.client();
    std::stop_source source;
    source.request_stop();
    auto answer = client.call(get(source.get_token()));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == base::Errc::cancelled);
}

TEST_CASE("an upload of known size goes out under its length") {
    std::string length, coding, body;
    HttpServer server([&](Request& request) {
        length = request.headers.get("Content-Length");
        coding = request.headers.get("Transfer-Encoding");
        body = request.read_body().value_or("?");
        return Response::text(200, "x");
    });
    auto client = server.client();
    int left = 3;
    ClientRequest request{.method = "POST", .target = "/", .headers = {}, .body = {}};
    request.upload = [&](std::span<char> into) -> base::Result<std::size_t> {
        if (left == 0) return std::size_t{0};
        --left;
        std::fill_n(into.begin(), 4, 'a');
        return std::size_t{4};
    };
    request.upload_size = 12;
    auto answer = client.call(request);
    REQUIRE(answer);
    CHECK(length == "12");
    CHECK(coding.empty());
    CHECK(body == "aaaaaaaaaaaa");
    // One that is not as long as announced never looks whole to the server.
    for (const int pieces : {2, 4}) {
        left = pieces;
        answer = client.call(request);
        REQUIRE_FALSE(answer);
        CHECK(answer.error().kind == base::Errc::corrupt);
    }
}
