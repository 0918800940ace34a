// One pull of an image at a time: who asks for the same image joins the flight. Used by
// rootfs/images.cpp. The work has its own thread, so that each caller can leave alone; it is
// cancelled when the last one has left.
#pragma once

#include "base/result.hpp"
#include "rootfs/images.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace rootfs {

// The newest state of each layer; told to the callers at their own pace, which bounds the number of
// events.
class Report {
  public:
    void tell(Progress progress);
    // Calls `progress` for what is newer than `seen` says.
    void deliver(
            std::map<std::string, std::uint64_t>& seen,
            const std::function<void(const Progress&)>& progress) const;

  private:
    struct Entry {
        Progress progress;
        std::uint64_t version = 0;
    };

    mutable std::mutex mutex_;
    std::map<std::string, Entry> latest_;
    std::uint64_t version_ = 0;
};

class Flights {
  public:
    // `cancel` may also be set by the work itself, to stop its parts.
    using Work = std::function<base::Result<Image>(Report& report, std::atomic<bool>& cancel)>;

    explicit Flights(std::chrono::milliseconds deadline) : deadline_(deadline) {}

    Flights(const Flights&) = delete;
    Flights& operator=(const Flights&) = delete;
    ~Flights();

    base::Result<Image> join(
            const std::string& key,
            Work work,
            const std::function<void(const Progress&)>& progress,
            const std::atomic<bool>& cancelled);

  private:
    struct Flight {
        std::string key;
        std::thread thread;
        std::atomic<bool> cancel{false};
        bool timed_out = false;
        unsigned callers = 0;
        std::chrono::steady_clock::time_point end;
        Report report;
        std::optional<base::Result<Image>> result;
    };

    std::shared_ptr<Flight> board(const std::string& key, Work work);
    void leave(const std::shared_ptr<Flight>& flight);
    void land(const std::shared_ptr<Flight>& flight, base::Result<Image> result);

    std::chrono::milliseconds deadline_;
    std::mutex mutex_;
    std::condition_variable landed_;
    std::map<std::string, std::shared_ptr<Flight>> open_;  // may still be joined
    std::list<std::thread> finished_;                      // to be joined by whoever comes next
    unsigned flying_ = 0;
};

// One worker per name; others wait until it is free or they are cancelled.
class KeyedGate {
  public:
    class Pass {
      public:
        Pass(KeyedGate& gate, std::string key) : gate_(&gate), key_(std::move(key)) {}

        Pass(Pass&& other) noexcept
            : gate_(std::exchange(other.gate_, nullptr)), key_(std::move(other.key_)) {}

        Pass& operator=(Pass&&) = delete;
        Pass(const Pass&) = delete;
        Pass& operator=(const Pass&) = delete;

        ~Pass() {
            if (gate_ != nullptr) gate_->leave(key_);
        }

      private:
        KeyedGate* gate_;
        std::string key_;
    };

    base::Result<Pass> enter(const std::string& key, const std::atomic<bool>& cancelled);

  private:
    void leave(const std::string& key);

    std::mutex mutex_;
    std::condition_variable free_;
    std::map<std::string, bool> taken_;
};

}  // namespace rootfs
