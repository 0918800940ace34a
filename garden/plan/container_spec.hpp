// What a client asks for, validated: the input of the planner. Made from the wire types by
// garden/server, stored in the depot. Used by garden/plan and garden/engine.
#pragma once

#include "base/units.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace garden {

using Handle = base::Named<struct HandleTag, std::string>;
using ProcessId = base::Named<struct ProcessIdTag, std::string>;

enum class ContainerClass : std::uint8_t { unprivileged, privileged, privileged_in_userns };

struct ImageSpec {
    std::string uri;
    std::string username;
    std::string password;  // never logged, never stored in the depot

    bool empty() const { return uri.empty() && username.empty() && password.empty(); }
};

struct BindMountSpec {
    std::string source;
    std::string destination;
    bool writable = false;
    bool origin_container = false;
};

enum class DiskScope : std::uint8_t { total, exclusive };

// 0 is "no limit" everywhere (garden-api 5.2).
struct LimitsSpec {
    std::uint64_t memory_bytes = 0;
    std::uint64_t cpu_weight = 0;
    std::uint64_t cpu_shares = 0;
    std::uint64_t disk_bytes = 0;  // byte_hard
    DiskScope disk_scope = DiskScope::total;
    std::uint64_t pids = 0;
    std::uint64_t bandwidth_rate = 0;
    std::uint64_t bandwidth_burst = 0;
};

// Decides like guardian: weight wins when > 0.
constexpr std::uint64_t effective_shares(const LimitsSpec& limits) {
    return limits.cpu_weight > 0 ? limits.cpu_weight : limits.cpu_shares;
}

// An allowance of a security group, as the wire has it (garden-api 5.4); checked by the engine.
struct OutRuleSpec {
    struct Span {
        std::string first, last;  // addresses; one of them may be empty
    };

    struct Ports {
        std::uint16_t first = 0, last = 0;
    };

    struct Icmp {
        std::optional<std::uint8_t> type, code;  // none: any
    };

    std::uint32_t protocol = 0;  // 0 all, 1 tcp, 2 udp, 3 icmp, 4 icmpv6
    std::vector<Span> networks;
    std::vector<Ports> ports;
    std::optional<Icmp> icmp;
    bool log = false;
};

// A port that leads into the container (garden-api 5.5); 0 lets the engine choose.
struct InPortSpec {
    std::uint32_t host = 0;
    std::uint32_t container = 0;
};

// What a client asks for instead of an address when the container is to have only lo.
inline constexpr std::string_view kNoNetwork = "none";

struct ContainerSpec {
    Handle handle;
    std::chrono::nanoseconds grace_time{0};
    ImageSpec image;
    std::vector<BindMountSpec> bind_mounts;
    std::string network;  // "" = any address, "a.b.c.d", "a.b.c.d/n" or kNoNetwork
    std::vector<OutRuleSpec> out_rules;
    std::vector<InPortSpec> in_ports;
    std::map<std::string, std::string> properties;
    std::vector<std::string> env;  // KEY=VALUE, order kept
    ContainerClass container_class = ContainerClass::unprivileged;
    LimitsSpec limits;
    bool no_new_privileges = false;
    std::string seccomp_profile;  // OCI JSON text; empty = the class default
};

// Requested rlimits: name as on the wire ("nofile"), soft = hard (garden-api 5.3).
using RlimitSpec = std::map<std::string, std::uint64_t>;

struct WindowSize {
    std::uint16_t columns = 80;
    std::uint16_t rows = 24;
};

struct ProcessSpec {
    std::string id;  // empty: the engine makes a UUID
    std::string path;
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::string dir;
    std::string user;
    RlimitSpec rlimits;
    std::optional<WindowSize> tty;
    ImageSpec image;                         // non-empty = pea
    std::vector<BindMountSpec> bind_mounts;  // of a pea only
    // Of a pea: given, also all 0, it is counted apart from the container (garden-api 5.3).
    std::optional<LimitsSpec> limits;  // memory and cpu only
};

}  // namespace garden
