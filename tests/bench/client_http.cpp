#include "tests/bench/client_http.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>

namespace bench {

using base::Errc;
using base::Fd;
using base::Result;

namespace {

std::string request(
        const std::string& method, const std::string& path, const std::string& body, bool close) {
    std::string text = method + " " + path + " HTTP/1.1\r\nHost: api\r\n";
    if (close) text += "Connection: close\r\n";
    if (!body.empty())
        text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n";
    return text + "\r\n" + body;
}

// Reads up to and including the blank line; what follows stays in `rest`.
Result<int> read_header(const Fd& socket, std::string& rest) {
    for (;;) {
        const auto end = rest.find("\r\n\r\n");
        if (end != std::string::npos) {
            if (rest.size() < 12) return base::fail(Errc::corrupt, "short header");
            const int status = std::stoi(rest.substr(9, 3));
            rest.erase(0, end + 4);
            return status;
        }
        char buffer[4096];
        const ssize_t got = ::read(socket.get(), buffer, sizeof buffer);
        if (got <= 0)
            return base::fail(Errc::unavailable, "the connection ended inside the header");
        rest.append(buffer, static_cast<std::size_t>(got));
    }
}

Result<void> read_to_end(const Fd& socket, std::string& text) {
    char buffer[16384];
    for (;;) {
        const ssize_t got = ::read(socket.get(), buffer, sizeof buffer);
        if (got == 0) return base::ok;
        if (got < 0) return base::fail_errno("read");
        text.append(buffer, static_cast<std::size_t>(got));
    }
}

// The text or number of "name" in a small JSON answer of a known shape.
std::string member(const std::string& json, const std::string& name) {
    auto at = json.find("\"" + name + "\":");
    if (at == std::string::npos) return "";
    at += name.size() + 3;
    const bool quoted = json[at] == '"';
    const auto start = quoted ? at + 1 : at;
    return json.substr(start, json.find_first_of(quoted ? "\"" : ",}", start) - start);
}

}  // namespace

Result<Fd> Garden::connect() const {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_.size() >= sizeof address.sun_path)
        return base::fail(Errc::invalid, "socket path {} is too long", socket_);
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return base::fail_errno("connect to {}", socket_);
    }
    return socket;
}

Result<Answer> Garden::call(
        const std::string& method, const std::string& path, const std::string& body) const {
    const Fd socket = TRY(connect());
    TRY(base::sys::write_all(socket, request(method, path, body, true)));
    Answer answer;
    answer.status = TRY(read_header(socket, answer.body));
    TRY(read_to_end(socket, answer.body));
    if (answer.status < 200 || answer.status > 299) {
        return base::fail(Errc::internal, "{} {}: {} {}", method, path, answer.status, answer.body);
    }
    return answer;
}

Result<std::string> Garden::create(const std::string& rootfs) const {
    const std::string body =
            R"({"image":{"uri":")" + rootfs + R"("},"network":")" + network_ +
            R"(","limits":{"bandwidth_limits":{},"cpu_limits":{"limit_in_shares":512},"disk_limits":{},)"
            R"("memory_limits":{"limit_in_bytes":268435456},"pid_limits":{"max":1024}}})";
    return member(TRY(call("POST", "/containers", body)).body, "Handle");
}

Result<void> Garden::destroy(const std::string& handle) const {
    TRY(call("DELETE", "/containers/" + handle, ""));
    return base::ok;
}

Result<int> Garden::run(
        const std::string& handle,
        const std::vector<std::string>& argv,
        std::uint64_t* output) const {
    std::string body = R"({"path":")" + argv[0] + R"(","args":[)";
    for (std::size_t i = 1; i < argv.size(); ++i) body += (i == 1 ? "\"" : ",\"") + argv[i] + "\"";
    body += R"(],"user":"root","rlimits":{},"image":{}})";
    const Fd socket = TRY(connect());
    TRY(base::sys::write_all(
            socket, request("POST", "/containers/" + handle + "/processes", body, false)));
    std::string text;
    const int status = TRY(read_header(socket, text));
    if (status != 201) {
        char buffer[4096];
        const ssize_t got = ::read(socket.get(), buffer, sizeof buffer);
        if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
        return base::fail(Errc::internal, "run {}: {} {}", argv[0], status, text);
    }
    char buffer[65536];
    const auto more = [&]() -> Result<void> {
        const ssize_t got = ::read(socket.get(), buffer, sizeof buffer);
        if (got <= 0) return base::fail(Errc::unavailable, "the process stream ended early");
        text.append(buffer, static_cast<std::size_t>(got));
        return base::ok;
    };
    while (text.find('\n') == std::string::npos) TRY(more());
    std::thread reader;
    if (output != nullptr) {
        const std::string path = "/containers/" + handle + "/processes/" +
                                 member(text, "process_id") + "/attaches/" +
                                 member(text, "stream_id") + "/stdout";
        auto stream = TRY(connect());
        TRY(base::sys::write_all(stream, request("GET", path, "", false)));
        reader = std::thread([stream = std::move(stream), output] {
            std::string rest;
            if (!read_header(stream, rest)) return;
            *output = rest.size();
            std::vector<char> block(1 << 20);
            for (ssize_t got = 0; (got = ::read(stream.get(), block.data(), block.size())) > 0;)
                *output += static_cast<std::uint64_t>(got);
        });
    }
    Result<void> waited;
    while (waited && text.find("\"exit_status\"") == std::string::npos &&
           text.find("\"error\"") == std::string::npos)
        waited = more();
    if (reader.joinable()) reader.join();
    TRY(std::move(waited));
    const std::string code = member(text, "exit_status");
    if (code.empty()) return base::fail(Errc::internal, "run {}: {}", argv[0], text);
    return std::stoi(code);
}

}  // namespace bench
