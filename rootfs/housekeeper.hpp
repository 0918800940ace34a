// A thread that does one thing again and again until it is told to end. Used by rootfs/images to
// collect what nobody uses.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace rootfs {

class Housekeeper {
  public:
    Housekeeper(std::chrono::milliseconds interval, std::function<void()> work)
        : thread_([this, interval, work = std::move(work)] {
              std::unique_lock lock(mutex_);
              while (!end_.wait_for(lock, interval, [this] { return over_; })) {
                  lock.unlock();
                  work();
                  lock.lock();
              }
          }) {}

    Housekeeper(const Housekeeper&) = delete;
    Housekeeper& operator=(const Housekeeper&) = delete;

    ~Housekeeper() {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        end_.notify_all();
        thread_.join();
    }

  private:
    std::mutex mutex_;
    std::condition_variable end_;
    bool over_ = false;
    std::thread thread_;
};

}  // namespace rootfs
