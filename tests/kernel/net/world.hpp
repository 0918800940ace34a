// A small world for network tests: the test's thread gets its own "host" namespace with an uplink
// to an "outside" one. Nothing of the machine's own network is touched. Used by the tests in this
// folder.
#pragma once

#include "base/fd.hpp"
#include "garden/net/network.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace test {

base::Fd new_network_namespace();

// The thread is in a new network namespace until the end of the scope.
class World {
  public:
    World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World();

    base::FdRef host() const { return host_; }

    base::FdRef outside() const { return outside_; }

  private:
    base::Fd home_, host_, outside_;
};

inline constexpr const char* kHostAddress = "192.0.2.1";
inline constexpr const char* kHostAddress6 = "2001:db8::1";
inline constexpr const char* kOutside = "192.0.2.2";
inline constexpr const char* kOutside6 = "2001:db8::2";
inline constexpr const char* kDenied = "198.51.100.7";  // lives outside
inline constexpr const char* kDenied6 = "2001:db8:dead::7";
inline constexpr const char* kMetadata = "169.254.169.254";  // lives outside

// Listens on every address of a namespace.
struct Listener {
    base::Fd socket;
    std::uint16_t port = 0;
    std::string accepted() const;  // address of the next peer, "" when nobody came
};

Listener listen_in(base::FdRef network_namespace, std::uint16_t port = 0);

// errno of a TCP connection attempt made in the namespace; 0 = connected, ETIMEDOUT after
// `milliseconds`.
int connect_from(
        base::FdRef network_namespace,
        const std::string& address,
        std::uint16_t port,
        int milliseconds = 1500);

// One container's network: a namespace connected with a fresh lease.
struct Guest {
    garden::net::Lease lease;
    base::Fd netns;
};

Guest make_guest(garden::net::Network& network, const std::string& request = "");
void end_guest(garden::net::Network& network, Guest guest);

// Sends a whole Ethernet frame from the container's interface.
void send_frame(const Guest& guest, const std::vector<std::uint8_t>& frame);
// An Ethernet + IPv4 + UDP frame.
std::vector<std::uint8_t> udp_frame(
        const std::vector<std::uint8_t>& source_mac,
        const std::vector<std::uint8_t>& target_mac,
        const std::string& source,
        const std::string& target,
        std::uint16_t port);

void add_host_address(
        base::FdRef network_namespace,
        const std::string& interface,
        const std::string& address,
        std::uint8_t prefix);
// Adds an address inside the container, as a process with CAP_NET_ADMIN could.
std::string read_in(base::FdRef network_namespace, const std::string& path);
// Output of `nft <arguments>` in the thread's namespace.
std::string nft(const std::string& arguments);
// Every rule and element but those that packets make: a guest's kernel speaks when it likes.
std::string ruleset();
// Packets that the drop rule of a chain counted.
std::uint64_t dropped(const std::string& table, const std::string& chain);
// Names of the interfaces in the thread's namespace, without lo and the uplink.
std::vector<std::string> interfaces();
std::uint64_t mtu_of(base::FdRef network_namespace, const std::string& interface);

}  // namespace test
