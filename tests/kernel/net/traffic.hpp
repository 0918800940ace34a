// Flows that stay: a TCP connection and a UDP exchange whose both ends the test holds, to see what
// still passes after something changed. Used by the tests in this folder.
#pragma once

#include "tests/kernel/net/world.hpp"

namespace test {

struct TcpFlow {
    base::Fd client, server;
    std::string peer;  // whom the server sees
    int error = 0;     // of the client's attempt

    bool open() const { return error == 0; }

    // A byte each way arrives.
    bool carries() const;
};

TcpFlow open_tcp(
        base::FdRef from,
        const std::string& address,
        std::uint16_t port,
        const Listener& server,
        int milliseconds = 1500);

// A UDP socket of every address of the namespace.
Listener udp_in(base::FdRef network_namespace, std::uint16_t port = 0);

struct UdpFlow {
    base::Fd client;

    // A datagram arrives at the server, and its answer at the client. `peer`: whom the server sees.
    bool carries(const Listener& server, std::string* peer = nullptr) const;
};

UdpFlow open_udp(base::FdRef from, const std::string& address, std::uint16_t port);

// An ICMP echo request made in the namespace is answered.
bool ping(base::FdRef from, const std::string& address, int milliseconds = 700);

}  // namespace test
