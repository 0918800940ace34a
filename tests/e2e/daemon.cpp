#include "tests/e2e/daemon.hpp"

#include "base/sys/file.hpp"
#include "tests/e2e/leavings.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include <catch2/catch.hpp>

namespace test {

namespace fs = std::filesystem;

namespace {

constexpr milliseconds kStart{15'000};
constexpr milliseconds kEnd{15'000};

// Two test programs of two people on one machine do not meet: each holds the tag it uses.
std::pair<std::string, base::Fd> take_tag() {
    for (int round = 0; round < 600; ++round) {
        for (char digit = '0'; digit <= '9'; ++digit) {
            const std::string tag{'e', digit};
            base::Fd lock(
                    ::open(("/tmp/cloche-e2e-" + tag + ".lock").c_str(),
                           O_RDWR | O_CREAT | O_CLOEXEC, 0600));
            if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return {tag, std::move(lock)};
        }
        std::this_thread::sleep_for(milliseconds(100));
    }
    FAIL("every tag e0 to e9 is in use");
    return {};
}

base::http::ClientConfig config_of(const std::string& socket) {
    base::http::ClientConfig config;
    config.endpoint.kind = base::http::Endpoint::Kind::unix_socket;
    config.endpoint.path = socket;
    config.connect_timeout = milliseconds(10'000);
    return config;
}

}  // namespace

milliseconds patience(milliseconds native) {
    static const int factor = std::getenv("VM_GUEST") != nullptr ? 10 : 4;
    return native * factor;
}

int scaled(int native) {
    return std::getenv("VM_GUEST") != nullptr ? native * 5 : native;
}

void make_rootfs(const std::string& path) {
    const fs::path root = path;
    for (const char* name :
         {"bin", "dev", "etc", "root", "home/alice", "proc", "sys", "tmp", "var", "usr"})
        fs::create_directories(root / name);
    fs::permissions(root / "tmp", static_cast<fs::perms>(01777));
    fs::copy_file("/bin/busybox", root / "bin/busybox");
    for (const char* applet :
         {"sh", "echo", "cat",  "ls",   "sleep", "true", "false", "id",   "env",    "ps", "kill",
          "dd", "head", "tail", "grep", "stat",  "seq",  "touch", "stty", "usleep", "wc"}) {
        fs::create_symlink("busybox", root / "bin" / applet);
    }
    std::ofstream(root / "etc/passwd")
            << "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1010:alice:/home/alice:/bin/sh\n";
    std::ofstream(root / "etc/group") << "root:x:0:\ngardenparty:x:1010:\n";
    REQUIRE(::chown((root / "home/alice").c_str(), 1001, 1010) == 0);
}

Daemon::Daemon(DaemonOptions options) : options_(std::move(options)) {
    auto [tag, lock] = take_tag();
    tag_ = tag;
    tag_lock_ = std::move(lock);
    char name[] = "/var/tmp/cloche-e2e-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    directory_ = name;
    REQUIRE(::chmod(name, 0755) == 0);
    rootfs_ = directory_ + "/rootfs";
    state_ = options_.state.empty() ? directory_ + "/state" : options_.state;
    store_ = options_.store.empty() ? directory_ + "/store" : options_.store;
    socket_ = directory_ + "/garden.sock";
    log_ = directory_ + "/gardend.log";
    make_rootfs(rootfs_);
    client_ = new_client();
    if (options_.start) start();
}

Daemon::~Daemon() {
    const bool failed = std::uncaught_exceptions() > 0;
    if (failed) {
        std::cerr << "gardend of the failed test says last:\n" << log_tail() << std::endl;
        options_.doctor_at_end = false;
    }
    const auto left = leavings();
    for (const auto& line : left) UNSCOPED_INFO(line);
    if (!failed) CHECK(left.empty());
    if (!left.empty()) {
        for (const auto& line : left) std::cerr << "left behind: " << line << "\n";
        std::cerr << log_tail() << std::endl;
    }
    kill9();
    for (const auto& process : descendants()) (void)::kill(process.pid, SIGKILL);
    remove_files();
}

void Daemon::remove_files() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
}

std::vector<std::string> Daemon::arguments() const {
    // Another build's programs, or installed ones, can be tested as well.
    const char* programs = std::getenv("CLOCHE_E2E_PROGRAMS");
    std::vector<std::string> words{
            (programs != nullptr ? std::string(programs) : CLOCHE_BINARY_DIR "/bin") + "/gardend",
            "server",
            "--bind-socket",
            socket_,
            "--depot",
            state_,
            "--store",
            store_,
            "--tag",
            tag_,
            "--default-rootfs",
            rootfs_,
            "--external-ip",
            "192.0.2.1",
            "--pool-size",
            std::to_string(options_.pool_size),
    };
    words.insert(words.end(), options_.flags.begin(), options_.flags.end());
    return words;
}

void Daemon::add_flags(const std::vector<std::string>& flags) {
    options_.flags.insert(options_.flags.end(), flags.begin(), flags.end());
}

void Daemon::spawn() {
    const auto pid = nursery_.spawn(arguments(), log_);
    REQUIRE(pid > 0);
    pid_ = pid;
}

void Daemon::wait_ready() {
    const auto deadline = std::chrono::steady_clock::now() + patience(kStart);
    while (std::chrono::steady_clock::now() < deadline) {
        if (client_->ping()) return;
        if (!test::runs(pid_)) break;
        std::this_thread::sleep_for(milliseconds(10));
    }
    throw std::runtime_error("gardend does not answer; its log ends:\n" + log_tail());
}

void Daemon::start() {
    spawn();
    wait_ready();
}

void Daemon::kill9() {
    const auto pid = pid_.exchange(0);
    if (pid <= 0) return;
    (void)::kill(pid, SIGKILL);
    (void)::waitpid(pid, nullptr, 0);
}

void Daemon::signal(int number) {
    if (pid_ > 0) (void)::kill(pid_, number);
}

int Daemon::stop() {
    const auto pid = pid_.exchange(0);
    if (pid <= 0) return -1;
    (void)::kill(pid, SIGTERM);
    const auto deadline = std::chrono::steady_clock::now() + patience(kEnd);
    int status = 0;
    while (std::chrono::steady_clock::now() < deadline) {
        if (::waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        std::this_thread::sleep_for(milliseconds(10));
    }
    (void)::kill(pid, SIGKILL);
    (void)::waitpid(pid, &status, 0);
    return -2;  // it did not end in time
}

bool Daemon::runs() const {
    return pid_ > 0 && test::runs(pid_);
}

std::unique_ptr<garden::api::Client> Daemon::new_client() const {
    return std::make_unique<garden::api::Client>(config_of(socket_));
}

std::unique_ptr<base::http::Client> Daemon::new_http() const {
    return std::make_unique<base::http::Client>(config_of(socket_));
}

garden::api::ContainerSpec Daemon::spec(const std::string& handle) const {
    garden::api::ContainerSpec spec;
    spec.handle = handle;
    return spec;
}

void Daemon::create(const std::string& handle) {
    const auto made = client_->create(spec(handle));
    INFO("create " << handle << ": " << (made ? std::string() : made.error().text));
    REQUIRE(made);
}

std::vector<std::string> Daemon::findings() {
    std::vector<std::string> lines;
    const auto orphans = client_->doctor();
    if (!orphans) return {"doctor does not answer: " + orphans.error().text};
    for (const auto& orphan : *orphans)
        lines.push_back(orphan.kind + " " + orphan.name + ": " + orphan.reason);
    return lines;
}

std::vector<std::string> Daemon::leavings() {
    std::vector<std::string> lines;
    if (!runs()) {
        kill9();
        try {
            start();
        } catch (const std::exception& error) {
            lines.emplace_back(error.what());
        }
    }
    if (runs()) {
        const auto handles = client_->list({{"garden.state", "all"}});
        if (!handles) lines.push_back("list: " + handles.error().text);
        if (handles) {
            for (const auto& handle : *handles) {
                const auto destroyed = client_->destroy(handle);
                if (!destroyed) lines.push_back("destroy: " + destroyed.error().text);
            }
        }
        if (options_.doctor_at_end) {
            for (auto& line : findings()) lines.push_back("doctor: " + line);
        }
        const int status = stop();
        if (status != 0) lines.push_back("gardend ended with " + std::to_string(status));
    }
    for (auto& line : leavings_of(nursery_, tag_, directory_)) lines.push_back(std::move(line));
    return lines;
}

std::string Daemon::log_tail(std::size_t bytes) const {
    std::ifstream file(log_, std::ios::ate | std::ios::binary);
    if (!file) return "(no log)";
    const auto size = static_cast<std::size_t>(file.tellg());
    const auto take = std::min(size, bytes);
    std::string text(take, '\0');
    file.seekg(static_cast<std::streamoff>(size - take));
    file.read(text.data(), static_cast<std::streamsize>(take));
    return text;
}

}  // namespace test
