// A container without a container: a clock that stands, processes that do as the test says and
// outlive the steps, a log that is kept. Used by the tests of steps.
#pragma once

#include "executor/fetch/fetch.hpp"
#include "executor/logs/stream.hpp"
#include "executor/steps/combinators.hpp"
#include "executor/steps/memory_journal.hpp"
#include "executor/steps/tools.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace test {

using executor::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

// What a program does; looked up by its path.
struct Behaviour {
    std::optional<std::chrono::nanoseconds> lives;  // nothing: until it is told
    std::int32_t status = 0;
    std::optional<std::chrono::nanoseconds> leaves_after = milliseconds(0);  // SIGTERM; nothing: it
                                                                             // does not care
    bool unkillable = false;
    bool out_of_memory = false;
    std::optional<base::Error> refused;  // cannot be started
    std::string out;
    std::string err;
};

class FakeProcesses final : public executor::Processes {
  public:
    explicit FakeProcesses(executor::Loop& loop) : loop_(loop) {}

    std::unique_ptr<executor::RunningProcess> run(
            executor::ProcessRequest request, executor::ProcessEvents events) override;

    std::map<std::string, Behaviour> programs;
    std::vector<executor::ProcessRequest> started;  // in order
    bool started_twice = false;                     // an id: must never be

    // Of those that were started; a process of that program.
    std::size_t running() const;
    std::size_t running(const std::string& program) const;
    bool was_started(const std::string& program) const;
    // The container is gone with all that ran in it.
    void lose_container();

  private:
    friend class FakeRun;

    struct Living {
        Behaviour behaviour;
        std::string program;
        std::optional<SteadyTime> ends;
        std::int32_t status = 0;
    };

    executor::Loop& loop_;
    std::map<std::string, Living> living_;  // by id, ended ones too
    std::vector<class FakeRun*> attached_;
};

class KeptLog final : public executor::LogStream {
  public:
    void write(std::string_view source, executor::LogKind kind, std::string_view bytes) override;
    void say(std::string_view source, executor::LogKind kind, std::string_view line) override;
    void flush(std::string_view source) override;

    std::string text;  // "SOURCE out|err: line\n"

    bool has(const std::string& line) const { return text.find(line) != std::string::npos; }
};

struct Watched {
    std::unique_ptr<executor::Step> step;
    int readies = 0;
    int dones = 0;
    Outcome outcome;

    bool done() const { return dones > 0; }
};

class Bench {
  public:
    Bench();
    ~Bench();
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    base::ManualClock clock;
    std::unique_ptr<executor::Loop> loop;
    FakeProcesses processes;
    KeptLog log;
    executor::MemoryJournal journal;
    std::vector<bool> routable;

    executor::Tools& tools() { return *tools_; }

    // Starts it and lets it run until nothing happens without time.
    Watched& start(std::unique_ptr<executor::Step> step);

    Watched& start(const executor::api::Action& action) {
        return start(executor::make_step(action, tools(), "APP", "run"));
    }

    // The daemon was killed and is back: the last step is destroyed and built anew.
    Watched& restart(std::unique_ptr<executor::Step> step);

    Watched& watched() { return *watched_; }

    void advance(std::chrono::nanoseconds time);  // as time passes: timer by timer
    void cancel();

  private:
    struct Rest;
    std::unique_ptr<Rest> rest_;
    std::unique_ptr<executor::Tools> tools_;
    std::unique_ptr<Watched> watched_;
};

executor::api::Action run_of(const std::string& program, const std::string& source = "");
executor::api::Action serial_of(std::vector<executor::api::Action> actions);
executor::api::Action parallel_of(std::vector<executor::api::Action> actions);
executor::api::Action codependent_of(std::vector<executor::api::Action> actions);
executor::api::Action timeout_of(executor::api::Action action, std::chrono::nanoseconds time);
executor::api::Action try_of(executor::api::Action action);
executor::api::Action progress_of(executor::api::Action action);  // "begins", "worked", "failed"

}  // namespace test
