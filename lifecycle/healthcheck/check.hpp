// One look at an app, and the watch made of many (edges 4.4). Blocking, one thread. Used by
// healthcheck's main().
#pragma once

#include "base/result.hpp"
#include "base/sys/stream_socket.hpp"
#include "lifecycle/healthcheck/options.hpp"

#include <cstdint>
#include <string>

namespace lifecycle {

// Exit codes: others read them, so they never change.
enum class Health : std::uint8_t {
    healthy = 0,
    no_interface = 3,
    tcp_failed = 4,
    http_failed = 5,
    http_status = 6,  // or no request can be made of the URI
    tcp_timeout = 64,
    http_timeout = 65,
    unexpected = 127,
};

struct Finding {
    Health health = Health::healthy;
    std::string text;  // why it is not healthy, for people
};

// Where an app must listen: the first IPv4 address of an interface that is up and no loopback.
// Errc::not_found without one.
base::Result<base::sys::Address> container_address(std::uint16_t port);

Finding look(const CheckOptions& options);

// Once, or until the mode says it is over; the last finding.
Finding watch(const CheckOptions& options);

}  // namespace lifecycle
