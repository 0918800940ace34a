#include "base/daemon.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

namespace base {

std::map<std::string, std::string> environment_of_process() {
    std::map<std::string, std::string> out;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        out.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return out;
}

void raise_descriptor_limit(const log::Logger& log) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log.warning("cannot raise the descriptor limit");
}

sigset_t block_signals() {
    sigset_t set;
    (void)::sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) (void)::sigaddset(&set, number);
    (void)::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    (void)::signal(SIGPIPE, SIG_IGN);
    return set;
}

void answer_signals(const log::Logger& log, const sigset_t& signals, const SignalAnswers& answers) {
    constexpr timespec kSecond{.tv_sec = 1, .tv_nsec = 0};
    for (;;) {
        const int number = ::sigtimedwait(&signals, nullptr, answers.over ? &kSecond : nullptr);
        if (number < 0) {
            if (answers.over && answers.over()) return;
        } else if (number == SIGHUP) {
            answers.reload();
        } else if (number == SIGUSR1) {
            answers.dump();
        } else {
            log.info("stopping; containers stay", {{"signal", number}});
            return;
        }
    }
}

Result<Fd> lock_file(
        const std::string& path,
        std::string_view who,
        std::chrono::steady_clock::time_point deadline) {
    constexpr std::chrono::milliseconds kLook{20};
    auto file = TRY(sys::open_host(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    for (;;) {
        if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
        if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno("flock {}", path);
        if (std::chrono::steady_clock::now() >= deadline)
            return fail(Errc::conflict, "{}: another {} is running", path, who);
        (void)::poll(nullptr, 0, static_cast<int>(kLook.count()));
    }
}

Patience::Patience(const log::Logger& log, std::chrono::nanoseconds limit)
    : thread_([this, &log, limit] {
          std::unique_lock lock(mutex_);
          if (done_.wait_for(lock, limit, [this] { return over_; })) return;
          log.warning("work is still running; leaving it", {{"waited", limit}});
          ::_exit(0);
      }) {}

Patience::~Patience() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    done_.notify_all();
    thread_.join();
}

}  // namespace base
