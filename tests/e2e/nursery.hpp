// The one thread that starts gardends: it lives in the test's network namespace, and when it ends,
// however it ends, the gardends die with it. Orphans (shims of killed gardends) become children of
// the test, so that none can hide. Used by Daemon.
#pragma once

#include <sys/types.h>

#include <functional>
#include <future>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <vector>

namespace test {

class Nursery {
  public:
    Nursery();
    ~Nursery();
    Nursery(const Nursery&) = delete;
    Nursery& operator=(const Nursery&) = delete;

    // Runs `job` on the thread and waits for it.
    void run(std::function<void()> job);
    // Output of the program goes to the end of `log`.
    pid_t spawn(const std::vector<std::string>& argv, const std::string& log);

  private:
    void loop();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::queue<std::packaged_task<void()>> jobs_;
    bool stopping_ = false;
    std::thread thread_;
};

struct ProcessLine {
    pid_t pid = 0;
    pid_t parent = 0;
    char state = '?';
    std::string name;
    unsigned long long started = 0;  // jiffies: with the pid it names a process for ever
};

std::vector<ProcessLine> all_processes();
// Everything below this test program except `but`, living or not yet reaped by somebody else.
// Reaps our own zombies.
std::vector<ProcessLine> descendants(pid_t but = 0);
// Living, not a zombie.
bool runs(pid_t pid);
pid_t parent_of(pid_t pid);

}  // namespace test
