#include "fixture.hpp"

#include "base/clock.hpp"
#include "base/sys/file.hpp"
#include "base/sys/stream_socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <stdlib.h>

extern char** environ;

namespace test {

namespace {

using namespace std::chrono_literals;
namespace sys = base::sys;

sys::Address loopback(std::uint16_t port) {
    sys::Address address;
    void* raw = &address.storage;
    auto* v4 = static_cast<::sockaddr_in*>(raw);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.size = sizeof *v4;
    return address;
}

std::uint16_t free_port() {
    const auto socket = sys::listen_on(loopback(0)).value();
    return sys::local_address(socket).value().port();
}

::pid_t spawn(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::pid_t pid = 0;
    REQUIRE(::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) == 0);
    return pid;
}

}  // namespace

Directory::Directory() {
    std::string name = std::filesystem::temp_directory_path() / "cloche-fetch-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
}

Directory::~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
}

void write_file(const std::string& path, std::string_view content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream all;
    all << file.rdbuf();
    return all.str();
}

void shell(const std::string& directory, const std::string& line) {
    const auto pid = spawn({"sh", "-c", "cd " + directory + " && (" + line + ") >>log 2>&1"});
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    if (status != 0) FAIL(line << ": " << read_file(directory + "/log"));
}

Nginx::Nginx(const std::string& locations, bool tls) : tls_(tls) {
    std::filesystem::create_directory(root());
    if (tls)
        shell(path(),
              "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
              "-subj /CN=ca -keyout ca.key -out ca.pem && "
              "echo subjectAltName=IP:127.0.0.1 >san && "
              "for n in server client; do openssl req -newkey ec -pkeyopt "
              "ec_paramgen_curve:P-256 -nodes -subj /CN=$n -keyout $n.key -out $n.csr && "
              "openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
              "-extfile san -out $n.pem || exit 1; done");
    // Between finding a free port and taking it somebody else may have it.
    for (int attempt = 0; attempt < 5; ++attempt) {
        port_ = free_port();
        configure(locations);
        if (start()) return;
    }
    FAIL("nginx does not start: " << read_file(path() + "/error.log"));
}

Nginx::~Nginx() {
    if (pid_ <= 0) return;
    (void)::kill(pid_, SIGKILL);
    int status = 0;
    (void)::waitpid(pid_, &status, 0);
}

void Nginx::configure(const std::string& locations) const {
    const auto secure = fmt::format(
            "ssl_certificate {0}/server.pem; ssl_certificate_key {0}/server.key; "
            "ssl_client_certificate {0}/ca.pem; ssl_verify_client on;",
            path());
    write_file(
            path() + "/conf",
            fmt::format(
                    "{6}daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;\n"
                    "events {{ worker_connections 512; }}\n"
                    "http {{ log_format short '$status $request_uri'; access_log {0}/access "
                    "short;\n"
                    "client_body_temp_path {0}/t; proxy_temp_path {0}/t; fastcgi_temp_path {0}/t;\n"
                    "uwsgi_temp_path {0}/t; scgi_temp_path {0}/t;\n"
                    "server {{ listen 127.0.0.1:{1}{2}; root {3}; {4}\n{5}\n }} }}\n",
                    path(), port_, tls_ ? " ssl" : "", root(), tls_ ? secure : "", locations,
                    ::geteuid() == 0 ? "user root; " : ""));
}

bool Nginx::start() {
    pid_ = spawn(
            {"/usr/sbin/nginx", "-p", path(), "-c", path() + "/conf", "-e", path() + "/error.log"});
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < end) {
        if (sys::connect_to(loopback(port_), std::chrono::steady_clock::now() + 1s)) return true;
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) == pid_) break;
        base::pause_for(5ms);
    }
    pid_ = 0;
    return false;
}

std::string Nginx::url(std::string_view path) const {
    return fmt::format("{}://127.0.0.1:{}{}", tls_ ? "https" : "http", port_, path);
}

std::vector<std::string> Nginx::requests(std::size_t at_least) const {
    const auto end = std::chrono::steady_clock::now() + 3s;
    for (;;) {
        std::vector<std::string> lines;
        std::istringstream text(read_file(path() + "/access"));
        for (std::string line; std::getline(text, line);)
            if (line.find(" /") != std::string::npos) lines.push_back(line);
        if (lines.size() >= at_least || std::chrono::steady_clock::now() > end) return lines;
        base::pause_for(5ms);
    }
}

std::size_t Nginx::count(std::string_view line) const {
    std::size_t count = 0;
    for (const auto& request : requests(1)) count += request == line ? 1U : 0U;
    return count;
}

namespace {

::la_ssize_t append(::archive*, void* context, const void* data, std::size_t size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), size);
    return static_cast<::la_ssize_t>(size);
}

void add(::archive* out, const Item& item) {
    auto* entry = ::archive_entry_new();
    ::archive_entry_copy_pathname(entry, item.name.c_str());
    ::archive_entry_set_perm(entry, item.mode);
    ::archive_entry_set_mtime(entry, 1'700'000'000, 0);
    ::archive_entry_set_size(entry, 0);
    ::archive_entry_set_filetype(entry, AE_IFREG);
    switch (item.kind) {
        case Item::Kind::file:
            ::archive_entry_set_size(entry, static_cast<std::int64_t>(item.content.size()));
            break;
        case Item::Kind::directory:
            ::archive_entry_set_filetype(entry, AE_IFDIR);
            break;
        case Item::Kind::symlink:
            ::archive_entry_set_filetype(entry, AE_IFLNK);
            ::archive_entry_copy_symlink(entry, item.content.c_str());
            break;
        case Item::Kind::hardlink:
            ::archive_entry_copy_hardlink(entry, item.content.c_str());
            break;
        case Item::Kind::device:
            ::archive_entry_set_filetype(entry, AE_IFCHR);
            ::archive_entry_set_rdevmajor(entry, 1);
            ::archive_entry_set_rdevminor(entry, 3);
            break;
        case Item::Kind::fifo:
            ::archive_entry_set_filetype(entry, AE_IFIFO);
            break;
    }
    REQUIRE(::archive_write_header(out, entry) >= ARCHIVE_WARN);
    if (item.kind == Item::Kind::file)
        REQUIRE(::archive_write_data(out, item.content.data(), item.content.size()) >= 0);
    ::archive_entry_free(entry);
}

}  // namespace

std::string pack(Pack kind, const std::vector<Item>& items) {
    std::string bytes;
    auto* out = ::archive_write_new();
    if (kind == Pack::zip) {
        ::archive_write_set_format_zip(out);
    } else {
        ::archive_write_set_format_gnutar(out);
    }
    if (kind == Pack::tar_gzip) ::archive_write_add_filter_gzip(out);
    ::archive_write_set_bytes_in_last_block(out, 1);
    REQUIRE(::archive_write_open(out, &bytes, nullptr, append, nullptr) == ARCHIVE_OK);
    for (const auto& item : items) add(out, item);
    REQUIRE(::archive_write_close(out) == ARCHIVE_OK);
    ::archive_write_free(out);
    return bytes;
}

std::vector<std::string> list_tar(base::FdRef tar) {
    std::string bytes(static_cast<std::size_t>(sys::stat_fd(tar).value().st_size), '\0');
    REQUIRE(::pread(tar.get(), bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(bytes.size()));
    return list_tar(bytes);
}

std::vector<std::string> list_tar(std::string_view bytes) {
    std::vector<std::string> out;
    auto* in = ::archive_read_new();
    ::archive_read_support_format_tar(in);
    REQUIRE(::archive_read_open_memory(in, bytes.data(), bytes.size()) == ARCHIVE_OK);
    ::archive_entry* entry = nullptr;
    while (::archive_read_next_header(in, &entry) == ARCHIVE_OK) {
        std::string line = ::archive_entry_pathname(entry);
        if (const char* hard = ::archive_entry_hardlink(entry)) {
            line += std::string("=>") + hard;
        } else if (const char* link = ::archive_entry_symlink(entry)) {
            line += std::string("->") + link;
        } else if (::archive_entry_filetype(entry) == AE_IFREG) {
            std::string content(static_cast<std::size_t>(::archive_entry_size(entry)), '\0');
            REQUIRE(::archive_read_data(in, content.data(), content.size()) ==
                    static_cast<::la_ssize_t>(content.size()));
            line += "=" + content;
        }
        out.push_back(line);
    }
    ::archive_read_free(in);
    return out;
}

executor::FetcherConfig quick(const Directory& directory) {
    executor::FetcherConfig config;
    config.directory = directory.path + "/cache";
    config.first_pause = 1ms;
    config.longest_pause = 2ms;
    config.jitter = 1ms;
    return config;
}

struct RawServer::State {
    Behaviour behaviour;
    base::Fd listener;
    std::jthread thread;

    void serve(const std::stop_token& stop) {
        std::vector<base::Fd> silent;
        while (!stop.stop_requested()) {
            const auto soon = std::chrono::steady_clock::now() + 10ms;
            if (!sys::wait_ready(listener, sys::Ready::read, soon).value_or(false)) continue;
            auto accepted = sys::accept_from(listener);
            if (!accepted || !*accepted) continue;
            auto& socket = (*accepted)->socket;
            say(socket, stop);
            if (!behaviour.close) silent.push_back(std::move(socket));
        }
    }

    void say(base::FdRef socket, const std::stop_token& stop) const {
        // The request is read, as an unread one makes the close a reset.
        std::vector<char> request(4096);
        const auto end = std::chrono::steady_clock::now() + 1s;
        (void)sys::wait_ready(socket, sys::Ready::read, end);
        (void)sys::receive_now(socket, request);
        std::string_view rest = behaviour.bytes;
        while (!stop.stop_requested() && !rest.empty()) {
            const auto soon = std::chrono::steady_clock::now() + 10ms;
            if (!sys::wait_ready(socket, sys::Ready::write, soon).value_or(false)) continue;
            const auto sent = sys::send_now(socket, rest);
            if (!sent) return;
            rest.remove_prefix(sent->value_or(0));
            if (rest.empty() && behaviour.endless) {
                const auto body = behaviour.bytes.find("\r\n\r\n");
                rest = std::string_view(behaviour.bytes).substr(body + 4);
            }
        }
    }
};

RawServer::RawServer(Behaviour behaviour) : state_(std::make_unique<State>()) {
    state_->behaviour = std::move(behaviour);
    state_->listener = sys::listen_on(loopback(0)).value();
    state_->thread = std::jthread([this](std::stop_token stop) { state_->serve(stop); });
}

RawServer::~RawServer() = default;

std::string RawServer::url() const {
    return fmt::format(
            "http://127.0.0.1:{}/x", sys::local_address(state_->listener).value().port());
}

}  // namespace test
