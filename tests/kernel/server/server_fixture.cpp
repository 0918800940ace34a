#include "server_fixture.hpp"

#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "base/sys/stream_socket.hpp"
#include "garden/cgroup/cgroup.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <catch2/catch.hpp>

namespace test {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

void leave_the_host_network() {
    static const bool left = [] {
        if (::unshare(CLONE_NEWNET) != 0) return false;
        const base::Fd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ifreq loopback{};
        std::strncpy(loopback.ifr_name, "lo", sizeof loopback.ifr_name - 1);
        loopback.ifr_flags = IFF_UP;
        return ::ioctl(any.get(), SIOCSIFFLAGS, &loopback) == 0;
    }();
    REQUIRE(left);
}

namespace {

void make_rootfs(const fs::path& root) {
    for (const char* name : {"bin", "etc", "root", "home/alice", "tmp"})
        fs::create_directories(root / name);
    fs::permissions(root / "tmp", static_cast<fs::perms>(01777));
    fs::copy_file("/bin/busybox", root / "bin/busybox");
    for (const char* applet :
         {"sh",    "echo", "cat", "ls",   "sleep", "true", "false", "id", "env", "stty", "kill",
          "touch", "head", "dd",  "stat", "seq",   "pwd",  "tail",  "wc", "yes", "tr"})
        fs::create_symlink("busybox", root / "bin" / applet);
    std::ofstream(root / "etc/passwd")
            << "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1010:alice:/home/alice:/bin/sh\n";
    std::ofstream(root / "etc/group") << "root:x:0:\nalice:x:1010:\n";
    REQUIRE(::chown((root / "home/alice").c_str(), 1001, 1010) == 0);
}

}  // namespace

ServerFixture::ServerFixture(ServerOptions options) : options_(std::move(options)) {
    leave_the_host_network();
    char name[] = "/var/tmp/cloche-server-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    directory_ = name;
    rootfs_ = directory_ + "/rootfs";
    make_rootfs(rootfs_);
    config_.state_directory = directory_ + "/state";
    config_.store_directory = directory_ + "/store";
    config_.program_directory = std::string(CLOCHE_BINARY_DIR) + "/bin";
    // No other test program has digits in its tag; two of this one rarely meet in one cgroup
    // parent.
    config_.tag = "v" + std::to_string(::getpid() % 10);
    config_.default_rootfs = rootfs_;
    config_.external_ip = "192.0.2.1";
    config_.pool_size = 2;
    if (options_.configure) options_.configure(config_);
    log_file_ = base::Fd(
            ::open((directory_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    log_ = std::make_unique<base::log::Logger>(base::log::Config{
            .component = "gardend", .level = base::log::Level::debug, .sink = log_file_});
    start();
}

ServerFixture::~ServerFixture() {
    if (engine_) {
        for (const auto& handle : engine_->list({{"garden.state", "all"}})) {
            const auto destroyed = engine_->destroy(handle);
            CHECK((destroyed ? std::string() : destroyed.error().text) == "");
        }
        std::string findings;
        const auto orphans = engine_->doctor().value();
        for (const auto& orphan : orphans)
            findings += orphan.kind + " " + orphan.name + ": " + orphan.reason + "\n";
        CHECK(findings == "");
    }
    stop();
    auto cgroups = garden::cgroup::Driver::probe("garden-" + config_.tag);
    if (cgroups) CHECK((*cgroups)->remove_parent());
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
    CHECK_FALSE(ignored);
}

void ServerFixture::start() {
    engine_ = garden::Engine::start(config_).value();
    service_ = garden::server::Service::start(
                       *engine_, *log_,
                       {.shares = options_.shares,
                        .bulk_deadline = options_.bulk_deadline,
                        .stream_times = options_.stream_times})
                       .value();
    base::http::Endpoint endpoint;
    endpoint.path = directory_ + "/socket";
    base::http::ServerConfig config;
    config.endpoints = {endpoint};
    config.limits.workers = options_.shares.workers;
    config.limits.queued_requests = options_.queued_requests;
    config.on_served = [this](const base::http::Served& served) { service_->served(served); };
    config.busy = &garden::server::Service::busy;
    server_ = base::http::Server::start(std::move(config), [this](base::http::Request& request) {
                  return service_->handle(request);
              }).value();
}

void ServerFixture::stop() {
    if (server_) (void)server_->stop(5s);
    if (service_) service_->abandon_streams();
    server_.reset();
    service_.reset();
    engine_.reset();
}

void ServerFixture::restart() {
    stop();
    start();
}

garden::api::Client ServerFixture::client() const {
    return garden::api::Client({.endpoint = endpoint(), .headers = {}});
}

std::string ServerFixture::create(const std::string& handle) {
    garden::api::ContainerSpec spec;
    spec.handle = handle;
    return client().create(spec).value();
}

garden::api::ProcessSpec ServerFixture::process(
        std::vector<std::string> argv, const std::string& user) {
    garden::api::ProcessSpec spec;
    spec.path = argv.at(0);
    spec.args.assign(argv.begin() + 1, argv.end());
    spec.user = user;
    return spec;
}

ServerFixture::Output ServerFixture::run(const std::string& handle, std::vector<std::string> argv) {
    const auto body = base::json::encode(process(std::move(argv)));
    auto started = begin(endpoint(), "POST", "/containers/" + handle + "/processes", body);
    auto out = open_output(endpoint(), handle, started, false);
    auto err = open_output(endpoint(), handle, started, true);
    Output output;
    std::thread reader([&] { output.err = err.rest(60s); });
    output.out = out.rest(60s);
    reader.join();
    const auto last = started.main.until("\n", 60s);
    const auto message =
            base::json::decode<garden::api::ProcessMessage>(last, base::json::Rest::ignore).value();
    INFO(last);
    REQUIRE(message.exit_status);
    output.code = static_cast<std::int32_t>(*message.exit_status);
    return output;
}

Wire::Wire(const base::http::Endpoint& endpoint) {
    auto address = base::sys::unix_address(endpoint.path).value();
    socket_ = base::sys::connect_to(address, std::chrono::steady_clock::now() + 5s).value();
}

void Wire::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) {
            (void)base::sys::wait_ready(
                    socket_, base::sys::Ready::write, std::chrono::steady_clock::now() + 1s);
            continue;
        }
        if (count <= 0) return;  // the server may have had enough
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

bool Wire::receive(std::chrono::steady_clock::time_point deadline) {
    const auto ready = base::sys::wait_ready(socket_, base::sys::Ready::read, deadline);
    if (!ready || !*ready) return false;
    std::vector<char> piece(64 * 1024);
    const auto count = ::recv(socket_.get(), piece.data(), piece.size(), 0);
    if (count <= 0) {
        ended_ = true;
        return false;
    }
    buffer_.append(piece.data(), static_cast<std::size_t>(count));
    return true;
}

std::string Wire::until(std::string_view text, std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    std::size_t at = 0;
    while ((at = buffer_.find(text)) == std::string::npos) {
        if (receive(deadline)) continue;
        FAIL("no \"" << text << "\" in \"" << buffer_ << "\"" << (ended_ ? ", the end" : ""));
    }
    auto out = buffer_.substr(0, at + text.size());
    buffer_.erase(0, at + text.size());
    return out;
}

std::string Wire::rest(std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (receive(deadline)) {
    }
    if (!ended_) FAIL("the stream does not end; so far \"" << buffer_.substr(0, 1000) << "\"");
    return std::exchange(buffer_, {});
}

std::string Wire::peek(std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (receive(deadline)) {
    }
    return buffer_;
}

Answer parse_answer(std::string_view raw) {
    Answer answer;
    const auto blank = raw.find("\r\n\r\n");
    if (!raw.starts_with("HTTP/1.1 ") || blank == std::string_view::npos)
        FAIL("no answer: \"" << raw.substr(0, 1000) << "\"");
    answer.status = base::parse_number<int>(raw.substr(9, 3), "status").value();
    answer.body = raw.substr(blank + 4);
    auto head = raw.substr(0, blank + 2);
    while (!head.empty()) {
        const auto end = head.find("\r\n") + 2;
        const auto line = head.substr(0, end);
        head.remove_prefix(end);
        if (!line.starts_with("Date: ") && !line.starts_with("X-Request-Id: "))
            answer.head.append(line);
    }
    return answer;
}

namespace {

std::string request(
        std::string_view method,
        std::string_view target,
        std::string_view body,
        std::string_view more) {
    std::string text(method);
    text.append(" ").append(target).append(" HTTP/1.1\r\nHost: api\r\n");
    text.append("User-Agent: Go-http-client/1.1\r\n");
    text.append(more);
    if (!body.empty()) {
        text.append("Content-Length: ").append(std::to_string(body.size()));
        text.append("\r\nContent-Type: application/json\r\n");
    } else if (method == "POST" || method == "PUT") {
        text.append("Content-Length: 0\r\n");
    }
    return text.append("\r\n").append(body);
}

}  // namespace

std::string go_request(std::string_view method, std::string_view target, std::string_view body) {
    return request(method, target, body, "Connection: close\r\nAccept-Encoding: gzip\r\n");
}

std::string go_hijack(std::string_view method, std::string_view target, std::string_view body) {
    return request(method, target, body, "");
}

Answer call(
        const base::http::Endpoint& endpoint,
        std::string_view method,
        std::string_view target,
        std::string_view body) {
    Wire wire(endpoint);
    wire.send(go_request(method, target, body));
    return parse_answer(wire.rest(60s));
}

RawProcess begin(
        const base::http::Endpoint& endpoint,
        std::string_view method,
        std::string_view target,
        std::string_view body) {
    RawProcess process{.main = Wire(endpoint), .head = {}, .process_id = {}, .stream_id = {}};
    process.main.send(go_hijack(method, target, body));
    process.head = parse_answer(process.main.until("\r\n\r\n", 60s)).head;
    INFO(process.head);
    REQUIRE(process.head.starts_with("HTTP/1.1 20"));
    const auto line = process.main.until("\n");
    const auto first =
            base::json::decode<garden::api::ProcessMessage>(line, base::json::Rest::ignore).value();
    process.process_id = first.process_id;
    process.stream_id = first.stream_id.value_or("");
    // Byte for byte: two strings, nothing else.
    REQUIRE(line == "{\"process_id\":\"" + process.process_id + "\",\"stream_id\":\"" +
                            process.stream_id + "\"}\n");
    return process;
}

Wire open_output(
        const base::http::Endpoint& endpoint,
        std::string_view handle,
        const RawProcess& process,
        bool is_stderr) {
    Wire wire(endpoint);
    const auto target = "/containers/" + std::string(handle) + "/processes/" + process.process_id +
                        "/attaches/" + process.stream_id + (is_stderr ? "/stderr" : "/stdout");
    wire.send(go_hijack("GET", target));
    REQUIRE(parse_answer(wire.until("\r\n\r\n")).head ==
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    return wire;
}

std::string tar_of(const std::vector<std::pair<std::string, std::string>>& entries) {
    constexpr std::size_t kBlock = 512;
    std::string out;
    for (const auto& [name, data] : entries) {
        std::string head(kBlock, '\0');
        const auto put = [&](std::size_t at, std::string_view text) {
            head.replace(at, text.size(), text);
        };
        const bool directory = name.ends_with('/');
        char size[13];
        (void)std::snprintf(size, sizeof size, "%011zo", data.size());
        put(0, name);
        put(100, directory ? "0000755" : "0000644");
        put(108, "0000000");
        put(116, "0000000");
        put(124, size);
        put(136, "14000000000");
        put(148, "        ");
        head[156] = directory ? '5' : '0';
        put(257, std::string_view("ustar\00000", 8));
        unsigned sum = 0;
        for (const char c : head) sum += static_cast<unsigned char>(c);
        char text[8];
        (void)std::snprintf(text, sizeof text, "%06o", sum);
        put(148, text);
        head[154] = '\0';
        out.append(head).append(data).append((kBlock - data.size() % kBlock) % kBlock, '\0');
    }
    return out.append(2 * kBlock, '\0');
}

bool eventually(const std::function<bool()>& check, std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (!check()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(10ms);
    }
    return true;
}

}  // namespace test
