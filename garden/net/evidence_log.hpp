// Refused and logged connections of every container, in memory: bounded, equal ones as one entry.
// Fed by the watcher's thread, read by any. Used by network_evidence.cpp.
#pragma once

#include "garden/net/evidence.hpp"
#include "garden/net/evidence_words.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace garden::net {

// Of one container. Whoever fills them with ever new tuples pushes out the oldest, counted.
inline constexpr std::size_t kMaxConnections = 256;

// One record of the kernel's log.
struct LogRecord {
    std::string prefix;  // "reason " or "id reason ", ours
    PacketFields packet;
    std::string source_mac;
};

class ConnectionLog {
  public:
    // Records are matched to containers by lease id or address; those of nobody are dropped.
    void add(const std::string& id, const Addresses& addresses);
    void remove(const std::string& id);

    void note(const LogRecord& record, std::chrono::system_clock::time_point now);
    void note_lost(std::uint64_t records);

    struct View {
        std::vector<Connection> connections;  // those that changed after `after`, oldest first
        std::uint64_t forgotten = 0;
        std::uint64_t lost = 0;
    };

    View read(const std::string& id, std::uint64_t after) const;
    std::uint64_t lost() const;
    // Until something is noted for anyone after `after`, or for `patience`.
    void wait(std::uint64_t after, std::chrono::milliseconds patience) const;

  private:
    struct Container {
        Addresses addresses;
        std::list<Connection> entries;  // by last change, oldest first
        std::uint64_t forgotten = 0;
    };

    Container* owner_of(const LogRecord& record, std::string_view& reason);

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::map<std::string, Container, std::less<>> containers_;
    std::map<Address, std::string> by_address_;
    std::uint64_t sequence_ = 0;
    std::uint64_t lost_ = 0;
};

}  // namespace garden::net
