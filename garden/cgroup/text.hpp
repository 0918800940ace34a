// The pure part: mount table, own groups and kernel figures as text, into values. Used by the
// drivers and their tests.
#pragma once

#include "garden/cgroup/cgroup.hpp"

#include <map>

namespace garden::cgroup {

struct Mount {
    std::string point;
    std::string root;  // which group of the hierarchy is mounted here
    bool unified = false;
    std::vector<std::string> controllers;  // "cpu", "name=systemd"; empty for v2
};

// Every hierarchy once, in the order of the mount table; co-mounted controllers are one entry.
std::vector<Mount> parse_mounts(std::string_view mountinfo);
// Controller (or "" for v2) -> the group of the calling process.
std::map<std::string, std::string> parse_own_groups(std::string_view text);
// `group` as a path below the mount whose root is `root`; "" when it cannot be seen there.
std::string below_mount(std::string_view group, std::string_view root);
// "key value" lines; other lines are skipped.
std::map<std::string, std::uint64_t> parse_figures(std::string_view text);
// A single number; "max" and the v1 way to say it (close to 2^63) are 0.
std::uint64_t parse_limit(std::string_view text);

}  // namespace garden::cgroup
