// garden-shim's one loop: gardend's requests, the first process, processes and their output.
// Single-threaded. Used by main.cpp. shim.cpp: loop and connections; requests.cpp: what gardend
// asks; streams.cpp: output and exits.
#pragma once

#include "garden/launch/protocol.hpp"
#include "garden/launch/shim/process.hpp"

#include <map>
#include <memory>
#include <set>
#include <vector>

namespace garden::launch {

class ShimLoop {
  public:
    ShimLoop(base::Fd control, base::Fd program, base::Fd epoll, base::Fd null);
    // The exit code of the program: 0 after destroy, or when gardend went away before `create`.
    int run();

  private:
    enum class Watched : std::uint8_t {
        control,
        listener,
        init,
        init_channel,
        process,
        channel,
        out,
        err,
        sink_out,
        sink_err
    };
    using Fds = std::vector<base::Fd>;

    // Loop (shim.cpp)
    static std::uint64_t key(Watched what, std::uint64_t id) {
        return id << 8 | static_cast<std::uint8_t>(what);
    }

    bool watch(base::FdRef fd, std::uint64_t key, std::uint32_t events);
    void unwatch(base::FdRef fd);
    void handle(std::uint64_t key);
    int timeout() const;
    void tick();
    void accept_gardend();
    void read_control();
    void lose_gardend();
    bool is_abandoned() const;
    void send(
            MessageKind kind,
            std::uint64_t id,
            std::string_view body,
            std::span<const base::FdRef> fds = {});
    void reply(
            std::uint64_t id,
            const base::Result<Outcome>& outcome,
            std::span<const base::FdRef> fds = {});

    // Requests (requests.cpp)
    void dispatch(Frame frame);
    base::Result<void> prepare(const Frame& frame);
    base::Result<void> create(Frame frame);
    void created();  // the first process is garden-init, or has failed
    base::Result<void> run_process(const Frame& frame);
    void executed(std::uint64_t serial);  // a process has executed, failed, or sent its terminal
    base::Result<Outcome> small(const Frame& frame, Fds& fds);
    base::Result<void> change_attachment(const Frame& frame, const Arguments& arguments);
    base::Result<void> attach(Process& process, std::uint64_t serial, Outcome& outcome, Fds& fds);
    base::Result<void> destroy(const Frame& frame);
    base::Result<void> check_alive() const;
    Process* find(const std::string& id, std::uint64_t* serial = nullptr);
    base::Result<Process*> by_attachment(std::uint64_t attachment, std::uint64_t* serial = nullptr);
    void started(std::uint64_t request, Process& process, std::uint64_t attachment);
    bool is_starting(const Process& process) const;
    ShimState state() const;

    // Output and exits (streams.cpp)
    void read_source(std::uint64_t serial, int stream);
    void end_source(Process& process, int stream);
    void flush_sink(std::uint64_t attachment, int stream);
    void settle(std::uint64_t serial);  // epoll registrations after any change of sources and sinks
    void release_input(Process& process);
    void reap_process(std::uint64_t serial);
    void reap_init();
    bool tell_if_done(std::uint64_t serial, Clock::time_point now);
    void tell(Process& process);
    void record_exit(const Process& process);
    void forget(std::uint64_t serial);
    void drain_everything();
    bool all_written() const;

    base::Fd control_;
    std::uint64_t connection_ = 1;
    const base::Fd program_;
    const base::Fd epoll_;
    const base::Fd null_;
    base::Fd listener_;
    base::Fd bundle_;
    base::Fd exits_;

    NamespacePlan namespaces_;
    base::Fd init_;          // pidfd, until reaped
    base::Fd init_channel_;  // until garden-init is ready
    pid_t init_pid_ = 0;
    bool prepared_ = false;
    bool created_ = false;
    bool lock_mounts_ = false;  // of the container, and so of its peas
    std::string apparmor_;      // of the container, and so of its processes
    bool init_dead_ = false;
    std::uint64_t create_request_ = 0;
    std::uint64_t create_connection_ = 0;
    Fds cgroups_;

    std::map<std::uint64_t, Process> processes_;
    std::map<std::uint64_t, std::uint64_t> attachments_;  // to the serial of the process
    std::uint64_t next_serial_ = 1;
    std::uint64_t next_attachment_ = 1;
    std::set<std::uint64_t> ending_;    // exited, not told
    std::set<std::uint64_t> awaiting_;  // held back until a client connects, or does not
    std::unique_ptr<char[]> buffer_;    // only while output flows
    Clock::time_point buffer_used_;

    std::uint64_t destroy_request_ = 0;
    std::uint64_t destroy_connection_ = 0;
    bool destroying_ = false;
    bool finished_ = false;
    Clock::time_point finish_by_;
};

}  // namespace garden::launch
