#include "security/paths.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using security::Class;

TEST_CASE("8.3 masks of a container in a user namespace") {
    for (const auto c : {Class::unprivileged, Class::privileged_in_userns}) {
        const auto masks = security::masked_paths(c);
        for (const auto* path :
             {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/scsi",
              "/proc/latency_stats", "/proc/timer_stats", "/proc/acpi", "/proc/asound",
              "/proc/interrupts", "/sys/firmware", "/proc/kallsyms",
              "/sys/devices/virtual/powercap", "/proc/kpagecgroup", "/sys/kernel/slab",
              "/sys/kernel/btf", "/sys/devices/system/cpu/cpu0/thermal_throttle"}) {
            INFO(path);
            CHECK(std::count(masks.begin(), masks.end(), path) == 1);
        }
        const auto locked = security::read_only_paths(c);
        CHECK(locked == std::vector<std::string>{
                                "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                "/proc/sysrq-trigger", "/proc/pressure", "/sys/fs/cgroup"});
        // Databases read the huge-page setting.
        CHECK(std::none_of(masks.begin(), masks.end(), [](const auto& path) {
            return path.starts_with("/sys/kernel/mm");
        }));
    }
}

TEST_CASE("8.3 privileged containers have no masks, but the host-fatal files are read-only") {
    CHECK(security::masked_paths(Class::privileged).empty());
    const auto locked = security::read_only_paths(Class::privileged);
    CHECK(locked.size() == 8);
    for (const auto* path :
         {"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/sys/kernel/uevent_helper"}) {
        CHECK(std::count(locked.begin(), locked.end(), path) == 1);
    }
}
