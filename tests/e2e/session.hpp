// What a client does with a process: run it, read its raw output, wait. Used by tests/e2e.
#pragma once

#include "garden/api/client.hpp"

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace test {

garden::api::ProcessSpec process(
        std::vector<std::string> argv, const std::string& id = "", const std::string& user = "");

// Collects one output connection on a thread of its own, with the time of its last byte.
class Reader {
  public:
    explicit Reader(base::http::Hijacked connection);
    ~Reader();  // closes the connection
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    std::string text() const;
    std::vector<std::string> lines() const;  // complete ones

    bool ended() const { return ended_; }

    // The longest time between two pieces so far.
    std::chrono::milliseconds longest_gap() const { return std::chrono::milliseconds(gap_); }

    bool wait_end(std::chrono::milliseconds limit) const;
    bool wait_for(const std::string& text, std::chrono::milliseconds limit) const;

  private:
    void run();

    base::Fd socket_;
    mutable std::mutex mutex_;
    std::string text_;
    std::atomic<bool> ended_{false};
    std::atomic<long> gap_{0};
    std::thread thread_;
};

struct Finished {
    std::int32_t code = -1;
    std::string out;
    std::string err;
    std::string error;  // of the API; "" when all went well
};

// Runs to the end and collects everything.
Finished run_to_end(
        garden::api::Client& client,
        const std::string& handle,
        const garden::api::ProcessSpec& spec,
        std::chrono::milliseconds limit = std::chrono::seconds(60));

}  // namespace test
