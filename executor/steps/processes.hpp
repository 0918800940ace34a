// Processes: running programs inside containers as steps see it, on the Loop. One implementation
// over garden/api (survives restarts of gardend by attaching anew), one in tests. Used by the run
// step, process checks and the monitor.
#pragma once

#include "base/error.hpp"
#include "base/result.hpp"
#include "garden/api/types.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace executor {

struct ProcessRequest {
    std::string handle;
    garden::api::ProcessSpec spec;  // `id` is ours and unique in the container for ever
    bool attach_first = false;      // after a restart: it may run already, or have exited
    bool want_output = true;
    // With attach_first: never start it; one that nobody knows ends with Errc::not_found.
    bool attach_only = false;
};

struct ProcessEnd {
    std::int32_t status = 0;
    bool out_of_memory = false;  // an event of the container said so
};

struct ProcessEvents {
    std::function<void()> started;
    // Bytes as they came; `text` is only valid during the call.
    std::function<void(bool is_stderr, std::string_view text)> output;
    // Last call. An error: it could not be started (Errc of Garden's answer), or its container is
    // gone (Errc::not_found). All output has been told before.
    std::function<void(base::Result<ProcessEnd>)> ended;
};

// Destroying it forgets the process (no more events); it does not end the process.
class RunningProcess {
  public:
    virtual ~RunningProcess() = default;
    virtual void terminate() = 0;
    virtual void kill() = 0;
};

class Processes {
  public:
    virtual ~Processes() = default;
    // On the loop; events come on the loop, never before this returns.
    virtual std::unique_ptr<RunningProcess> run(ProcessRequest request, ProcessEvents events) = 0;
};

}  // namespace executor
