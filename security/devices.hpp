// Which devices a container may use: rules for the v1 devices controller, a BPF program for v2,
// nodes for /dev. Used by garden.
#pragma once

#include "base/result.hpp"
#include "security/classes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace security {

struct DeviceRule {
    char type = 'c';                     // 'a' all, 'b' block, 'c' character
    std::optional<std::uint32_t> major;  // empty = any
    std::optional<std::uint32_t> minor;
    bool read = false;
    bool write = false;
    bool make = false;
};

struct DeviceNode {
    std::string name;  // below /dev
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t mode = 0666;
};

std::vector<DeviceRule> device_rules(Class container_class);  // DEV-02, DEV-03
std::vector<DeviceNode> device_nodes(Class container_class);  // DEV-01
// "c 10:200 rwm" as on the command line; wildcards on block devices are refused (DEV-05).
base::Result<DeviceRule> parse_device_rule(std::string_view text);
// As the v1 files devices.allow/devices.deny want it.
std::string to_string(const DeviceRule& rule);
// struct bpf_insn[] for BPF_PROG_TYPE_CGROUP_DEVICE: deny all but `allowed`.
std::string device_program(const std::vector<DeviceRule>& allowed);

}  // namespace security
