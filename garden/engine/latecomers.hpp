// Attempts that are made again every second until they succeed, on a thread of their own that
// exists only while there are any: each may block for long. Used by garden/engine only.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace garden {

class Latecomers {
  public:
    Latecomers() = default;
    ~Latecomers();  // waits for the attempt at work
    Latecomers(const Latecomers&) = delete;
    Latecomers& operator=(const Latecomers&) = delete;

    // Until `attempt` returns true.
    void add(std::function<bool()> attempt);

  private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::list<std::function<bool()>> attempts_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace garden
