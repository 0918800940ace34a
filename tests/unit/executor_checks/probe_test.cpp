#include "base/sys/stream_socket.hpp"
#include "executor/checks/answer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using namespace executor;
using namespace std::chrono_literals;
using base::sys::Ready;

namespace {

// A server on loopback that answers each connection with `answer`; without one it accepts and says
// nothing. Keeps what it was asked.
class Server {
  public:
    explicit Server(std::string answer, bool accepting = true)
        : answer_(std::move(answer)), socket_(base::sys::listen_on(loopback()).value()) {
        port = base::sys::local_address(socket_).value().port();
        if (accepting) thread_ = std::jthread([this](std::stop_token stop) { serve(stop); });
    }

    std::uint16_t port = 0;
    std::string asked;  // after the probe has its answer

  private:
    static base::sys::Address loopback() {
        base::sys::Address address;
        void* raw = &address.storage;
        auto* v4 = static_cast<::sockaddr_in*>(raw);
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.size = sizeof *v4;
        return address;
    }

    void serve(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const auto soon = std::chrono::steady_clock::now() + 20ms;
            if (!base::sys::wait_ready(socket_, Ready::read, soon).value()) continue;
            auto accepted = base::sys::accept_from(socket_);
            if (!accepted || !*accepted) continue;
            kept_.push_back(std::move((*accepted)->socket));
            if (answer_.empty()) continue;
            read_request(kept_.back());
            (void)base::sys::send_now(kept_.back(), answer_);
            kept_.clear();
        }
    }

    void read_request(base::FdRef socket) {
        const auto end = std::chrono::steady_clock::now() + 2s;
        std::string text;
        std::vector<char> piece(4096);
        while (text.find("\r\n\r\n") == std::string::npos) {
            if (!base::sys::wait_ready(socket, Ready::read, end).value()) break;
            const auto got = base::sys::receive_now(socket, piece);
            if (!got || !*got || **got == 0) break;
            text.append(piece.data(), **got);
        }
        asked = text;
    }

    std::string answer_;
    base::Fd socket_;
    std::vector<base::Fd> kept_;
    std::jthread thread_;
};

struct Bench {
    base::SystemClock clock;
    std::unique_ptr<Loop> loop = Loop::make(clock).value();

    ProbeAnswer ask(const api::Check& check, const std::string& address = "127.0.0.1") {
        std::optional<ProbeAnswer> answer;
        std::unique_ptr<Probe> running;
        running = probe(*loop, address, check, [&](ProbeAnswer got) {
            answer = std::move(got);
            running.reset();  // allowed inside
        });
        CHECK_FALSE(answer);  // never before it returns
        const auto end = std::chrono::steady_clock::now() + 5s;
        while (!answer && std::chrono::steady_clock::now() < end) {
            if (loop->run_until_idle() == 0) base::pause_for(1ms);
        }
        REQUIRE(answer);
        return *answer;
    }
};

api::Check http(std::uint16_t port, std::string path = "/ping", std::uint64_t timeout = 0) {
    return {.tcp_check = {},
            .http_check = api::HttpCheck{
                    .port = port, .request_timeout_ms = timeout, .path = std::move(path)}};
}

api::Check tcp(std::uint16_t port, std::uint64_t timeout = 0) {
    return {.tcp_check = api::TcpCheck{.port = port, .connect_timeout_ms = timeout},
            .http_check = {}};
}

std::string ok_answer(std::string_view status) {
    return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 0\r\n\r\n";
}

// A port where nobody listens.
std::uint16_t free_port() {
    return Server("", false).port;
}

}  // namespace

TEST_CASE("a server that answers 200 is healthy and sees the words of a health check") {
    Server server(ok_answer("200 OK"));
    Bench b;
    const auto answer = b.ask(http(server.port));
    CHECK(answer.result == ProbeResult::healthy);
    CHECK(answer.text.empty());
    CHECK(server.asked.starts_with("GET /ping HTTP/1.1\r\n"));
    CHECK(server.asked.find("User-Agent: diego-healthcheck\r\n") != std::string::npos);
    CHECK(server.asked.find("X-Forwarded-Proto: https\r\n") != std::string::npos);
    CHECK(server.asked.find("Host: 127.0.0.1:" + std::to_string(server.port) + "\r\n") !=
          std::string::npos);
}

TEST_CASE("any status other than 200 is unhealthy and named") {
    Bench b;
    for (const auto* status : {"500 Oh", "204 No Content", "302 Found", "404"}) {
        Server server(ok_answer(status));
        const auto answer = b.ask(http(server.port));
        CHECK(answer.result == ProbeResult::http_status);
        CHECK(answer.text.starts_with(
                "failed to make HTTP request to '/ping' on port " + std::to_string(server.port) +
                ": received status code " + std::string(status).substr(0, 3) + " in "));
    }
}

TEST_CASE("a port where nobody listens refuses both kinds of check") {
    Bench b;
    const auto port = free_port();
    const auto text = std::to_string(port);
    auto answer = b.ask(http(port));
    CHECK(answer.result == ProbeResult::http_failed);
    CHECK(answer.text ==
          "failed to make HTTP request to '/ping' on port " + text + ": connection refused");
    answer = b.ask(tcp(port));
    CHECK(answer.result == ProbeResult::tcp_failed);
    CHECK(answer.text == "failed to make TCP connection to port " + text + ": connection refused");
}

TEST_CASE("a server that never answers times out over HTTP and is healthy over TCP") {
    Server server("");
    Bench b;
    const auto answer = b.ask(http(server.port, "", 60));
    CHECK(answer.result == ProbeResult::http_timeout);
    CHECK(answer.text == "failed to make HTTP request to '/' on port " +
                                 std::to_string(server.port) + ": timed out after 0.06 seconds");
    CHECK(b.ask(tcp(server.port)).result == ProbeResult::healthy);
}

TEST_CASE("a listener with a full backlog times out over TCP") {
    // TEST-NET-1 leads nowhere, or is refused where there is no route at all: never healthy.
    Bench b;
    const auto answer = b.ask(tcp(9, 50), "192.0.2.1");
    CHECK((answer.result == ProbeResult::tcp_timeout || answer.result == ProbeResult::tcp_failed));
}

TEST_CASE("answers that are not HTTP are failures") {
    Bench b;
    for (const auto& text :
         {std::string("SSH-2.0-x\r\n"), std::string("HTTP/1.1\r\n\r\n"), std::string("HTTP/1.1 20"),
          std::string("HTTP/1.1 ") + std::string(10'000, '2'), std::string("HTTP/1.1 2000\r\n")}) {
        Server server(text);
        const auto answer = b.ask(http(server.port, "/", 500));
        INFO(text.substr(0, 40) << " -> " << answer.text);
        CHECK(answer.result == ProbeResult::http_failed);
    }
}

TEST_CASE("a check or an address that makes no sense is an error") {
    Bench b;
    CHECK(b.ask({}).result == ProbeResult::error);
    CHECK(b.ask(tcp(1), "localhost").result == ProbeResult::error);
}

TEST_CASE("a probe that is destroyed never calls back") {
    Server server(ok_answer("200 OK"));
    Bench b;
    bool called = false;
    {
        auto running =
                probe(*b.loop, "127.0.0.1", http(server.port), [&](ProbeAnswer) { called = true; });
        b.loop->run_until_idle();
    }
    for (int i = 0; i < 20; ++i) {
        b.loop->run_until_idle();
        base::pause_for(1ms);
    }
    CHECK_FALSE(called);
}

TEST_CASE("paths with blanks and line ends cannot add to a request") {
    const ProbeTarget target{.http = true, .port = 1, .path = "/a b\r\nEvil: 1\xc3"};
    const auto request = probe_request(target, "h");
    CHECK(request.starts_with("GET /a%20b%0D%0AEvil:%201%C3 HTTP/1.1\r\nHost: h\r\n"));
}

TEST_CASE("the probes of 250 containers are far below a hundredth of a core") {
    Server server(ok_answer("200 OK"));
    Bench b;
    ::rusage before{}, after{};
    REQUIRE(::getrusage(RUSAGE_THREAD, &before) == 0);
    for (int i = 0; i < 250; ++i) REQUIRE(b.ask(http(server.port)).text.empty());
    REQUIRE(::getrusage(RUSAGE_THREAD, &after) == 0);
    const auto used = [](const ::rusage& u) {
        return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    };
    // One round each 30 s. Sanitizers make it several times slower than it is.
    CHECK(used(after) - used(before) < 0.3);
}
