#include "tests/unit/brain_store/etcd_servers.hpp"

#include "base/http/client.hpp"
#include "base/program.hpp"
#include "base/sys/file.hpp"
#include "base/sys/pidfd.hpp"
#include "base/sys/process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>

namespace test {

using namespace std::chrono_literals;

namespace {

constexpr const char* kServer = "/usr/bin/etcd";

base::Fd loopback_socket(std::uint16_t port, bool connect) {
    base::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    auto* raw = reinterpret_cast<::sockaddr*>(&address);
    const int done = connect ? ::connect(socket.get(), raw, sizeof address)
                             : ::bind(socket.get(), raw, sizeof address);
    return done == 0 ? std::move(socket) : base::Fd();
}

std::uint16_t port_of(const base::Fd& socket) {
    ::sockaddr_in address = {};
    ::socklen_t size = sizeof address;
    REQUIRE(::getsockname(socket.get(), reinterpret_cast<::sockaddr*>(&address), &size) == 0);
    return ntohs(address.sin_port);
}

// All of them held at once, so that they differ; free when this returns.
std::vector<std::uint16_t> free_ports(std::size_t count) {
    std::vector<base::Fd> held;
    std::vector<std::uint16_t> ports;
    for (std::size_t i = 0; i < count; ++i) {
        held.push_back(loopback_socket(0, false));
        REQUIRE(held.back());
        ports.push_back(port_of(held.back()));
    }
    return ports;
}

std::string url(const std::string& scheme, std::uint16_t port) {
    return scheme + "://127.0.0.1:" + std::to_string(port);
}

}  // namespace

EtcdServers::EtcdServers(EtcdShape shape) : shape_(std::move(shape)) {
    const auto count = static_cast<std::size_t>(shape_.members);
    const auto ports = free_ports(2 * count);
    std::string cluster;
    for (std::size_t i = 0; i < count; ++i)
        cluster += (i == 0 ? "m" : ",m") + std::to_string(i) + "=" + url("http", ports[count + i]);
    for (std::size_t i = 0; i < count; ++i) {
        ports_.push_back(ports[i]);
        endpoints_.push_back(url(shape_.scheme, ports[i]));
        const auto peer = url("http", ports[count + i]);
        // Elections of half a second: a dead member costs a test little. Dies with this thread.
        std::vector<std::string> arguments{
                "setpriv",
                "--pdeathsig",
                "KILL",
                kServer,
                "--name",
                "m" + std::to_string(i),
                "--data-dir",
                directory_.path + "/m" + std::to_string(i),
                "--listen-client-urls",
                endpoints_.back(),
                "--advertise-client-urls",
                endpoints_.back(),
                "--listen-peer-urls",
                peer,
                "--initial-advertise-peer-urls",
                peer,
                "--initial-cluster",
                cluster,
                "--initial-cluster-token",
                directory_.path,
                "--heartbeat-interval",
                "50",
                "--election-timeout",
                "500",
                "--logger",
                "zap",
                "--log-outputs",
                "stderr",
                "--log-level",
                "error"};
        arguments.insert(arguments.end(), shape_.arguments.begin(), shape_.arguments.end());
        members_.push_back({.arguments = std::move(arguments), .process = {}});
        start(i);
    }
    wait_until_ready();
}

EtcdServers::~EtcdServers() {
    for (std::size_t i = 0; i < members_.size(); ++i) kill(i);
}

void EtcdServers::start(std::size_t member) {
    const base::Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto log = directory_.path + "/log" + std::to_string(member);
    const base::Fd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const std::vector<std::string> environment{"PATH=/usr/bin:/bin"};
    const std::array<base::FdRef, 3> standard{nothing, output, output};
    auto spawned = base::sys::spawn_program(
            "/usr/bin/setpriv", members_[member].arguments, environment, standard);
    REQUIRE((spawned ? std::string() : spawned.error().text) == "");
    members_[member].process = std::move(spawned->pidfd);
}

void EtcdServers::kill(std::size_t member) {
    auto& process = members_[member].process;
    if (!process) return;
    (void)base::sys::signal_process(process, SIGKILL);
    (void)eventually([&] {
        const auto ended = base::sys::reap(process);
        return !ended || ended->has_value();
    });
    process.reset();
}

void EtcdServers::pause(std::size_t member) {
    REQUIRE(base::sys::signal_process(members_[member].process, SIGSTOP));
}

void EtcdServers::resume(std::size_t member) {
    REQUIRE(base::sys::signal_process(members_[member].process, SIGCONT));
}

void EtcdServers::wait_until_ready() {
    if (shape_.scheme != "http") {
        CHECK(eventually([&] { return bool(loopback_socket(ports_.front(), true)); }, 20s));
        return;
    }
    const auto ready = eventually(
            [&] {
                for (const auto& endpoint : endpoints_) {
                    base::http::Client client(
                            {.endpoint = base::http::Endpoint::parse(endpoint).value()});
                    const auto answer = client.call({.target = "/health", .timeout = 1s});
                    if (!answer || answer->body.find("true") == std::string::npos) return false;
                }
                return true;
            },
            20s);
    if (!ready) {
        const auto log = base::sys::read_host_file(directory_.path + "/log0");
        FAIL("etcd does not start: " << (log ? *log : std::string()));
    }
}

std::string EtcdServers::control(const std::vector<std::string>& arguments) {
    base::ProgramCall call{.path = "/usr/bin/etcdctl", .arguments = arguments};
    call.environment = {"ETCDCTL_API=3", "PATH=/usr/bin:/bin"};
    call.arguments.insert(call.arguments.begin(), "--endpoints=" + endpoints_.front());
    call.deadline = 10s;
    const auto end = base::run_program(call);
    REQUIRE((end ? std::string() : end.error().text) == "");
    INFO(end->complaint);
    REQUIRE(end->code == 0);
    return end->output;
}

LossyProxy::LossyProxy(std::uint16_t to) : to_(to), listening_(loopback_socket(0, false)) {
    REQUIRE(listening_);
    REQUIRE(::listen(listening_.get(), 64) == 0);
    port_ = port_of(listening_);
    thread_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

LossyProxy::~LossyProxy() {
    thread_.request_stop();
    thread_.join();
    for (auto& connection : connections_) connection.request_stop();
}

std::string LossyProxy::endpoint() const {
    return url("http", port_);
}

void LossyProxy::accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        ::pollfd entry{.fd = listening_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&entry, 1, 20) <= 0) continue;
        base::Fd client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client || mode_ == Mode::refuse) continue;
        connections_.emplace_back(
                [this, client = std::move(client)](const std::stop_token& end) mutable {
                    pass(end, std::move(client));
                });
    }
}

void LossyProxy::pass(const std::stop_token& stop, base::Fd client) {
    const auto server = loopback_socket(to_, true);
    std::array<char, 65536> bytes{};
    while (server && !stop.stop_requested()) {
        std::array<::pollfd, 2> entries{};
        entries[0] = {.fd = client.get(), .events = POLLIN, .revents = 0};
        entries[1] = {.fd = server.get(), .events = POLLIN, .revents = 0};
        if (mode_ == Mode::refuse) return;
        if (::poll(entries.data(), entries.size(), 20) <= 0) continue;
        for (std::size_t i = 0; i < 2; ++i) {
            if (entries[i].revents == 0) continue;
            const auto count = ::recv(entries[i].fd, bytes.data(), bytes.size(), 0);
            if (count <= 0) return;
            if (i == 1 && mode_ == Mode::lose_answers) {
                ++lost_;
                return;
            }
            const int to = i == 0 ? server.get() : client.get();
            for (::ssize_t sent = 0; sent < count;) {
                const auto n =
                        ::send(to, bytes.data() + sent, static_cast<std::size_t>(count - sent),
                               MSG_NOSIGNAL);
                if (n <= 0) return;
                sent += n;
            }
        }
    }
}

}  // namespace test
