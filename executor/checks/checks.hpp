// Checks from the host into a container's network, without a process per probe (executor-rep §7.2,
// design §6). A probe is a non-blocking connection on the Loop. Used by the assembly of steps.
#pragma once

#include "executor/api/types.hpp"
#include "executor/loop/loop.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace executor {

// Exit codes of the lifecycle's healthcheck (edges §4.4), so that both say the same.
enum class ProbeResult : std::uint8_t {
    healthy = 0,
    tcp_failed = 4,
    http_failed = 5,
    http_status = 6,
    tcp_timeout = 64,
    http_timeout = 65,
    error = 127
};

struct ProbeAnswer {
    ProbeResult result = ProbeResult::healthy;
    // "failed to make HTTP request to '/ping' on port 8080: connection refused"
    std::string text;
};

// One attempt. Destroying it closes the connection; `done` is then not called.
class Probe {
  public:
    virtual ~Probe() = default;
};

// On the loop; `done` on the loop, once, never before this returns. `address`: of the container,
// IPv4 or IPv6.
std::unique_ptr<Probe> probe(
        Loop& loop,
        const std::string& address,
        const api::Check& check,
        std::function<void(ProbeAnswer)> done);

}  // namespace executor
