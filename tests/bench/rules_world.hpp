// Namespaces of bench-rules: a "host", which the thread is in from then on, an "outside" behind an
// uplink, and traffic from a container through the rules of the host. Used by rules.cpp.
#pragma once

#include "base/fd.hpp"

#include <chrono>
#include <string>

namespace bench {

inline constexpr const char* kGuest = "10.200.0.2";

base::Fd new_network_namespace();

// Until the end of the process.
class World {
  public:
    World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

  private:
    base::Fd outside_;
};

// The host's end of a container made without garden/net; only 0 exists.
std::string interface_of(std::size_t container);
void connect_by_hand(base::FdRef guest);

struct Traffic {
    double established = 0;  // packets per second of one flow
    double fresh = 0;        // packets per second that open a flow each, and so meet every rule
    double arrived = 0;      // share of all of them that came out of the uplink
};

// Datagrams from the guest, whose address it is, to the outside.
Traffic measure_traffic(base::FdRef guest, const std::string& address);

double microseconds(std::chrono::steady_clock::time_point since);

}  // namespace bench
