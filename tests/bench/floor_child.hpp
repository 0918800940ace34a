// The container side of bench-floor: the least that a fully isolated process costs. Used by
// floor.cpp only.
#pragma once

#include <linux/filter.h>

#include <vector>

namespace bench {

struct ChildArgs {
    int overlay = -1;  // detached mount
    const char* mount_point = "";
    int ready = -1;          // one byte comes when the network is there; -1: do not wait
    std::vector<int> tasks;  // cgroup files to write "0" into
    std::vector<sock_filter>* filter = nullptr;
    bool pause = false;  // stay, instead of running /bin/true
};

// Never returns; exit status 100 + n names the failing step.
[[noreturn]] void child(const ChildArgs& args);

}  // namespace bench
