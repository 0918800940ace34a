// gardend's side of garden-shim: start or re-join a shim, prepare namespaces, create, run, attach,
// signal. Used by garden/engine. Blocking calls with a deadline; events arrive on the hub's one
// thread.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/launch/plan.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace garden::launch {

// Where the programs are; opened and sealed once (PL-03), so a replaced file on disk never mixes
// versions.
struct ShimPrograms {
    std::string shim;  // absolute path of garden-shim
    std::string init;  // absolute path of garden-init
    std::string copy;  // absolute path of garden-copy; empty: none, copy_program() is empty
};

struct ProcessState {
    std::string id;
    bool exited = false;
    std::int32_t exit_code = 0;  // 0-255, 128 + n when killed by signal n
    bool internal = false;
    std::int32_t host_pid = 0;  // for printing only
};

struct ShimState {
    bool created = false;  // false: only prepared
    bool init_alive = false;
    std::int32_t init_pid =
            0;  // host pid of garden-init, for /proc look-ups guarded by `init` below
    std::vector<ProcessState> processes;
};

// What Prepare made. The descriptors keep the namespaces alive.
struct Prepared {
    base::Fd init;  // pidfd of the first process
    std::int32_t init_pid = 0;
    base::Fd user_namespace;  // empty without one
    base::Fd network_namespace;
};

// Why a run failed: which step of the child, and its errno. `Error::kind` not_found with text
// containing "executable file not found in $PATH" or "no such file or directory" is an executable
// that is missing.
struct Events {
    // Called on the hub thread, in order, once per fact; must not block.
    std::function<void(const std::string& process_id, std::int32_t exit_code)>
            exited;                        // output is complete
    std::function<void()> container_died;  // garden-init ended
    std::function<void()> shim_lost;       // the shim's socket closed: it was killed
};

enum class OutputStream : std::uint8_t { out, err };

class ShimHub;

// A shim answers within milliseconds; one that is stopped, or starved by a host that swaps, may
// not.
inline constexpr std::chrono::seconds kRequestDeadline{30};

// One shim. Thread-safe: requests are matched by id, so a slow one does not hold others.
class Shim {
  public:
    virtual ~Shim() = default;

    virtual base::Result<Prepared> prepare(const NamespacePlan& plan) = 0;
    // After this the shim listens at `shim.sock` in `bundle` and outlives gardend.
    virtual base::Result<void> create(
            const ContainerPlan& plan, std::span<const base::FdRef> fds, base::FdRef bundle) = 0;

    struct Started {
        std::int32_t host_pid = 0;
        std::uint64_t attachment = 0;  // the caller's own view of the output, from the first byte
        base::Fd input;  // write end of stdin (pipe, or terminal master); empty once it has exited
    };

    // Returns after a successful exec, or says why it failed. Duplicate id: Errc::already_exists.
    virtual base::Result<Started> run(
            const ProcessPlan& plan, std::span<const base::FdRef> fds) = 0;
    virtual base::Result<Started> attach(
            std::string_view process_id) = 0;  // not_found: no such process
    // Gives `sink` (a socket or pipe) to the shim, which writes the attachment's output to it,
    // buffered part first, and closes it when the stream has ended. At most once per stream of an
    // attachment.
    virtual base::Result<void> connect_output(
            std::uint64_t attachment, OutputStream stream, base::FdRef sink) = 0;
    // The attachment's stdin is finished; the process sees EOF when no attachment holds its stdin
    // open.
    virtual base::Result<void> close_input(std::uint64_t attachment) = 0;
    // Forgets the attachment: unconnected output is dropped, stdin as above.
    virtual base::Result<void> detach(std::uint64_t attachment) = 0;
    // The retained end of a stream (64 KiB at most), also after the process's exit.
    virtual base::Result<std::string> tail(std::string_view process_id, OutputStream stream) = 0;
    virtual base::Result<void> signal(std::string_view process_id, int number) = 0;  // exited: fine
    virtual base::Result<void> resize(
            std::string_view process_id, std::uint16_t columns, std::uint16_t rows) = 0;
    virtual base::Result<ShimState> state(
            std::chrono::milliseconds deadline = kRequestDeadline) = 0;
    // Drops what is remembered of an exited process (its id may then be used again).
    virtual base::Result<void> forget(std::string_view process_id) = 0;
    // Kills garden-init (so every process), waits for it, ends the shim. Idempotent.
    virtual base::Result<void> destroy(std::chrono::milliseconds deadline) = 0;
};

// Owns the thread that reads all shim sockets.
class ShimHub {
  public:
    static base::Result<std::unique_ptr<ShimHub>> start(ShimPrograms programs);
    virtual ~ShimHub() = default;

    // A new shim process, nothing prepared yet. It ends itself when gardend dies before `create`.
    virtual base::Result<std::shared_ptr<Shim>> spawn() = 0;
    // A shim of an earlier gardend. not_found: nobody listens there (the shim is dead).
    virtual base::Result<std::shared_ptr<Shim>> rejoin(base::FdRef bundle) = 0;
    // Events of `shim`; set before create or right after rejoin (exits that happened meanwhile are
    // replayed).
    virtual void listen(const std::shared_ptr<Shim>& shim, Events events) = 0;

    // The sealed garden-copy, for ProcessPlan.exec: `garden-copy in DEST` and `garden-copy out
    // SOURCE`.
    virtual base::FdRef copy_program() const { return {}; }
};

// Bounds of one shim. Output above a bound is dropped, oldest first; a process above it is
// Errc::exhausted.
inline constexpr std::size_t kTailBytes = 64U << 10;       // retained end of each stream
inline constexpr std::size_t kAttachmentBytes = 1U << 20;  // of each stream, until connect_output
inline constexpr std::size_t kMaxProcesses = 4096;         // running or remembered
inline constexpr std::size_t kMaxAttachments = 256;        // of one process

// The exit codes that a shim wrote into its bundle, for one that has been killed since. Missing
// file: none.
base::Result<std::vector<ProcessState>> read_exits(base::FdRef bundle);

}  // namespace garden::launch
