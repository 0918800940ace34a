// One thread that turns the kernel's OOM events into one notice per kill. Used by the driver.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace garden::cgroup {

class OomWatcher {
  public:
    using Count = std::function<std::uint64_t()>;  // OOM kills so far; the last value when the
                                                   // group is gone

    static base::Result<std::shared_ptr<OomWatcher>> start();
    OomWatcher(base::Fd inotify, base::Fd wake);
    OomWatcher(const OomWatcher&) = delete;
    OomWatcher& operator=(const OomWatcher&) = delete;
    ~OomWatcher();

    // v1: `event` is the eventfd registered with memory.oom_control. The watch's number.
    std::uint64_t add(base::Fd event, Count count, std::function<void()> notice);
    // v2: `path` of memory.events.
    base::Result<std::uint64_t> add(
            const std::string& path, Count count, std::function<void()> notice);
    // After it no notice is running or will come (unless a notice itself removes its watch).
    // Unknown ids are fine.
    void remove(std::uint64_t id);

  private:
    struct Watch {
        base::Fd event;
        int inotify = -1;
        Count count;
        std::function<void()> notice;
        std::uint64_t seen = 0;
    };

    void run();
    void check(std::uint64_t id);
    std::uint64_t insert(Watch watch);
    void wake() const;

    base::Fd inotify_;
    base::Fd wake_;
    std::mutex mutex_;
    std::condition_variable idle_;
    std::map<std::uint64_t, std::shared_ptr<Watch>>
            watches_;  // owners: the table and the check that runs now
    std::uint64_t next_ = 1;
    std::uint64_t running_ = 0;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace garden::cgroup
