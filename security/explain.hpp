// Why something is refused in a container: from a question and what is known of the container to
// the layer that says no, the rule, and what would change it. Pure: asks no kernel. Used by
// garden/engine.
#pragma once

#include "security/classes.hpp"
#include "security/devices.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace security {

enum class Layer : std::uint8_t {
    none,
    filter,
    capability,
    mask,
    read_only,
    device,
    user_namespace,
    rlimit
};

// A mount of the container, as its plan has it; masks and read-only paths lie above all of them.
struct MountFact {
    std::string target;
    bool read_only = false;
    bool bind = false;  // asked for by the client
};

struct ExplainFacts {
    Class container_class = Class::unprivileged;
    std::string listing;             // of its filter (SC-10)
    bool own_profile = false;        // the filter is a client's
    std::uint64_t capabilities = 0;  // that root of the container can have; bit n = capability n
    // Of the one process that the question is about.
    std::optional<std::uint64_t> effective;
    bool user_namespace = true;
    std::vector<std::string> masked;
    std::vector<std::string> read_only;
    std::vector<MountFact> mounts;
    std::vector<DeviceRule> devices;  // allowed
    std::uint64_t pids_limit = 0;     // 0: none
    std::uint64_t pids = 0;
};

struct CallQuestion {
    std::string name;
};

struct PathQuestion {
    enum class Access : std::uint8_t { any, read, write };
    std::string path;         // absolute, in the container
    bool host_owned = false;  // its owner is outside the container's id range, and its mode does
                              // not let others in
    Access access = Access::any;
};

struct DeviceQuestion {
    char type = 'c';
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    // What is to be done with it; nothing of them: any of it.
    bool read = false;
    bool write = false;
    bool make = false;
};

using Question = std::variant<CallQuestion, PathQuestion, DeviceQuestion>;

struct Explanation {
    Layer layer = Layer::none;  // none: nothing that we know refuses it
    std::string rule;           // of the security model: "SC-05"
    std::string because;
    std::string remedy;
    std::string seen_as;  // what a program gets: "EPERM"
};

std::string_view to_string(Layer layer);
Explanation explain(const Question& question, const ExplainFacts& facts);

}  // namespace security
