#include "fixture.hpp"

#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include <catch2/catch.hpp>

namespace test {

using namespace std::chrono_literals;

using base::http::Endpoint;

TemporaryDirectory::TemporaryDirectory() : path("/tmp/http-test-XXXXXX") {
    if (::mkdtemp(path.data()) == nullptr) path.clear();
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
}

HttpServer::HttpServer(base::http::Handler handler, base::http::ServerLimits limits, bool paused) {
    Endpoint endpoint;
    endpoint.path = directory_.path + "/s";
    auto server = base::http::Server::start(
            {.endpoints = {endpoint}, .limits = limits, .on_served = {}}, std::move(handler),
            paused);
    if (!server) FAIL(server.error().text);
    server_ = std::move(server).value();
}

base::http::Client HttpServer::client(std::size_t idle_connections) const {
    return base::http::Client(
            {.endpoint = endpoint(),
             .connect_timeout = 2s,
             .idle_connections = idle_connections,
             .headers = {}});
}

RawConnection::RawConnection(const Endpoint& endpoint) {
    auto address = base::sys::unix_address(endpoint.path).value();
    socket_ = base::sys::connect_to(address, std::chrono::steady_clock::now() + 2s).value();
}

void RawConnection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) {
            (void)base::sys::wait_ready(
                    socket_, base::sys::Ready::write, std::chrono::steady_clock::now() + 1s);
            continue;
        }
        if (count <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void RawConnection::close_write() {
    base::sys::shut_down(socket_, SHUT_WR);
}

std::string RawConnection::read_to_end(std::chrono::milliseconds time) {
    return read_until(std::string_view("\0no such text\0", 14), time);
}

std::string RawConnection::read_until(std::string_view text, std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    std::string all;
    std::array<char, 4096> piece{};
    while (all.find(text) == std::string::npos) {
        auto ready = base::sys::wait_ready(socket_, base::sys::Ready::read, deadline);
        if (!ready || !*ready) return all;
        const auto count = ::recv(socket_.get(), piece.data(), piece.size(), 0);
        if (count <= 0) {
            ended_ = true;
            return all;
        }
        all.append(piece.data(), static_cast<std::size_t>(count));
    }
    return all;
}

std::string body_of(std::string_view answer) {
    const auto blank = answer.find("\r\n\r\n");
    return blank == std::string_view::npos ? std::string() : std::string(answer.substr(blank + 4));
}

}  // namespace test
