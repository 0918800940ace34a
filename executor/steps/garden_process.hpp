// One process of GardenProcesses. Private to garden_processes.
#pragma once

#include "base/fd.hpp"
#include "executor/steps/garden_processes.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace executor {

// Owners: its handle (GardenProcesses::run), and the blocking call that is on its way.
class GardenProcess final : public std::enable_shared_from_this<GardenProcess> {
  public:
    struct Means {
        Loop& loop;
        garden::api::Client& client;
        base::WorkerPool& pool;
        GardenTimes times;
    };

    GardenProcess(Means means, ProcessRequest request, ProcessEvents events);

    void connect();
    void signal(garden::api::StreamSignal signal);
    void forget();  // no more events; a signal that was asked for is still sent

  private:
    // What the calls of one attempt brought. `exists`: whatever failed, the process is there.
    struct Connection {
        std::optional<garden::api::ProcessStream> stream;
        std::array<std::optional<base::http::Hijacked>, 2> outputs;
        std::optional<base::Error> error;
        bool exists = false;
    };

    struct Output {
        base::Fd socket;
        Loop::WatchId watch = 0;
        bool opened = false;

        bool open() const { return static_cast<bool>(socket); }
    };

    // On the pool.
    Connection call(std::array<bool, 2> wanted);
    base::Result<garden::api::ProcessStream> reach(bool& exists);

    void connected(Connection connection);
    void failed(const base::Error& error);
    void retry_later();
    void go_live(Connection connection);
    void take_output(std::size_t which, base::http::Hijacked from);
    void read_output(std::size_t which);
    void end_output(std::size_t which);
    void main_ready();
    void flush();
    void lose_stream();
    void exited(std::int32_t status);
    void complete();
    void tell(base::Result<ProcessEnd> end);
    void let_go();

    bool outputs_over() const { return !outputs_[0].open() && !outputs_[1].open(); }

    const Means means_;
    const ProcessRequest request_;
    ProcessEvents events_;
    std::optional<garden::api::ProcessStream> stream_;
    Loop::WatchId watch_ = 0;
    std::array<Output, 2> outputs_;  // stdout, stderr
    Loop::TimerId timer_ = 0;
    std::chrono::nanoseconds retry_;
    int refusals_ = 0;  // in a row
    std::optional<garden::api::StreamSignal> signal_;
    std::optional<std::int32_t> status_;
    bool exists_;                // attach, do not start
    bool asked_before_ = false;  // and the answer got lost
    bool told_started_ = false;
    bool forgotten_ = false;
    bool over_ = false;
    std::atomic<bool> unwanted_{false};  // cancelled before the start: read on the pool
};

}  // namespace executor
