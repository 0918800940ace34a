// One client of the chaos test: does random operations on containers that only it names, repeats
// what a killed gardend did not answer, and knows what must be true. Used by chaos_test.cpp.
#pragma once

#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace test {

// Catch's assertions belong to one thread; this collects for them.
class Complaints {
  public:
    void add(std::string text);
    std::vector<std::string> all() const;
    std::size_t size() const;

  private:
    mutable std::mutex mutex_;
    std::vector<std::string> texts_;
};

// Processes that must be alive at this moment, whoever runs gardend or nobody.
class Pulse {
  public:
    void expect(pid_t pid, const std::string& what);
    void release(pid_t pid);
    std::vector<std::string> missing() const;
    std::size_t size() const;

  private:
    struct Known {
        std::string what;
        unsigned long long started = 0;
    };

    mutable std::mutex mutex_;
    std::map<pid_t, Known> known_;
};

struct ChaosFigures {
    std::atomic<int> operations_left{0};
    std::atomic<int> creates{0}, runs{0}, destroys{0}, repeats{0}, attaches{0};
};

class Actor {
  public:
    Actor(Daemon& daemon,
          int number,
          unsigned seed,
          ChaosFigures& figures,
          Complaints& complaints,
          Pulse& pulse);

    void work();    // until no operations are left
    void verify();  // gardend runs and nobody kills it: everything is as it was promised
    std::vector<std::string> handles() const;

  private:
    struct Box {
        std::map<std::string, std::string> properties;
        std::map<std::string, pid_t> running;  // by process id
        int next_process = 0;
    };

    void step();
    void create();
    void run_short(const std::string& handle, Box& box);
    void run_long(const std::string& handle, Box& box);
    void kill_long(const std::string& handle, Box& box);
    void set_property(const std::string& handle, Box& box);
    void destroy(std::string handle);
    void look(const std::string& handle, const Box& box);

    // The stream of a process that surely runs or ran; nothing after a complaint.
    std::optional<garden::api::ProcessStream> start(
            const std::string& handle, const garden::api::ProcessSpec& spec);
    std::optional<garden::api::ProcessStream> attach(
            const std::string& handle, const std::string& id);
    std::optional<std::int32_t> wait(
            const std::string& handle, const std::string& id, garden::api::ProcessStream stream);

    // Repeats while there is no gardend to answer.
    template <class Call>
    auto insist(Call call) -> decltype(call()) {
        const auto deadline = std::chrono::steady_clock::now() + patience(milliseconds(60'000));
        while (true) {
            auto answer = call();
            if (answer || answer.error().kind != base::Errc::unavailable) return answer;
            ++figures_.repeats;
            if (std::chrono::steady_clock::now() > deadline) return answer;
            std::this_thread::sleep_for(milliseconds(10));
        }
    }

    void complain(const std::string& what, const std::string& how);
    int dice(int sides);

    Daemon& daemon_;
    const int number_;
    std::mt19937 random_;
    ChaosFigures& figures_;
    Complaints& complaints_;
    Pulse& pulse_;
    std::unique_ptr<garden::api::Client> client_;
    std::map<std::string, Box> boxes_;
    int next_box_ = 0;
};

}  // namespace test
