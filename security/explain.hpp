// Why something is refused in a container: from a question and what is known of the container to
// the layer that says no, the rule, and what would change it. Pure: asks no kernel. Used by
// garden/engine.
#pragma once

#include "security/classes.hpp"
#include "security/devices.hpp"

#include <cstdint>
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

struct ExplainFacts {
    Class container_class = Class::unprivileged;
    std::string listing;             // of its filter (SC-10)
    bool own_profile = false;        // the filter is a client's
    std::uint64_t capabilities = 0;  // bit n = capability n
    std::vector<std::string> masked;
    std::vector<std::string> read_only;
    std::vector<DeviceRule> devices;  // allowed
    std::uint64_t pids_limit = 0;     // 0: none
    std::uint64_t pids = 0;
};

struct CallQuestion {
    std::string name;
};

struct PathQuestion {
    std::string path;         // absolute, in the container
    bool host_owned = false;  // its owner is outside the container's id range
};

struct DeviceQuestion {
    char type = 'c';
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
};

using Question = std::variant<CallQuestion, PathQuestion, DeviceQuestion>;

struct Explanation {
    Layer layer = Layer::none;  // none: nothing that we know refuses it
    std::string rule;           // of the security model: "SC-05"
    std::string because;
    std::string remedy;
};

std::string_view to_string(Layer layer);
Explanation explain(const Question& question, const ExplainFacts& facts);

}  // namespace security
