// Packets of every kind from a guest, and what the evidence says of them. Used by
// traffic_evidence_test.cpp and drift_test.cpp.
#pragma once

#include "tests/kernel/net/world.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace test {

// `count` UDP datagrams of one byte to a closed port, or ICMP echo requests with port 0. Errors
// that come back from earlier ones are taken and forgotten.
void send_packets(
        base::FdRef network_namespace, const std::string& address, std::uint16_t port, int count);

// True before the time is over.
bool soon(const std::function<bool()>& check, std::chrono::milliseconds time);

std::uint64_t packets_of(const garden::net::Evidence& evidence, std::string_view rule);
// How often entries with this reason and destination are in the log.
std::uint64_t logged(
        const garden::net::Evidence& evidence,
        std::string_view reason,
        const std::string& destination);
// Packets that refusals counted, against those that are in the log or said to be missing there.
std::uint64_t refused(const garden::net::Evidence& evidence);
std::uint64_t accounted(const garden::net::Evidence& evidence);

}  // namespace test
