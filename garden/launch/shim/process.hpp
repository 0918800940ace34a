// One process of the container as the shim knows it, and the clones that start one. Used by
// garden-shim only.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/launch/plan.hpp"
#include "garden/launch/shim/child.hpp"
#include "garden/launch/shim/output.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace garden::launch {

using Clock = std::chrono::steady_clock;

struct Attachment {
    bool holds_input = true;
    Sink sinks[2];
};

struct Source {
    base::Fd fd;  // empty: ended, or never was
    bool watched = false;
    Tail tail;
};

struct Process {
    std::string id;
    bool internal = false;
    bool terminal = false;
    pid_t pid = 0;
    base::Fd pidfd;                // empty once reaped
    base::Fd channel;              // while it has not executed yet
    std::uint64_t request = 0;     // who waits for that …
    std::uint64_t connection = 0;  // … on which connection
    bool failed = false;           // it never executed: forgotten when reaped
    bool slashed = false;          // argv[0] names a path, for the error text
    std::string program;

    base::Fd input;  // write end of stdin, or the terminal's master
    Source sources[2];
    std::map<std::uint64_t, Attachment> attachments;

    bool exited = false;
    bool told = false;  // the exit has been reported
    std::int32_t code = 0;
    Clock::time_point progress;  // of its output, after the exit
};

struct Cloned {
    pid_t pid = 0;
    base::Fd pidfd;
    base::Fd channel;  // the parent's end
};

// Clones garden-init's process into all new namespaces, owned as ID-07 wants, with its id maps
// written.
base::Result<Cloned> clone_container(const NamespacePlan& plan, base::FdRef program);

// A copy of the shim with nothing but a channel; for it `pid` is 0.
base::Result<Cloned> clone_child();

// Answers a child of ours whose view is built, see lock_view().
void answer_built_view(base::FdRef channel, base::FdRef builder);

// Clones a process into the pid namespace that the shim's children are born in. Fills the pipes of
// `process`.
base::Result<void> clone_process(
        Process& process,
        const NamespacePlan& namespaces,
        ProcessArguments arguments,
        base::FdRef null);

// The error a report of a child stands for.
base::Error to_error(const Report& report, const Process* process);

// Raises or sets oom_score_adj of a child that has not executed yet; only when it differs from ours
// (PL-10).
base::Result<void> set_oom_score(pid_t pid, std::int32_t value);

}  // namespace garden::launch
