#include "security/paths.hpp"

#include <unistd.h>

namespace security {

namespace {

std::vector<std::string> every_mask() {
    std::vector<std::string> paths = {
            // Hardware and kernel state that says much and serves nobody inside (8.3).
            "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
            "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
            "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
            // Addresses, page flags and layouts: what an exploit asks for first.
            "/proc/kallsyms", "/proc/kmsg", "/proc/kpagecount", "/proc/kpageflags",
            "/proc/kpagecgroup", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/iomem",
            "/proc/ioports", "/proc/mtrr", "/proc/key-users", "/proc/buddyinfo",
            "/proc/pagetypeinfo", "/proc/config.gz", "/proc/driver", "/proc/dma", "/sys/fs/selinux",
            "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/kernel/btf",
            "/sys/kernel/notes", "/sys/kernel/vmcoreinfo", "/sys/kernel/boot_params",
            "/sys/kernel/slab"};
    // Per processor: the throttle counters tell a neighbour's load. The number is fixed while the
    // host runs.
    const long processors = ::sysconf(_SC_NPROCESSORS_CONF);
    for (long n = 0; n < processors; ++n) {
        paths.push_back("/sys/devices/system/cpu/cpu" + std::to_string(n) + "/thermal_throttle");
    }
    return paths;
}

}  // namespace

std::vector<std::string> masked_paths(Class container_class) {
    static const std::vector<std::string> masks = every_mask();
    switch (container_class) {
        case Class::unprivileged:
        case Class::privileged_in_userns:
            return masks;
        case Class::privileged:
            return {};  // Garden promises a /proc without masks there
    }
    return masks;
}

std::vector<std::string> read_only_paths(Class container_class) {
    switch (container_class) {
        case Class::unprivileged:
        case Class::privileged_in_userns:
            return {"/proc/bus",           "/proc/fs",       "/proc/irq",     "/proc/sys",
                    "/proc/sysrq-trigger", "/proc/pressure", "/sys/fs/cgroup"};
        case Class::privileged:
            // Files through which one write ends or owns the host (section 10). Obstacles, not
            // boundaries (FS-12).
            return {"/proc/sysrq-trigger",       "/proc/sys/kernel/core_pattern",
                    "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug",
                    "/proc/sys/vm/panic_on_oom", "/proc/sys/kernel/panic",
                    "/proc/sys/fs/binfmt_misc",  "/sys/kernel/uevent_helper"};
    }
    return {};
}

}  // namespace security
