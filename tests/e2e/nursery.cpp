#include "tests/e2e/nursery.hpp"

#include "base/parse.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <sstream>

#include <catch2/catch.hpp>

namespace test {

namespace fs = std::filesystem;

namespace {

void raise_loopback() {
    const base::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::memcpy(request.ifr_name, "lo", 3);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    (void)::ioctl(socket.get(), SIOCSIFFLAGS, &request);
}

}  // namespace

Nursery::Nursery() {
    (void)::prctl(PR_SET_CHILD_SUBREAPER, 1);
    thread_ = std::thread([this] { loop(); });
    bool own = false;
    run([&] {
        own = ::unshare(CLONE_NEWNET) == 0;
        raise_loopback();
    });
    REQUIRE(own);
}

Nursery::~Nursery() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Nursery::run(std::function<void()> job) {
    std::packaged_task<void()> task(std::move(job));
    auto done = task.get_future();
    {
        const std::lock_guard lock(mutex_);
        jobs_.push(std::move(task));
    }
    changed_.notify_all();
    done.get();
}

void Nursery::loop() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        auto task = std::move(jobs_.front());
        jobs_.pop();
        lock.unlock();
        task();
        lock.lock();
    }
}

pid_t Nursery::spawn(const std::vector<std::string>& argv, const std::string& log) {
    std::vector<char*> words;
    words.reserve(argv.size() + 1);
    for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    pid_t child = -1;
    run([&] {
        const base::Fd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        child = ::fork();
        if (child != 0) return;
        (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);  // this thread's end
        (void)::dup2(output.get(), 1);
        (void)::dup2(output.get(), 2);
        // What the test has open is nobody else's business.
        (void)::close_range(3, ~0U, 0);
        ::execv(words[0], words.data());
        ::_exit(127);
    });
    return child;
}

std::vector<ProcessLine> all_processes() {
    std::vector<ProcessLine> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const auto pid = base::parse_number<pid_t>(entry.path().filename().string(), "pid");
        if (!pid) continue;
        const auto text = base::sys::read_host_file(entry.path().string() + "/stat");
        if (!text) continue;
        const auto open = text->find('(');
        const auto close = text->rfind(')');
        if (open == std::string::npos || close == std::string::npos) continue;
        ProcessLine line{.pid = *pid, .name = text->substr(open + 1, close - open - 1)};
        std::istringstream rest(text->substr(close + 1));
        rest >> line.state >> line.parent;
        std::string word;
        for (int field = 5; field < 22 && rest >> word; ++field) {
        }
        rest >> line.started;
        found.push_back(std::move(line));
    }
    return found;
}

std::vector<ProcessLine> descendants(pid_t but) {
    const auto all = all_processes();
    std::multimap<pid_t, const ProcessLine*> children;
    for (const auto& line : all) children.emplace(line.parent, &line);
    std::vector<ProcessLine> found;
    std::vector<pid_t> queue{::getpid()};
    while (!queue.empty()) {
        const auto parent = queue.back();
        queue.pop_back();
        const auto [first, last] = children.equal_range(parent);
        for (auto it = first; it != last; ++it) {
            const auto& line = *it->second;
            if (line.pid == but) continue;
            if (line.state == 'Z' && parent == ::getpid()) {
                (void)::waitpid(line.pid, nullptr, WNOHANG);  // an orphan that we inherited
                continue;
            }
            found.push_back(line);
            queue.push_back(line.pid);
        }
    }
    return found;
}

bool runs(pid_t pid) {
    const auto text = base::sys::read_host_file("/proc/" + std::to_string(pid) + "/stat");
    if (!text) return false;
    const auto close = text->rfind(')');
    if (close == std::string::npos || close + 2 >= text->size()) return false;
    const char state = (*text)[close + 2];
    return state != 'Z' && state != 'X';
}

pid_t parent_of(pid_t pid) {
    for (const auto& line : all_processes()) {
        if (line.pid == pid) return line.parent;
    }
    return 0;
}

}  // namespace test
