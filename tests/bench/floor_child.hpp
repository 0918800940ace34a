// The container side of bench-floor: the least that a fully isolated process costs. Used by
// floor.cpp only.
#pragma once

#include <linux/filter.h>

#include <vector>

namespace bench {

struct ChildArgs {
    // One message comes when everything outside is done, with detached mounts: the overlay, then
    // the device nodes of kDevices.
    int channel = -1;
    bool user_namespace = false;
    std::vector<int> tasks;  // cgroup files to write "0" into
    std::vector<sock_filter>* filter = nullptr;
    bool pause = false;  // stay, instead of running /bin/true
};

inline constexpr const char* kDevices[] = {
        "dev/null", "dev/zero", "dev/full", "dev/random", "dev/urandom"};

// Never returns; exit status 100 + n names the failing step.
[[noreturn]] void child(const ChildArgs& args);

}  // namespace bench
