// What every daemon's main does the same way: its environment, its signals, its patience at the
// end. Used by the programs only.
#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace base {

// What sysexits and the CLI's table say (conventions §15).
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

std::map<std::string, std::string> environment_of_process();

// Every connection and container costs descriptors; the service manager's soft limit is for
// programs that use select().
void raise_descriptor_limit(const log::Logger& log);

// Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR1 for sigwait(), ignores SIGPIPE. Before any thread
// exists.
sigset_t block_signals();

struct SignalAnswers {
    std::function<void()> reload;  // SIGHUP
    std::function<void()> dump;    // SIGUSR1
    // Asked each second: the daemon has done its work and ends by itself. May be empty.
    std::function<bool()> over;
};

// Until SIGTERM or SIGINT, or `over`.
void answer_signals(const log::Logger& log, const sigset_t& signals, const SignalAnswers& answers);

// The file, made when it is not there, locked while it is open: the kernel lets go with the
// process. Waits until `deadline` for one that is just ending; Errc::conflict names the file and
// `who`.
Result<Fd> lock_file(
        const std::string& path,
        std::string_view who,
        std::chrono::steady_clock::time_point deadline);

// Ends the process when its orderly end takes too long: then it ends where it stands, as after kill
// -9, which is safe (design 3.5).
class Patience {
  public:
    Patience(const log::Logger& log, std::chrono::nanoseconds limit);
    ~Patience();
    Patience(const Patience&) = delete;
    Patience& operator=(const Patience&) = delete;

  private:
    std::mutex mutex_;
    std::condition_variable done_;
    bool over_ = false;
    std::thread thread_;
};

}  // namespace base
