// Everything the audit can say about a container and about pairs, in the order of the security
// model. Preflight's part is in catalogue_host.cpp. A test enumerates these and wants a failing
// case of each.
#include "garden/audit/catalogue.hpp"

#include <array>
#include <vector>

namespace garden::audit {

namespace {

using enum api::AuditSeverity;

constexpr const char* kRecreate =
        "something outside the engine has changed this container: find out what, destroy it and "
        "create "
        "it again";

constexpr auto kIdentity = std::to_array<Item>({
        {"3/namespaces", error, "every namespace is the container's own, not the daemon's",
         kRecreate, "5.16 5.17 5.21 5.31", "CVE-2020-15257"},
        {"CL-01/joined", error, "every process is in the container's namespaces", kRecreate, "",
         ""},
        {"ID-01/range", error, "the id range is aligned and lies where containers live",
         "take the container down; its record is damaged", "2.9", ""},
        {"ID-01/map", error, "ids are mapped by one extent, to the reserved range only", kRecreate,
         "2.9", ""},
        {"ID-02/host-ids", error, "no process has an id outside the container's range", kRecreate,
         "5.31", ""},
        {"ID-07/owner", warning, "the user namespace is owned by the container's own base id",
         "upgrade and create the container again", "", ""},
        {"ID-08/user-namespaces", warning, "no user namespace can be made inside",
         "create the container again; the ceiling is set before its first process", "",
         "CVE-2022-0185 CVE-2022-0492"},
        {"ID-08/ceilings", warning, "the inner ceilings are as planned", kRecreate, "", ""},
        {"ID-09/groups", error, "no process has a supplementary group of the host", kRecreate, "",
         "CVE-2022-36109 CVE-2023-25173"},
});

constexpr auto kCapabilities = std::to_array<Item>({
        {"CAP-01/sets", error, "no process has a capability beyond the 14 of its class", kRecreate,
         "5.4", ""},
        {"CAP-02/sets", error, "no process has a capability that its privileged class has not",
         kRecreate, "5.4", ""},
        {"CAP-03/non-root", error, "a process that is not root has no effective capability",
         kRecreate, "5.4", ""},
        {"CAP-04/ambient", error, "the ambient set is empty", kRecreate, "5.4", ""},
        {"CAP-05/inheritable", warning, "the inheritable set is empty",
         "switch compat.garden_inheritable off", "5.4",
         "CVE-2022-24769 CVE-2022-29162 CVE-2022-27650"},
        {"CAP-06/securebits", warning, "secure bits are at their default", kRecreate, "", ""},
});

constexpr auto kFilter = std::to_array<Item>({
        {"SC-01/mode", error, "every process runs under a system-call filter", kRecreate, "5.22",
         ""},
        {"SC-02/foreign", error, "calls of foreign architectures do not exist", kRecreate, "5.22",
         ""},
        {"SC-03/newer", warning, "calls newer than the table do not exist", kRecreate, "5.22", ""},
        {"SC-04/clone3", warning, "clone3 does not exist, so that libraries fall back to clone",
         kRecreate, "5.22", ""},
        {"SC-05/denied", error, "every denied call is refused with EPERM", kRecreate, "5.22",
         "CVE-2022-0185 CVE-2022-0847"},
        {"SC-06/ioctl", error, "no terminal input can be injected, whatever the high bits are",
         kRecreate, "5.22", ""},
        {"6.3/sockets", error, "only allowed address families can be opened", kRecreate, "5.22",
         "CVE-2026-31431"},
        {"6.3/clone", error, "clone makes no namespace", kRecreate, "5.22", "CVE-2022-0185"},
        {"6.3/personality", warning, "only harmless personalities can be chosen", kRecreate, "5.22",
         ""},
        {"6.6/denied", error, "the calls that no container needs are refused with EPERM", kRecreate,
         "5.22", ""},
        {"SC-08/log", note, "denials become records", "use a profile that logs", "", ""},
        {"SC-10/stored", warning, "the filter's hash and listing are stored with the container",
         "containers of an older daemon have none: create it again", "", ""},
        {"NNP-01/no-new-privileges", error, "no process can gain privileges by what it executes",
         kRecreate, "5.26", ""},
        {"NNP-02/ping", note, "ping sockets are open to the mapped groups", "", "", ""},
        {"NNP-06/bind-mounts", error, "bind mounts honour neither set-uid bits nor device nodes",
         kRecreate, "5.6", ""},
});

constexpr auto kFilesystem = std::to_array<Item>({
        {"FS-01/root", error, "the root file system is the planned overlay and has no device nodes",
         kRecreate, "", ""},
        {"FS-03/foreign", error, "nothing is mounted that the plan does not have", kRecreate, "5.6",
         "CVE-2021-30465"},
        {"FS-04/propagation", error, "no mount is shared with another namespace", kRecreate, "5.20",
         ""},
        {"FS-12/locked", error, "what covers /proc and /sys cannot be taken off", kRecreate, "",
         ""},
        {"FS-13/proc", error, "nothing but masks lies over /proc", kRecreate, "",
         "CVE-2019-16884 CVE-2019-19921 CVE-2023-27561"},
        {"8.2/mounts", error, "every planned mount is there with its type and flags", kRecreate, "",
         ""},
        {"8.3/masked", error, "masked paths show nothing", kRecreate, "", "CVE-2025-31133"},
        {"8.3/read-only", error, "read-only paths are mounted read-only", kRecreate, "", ""},
        {"DEV-01/nodes", error, "/dev has the nodes of the class and no other", kRecreate, "5.18",
         ""},
        {"DEV-02/mknod", error, "no device node can be made", kRecreate, "5.18", ""},
        {"DEV-02/rules", error, "the devices controller allows what the class has and no more",
         kRecreate, "5.18", ""},
        {"DEV-04/program", error, "the device program of the class is attached to the group",
         kRecreate, "5.18", ""},
});

constexpr auto kLaunch = std::to_array<Item>({
        {"PL-01/descriptors", error, "no process holds a file that lies outside the container",
         kRecreate, "", "CVE-2024-21626 CVE-2016-9962 CVE-2015-3627"},
        {"PL-01/inherited", error, "a new process has exactly the descriptors 0, 1 and 2",
         kRecreate, "", "CVE-2024-21626"},
        {"PL-02/directory", error, "the working directory of a new process is inside the root",
         kRecreate, "", "CVE-2024-21626"},
        {"PL-03/program", error, "no process executes a program of the engine from the host's disk",
         kRecreate, "", "CVE-2019-5736"},
        {"PL-05/keyring", note, "the container's range owns keyrings of its own",
         "the range's quota of keys may be used up: raise kernel.keys.maxkeys", "", ""},
        {"PL-06/environment", error, "no variable of the daemon reached a process", kRecreate, "",
         ""},
        {"PL-07/signals", warning, "signals are at their defaults", kRecreate, "", ""},
        {"PL-09/limits", warning, "resource limits are as planned", kRecreate, "5.19", ""},
        {"PL-10/oom-score", warning, "no process is safer from the OOM killer than the daemon",
         kRecreate, "", ""},
        {"PL-10/scheduler", warning, "no process has a real-time class", kRecreate, "", ""},
        {"PL-10/umask", note, "a new process has umask 022", kRecreate, "", ""},
        {"PL-12/equal", error, "a process executed now is confined as the first one is", kRecreate,
         "5.23", ""},
});

constexpr auto kGlobal = std::to_array<Item>({
        {"10/groups", error, "every process is in the container's group of every hierarchy",
         kRecreate, "5.25", "CVE-2022-0492"},
        {"10/cgroup-namespace", error, "no group above the container's own can be seen", kRecreate,
         "5.25", "CVE-2022-0492"},
        {"10/release-agent", error, "no release agent can be reached", kRecreate, "",
         "CVE-2022-0492"},
        {"10/switches", error, "the host's switches cannot be opened for writing", kRecreate, "",
         "CVE-2022-0811"},
});

constexpr auto kNetwork = std::to_array<Item>({
        {"NET-01/link", error, "the host's end of the container's link is there", kRecreate, "5.10",
         ""},
        {"NET-02/spoof", error, "frames with foreign addresses are dropped at the link",
         "restart the daemon, which puts its rules back; recreate the container if this stays", "",
         ""},
        {"NET-03/settings", warning, "the host's end takes no redirects and no advertisements",
         "set the named sysctl of the interface back", "", ""},
        {"NET-04/default", error, "containers reach neither the host nor each other by default",
         "restart the daemon, which puts its rules back", "2.2", ""},
        {"NET-05/metadata", error, "metadata addresses are refused before every rule of a user",
         "restart the daemon, which puts its rules back", "", ""},
        {"NET-06/rules", error,
         "the container's chain holds its security groups and no other allowance", kRecreate, "",
         "CVE-2025-54388 CVE-2025-54410"},
        {"NET-08/ipv6", warning, "IPv6 is off inside unless it was asked for", kRecreate, "",
         "CVE-2020-13401 CVE-2024-32473"},
        {"NET-09/interfaces", error, "there is loopback and the container's own link, nothing else",
         kRecreate, "5.10", ""},
        {"DOS-01/processes", error, "the limit of processes is the planned one", kRecreate, "5.29",
         ""},
        {"DOS-02/memory", error, "the limit of memory is the planned one", kRecreate, "5.11", ""},
        {"DOS-03/cpu", warning, "the share of the processors is the planned one", kRecreate, "5.12",
         ""},
        {"DOS-12/memory-mounts", warning, "file systems in memory have their planned size",
         kRecreate, "", ""},
});

constexpr auto kPairs = std::to_array<Item>({
        {"ID-01/distinct", error, "no two containers share a host id",
         "destroy both containers and look at the id ranges with `cloche doctor`", "5.31", ""},
        {"3/distinct", error, "no two containers share a namespace", kRecreate, "5.16 5.17 5.21",
         ""},
        {"10/distinct", error, "no two containers share a control group", kRecreate, "5.25", ""},
        {"FS-01/distinct", error, "no two containers share a writable file system by accident",
         kRecreate, "5.6", ""},
        {"NET-01/distinct", error, "no two containers share an address", kRecreate, "", ""},
        {"PL-01/distinct", error, "no two containers share an open pipe or socket", kRecreate, "",
         "CVE-2016-9962"},
});

}  // namespace

std::span<const Item> container_items() {
    static const std::vector<Item> all = [] {
        std::vector<Item> items;
        const auto add = [&](std::span<const Item> some) {
            items.insert(items.end(), some.begin(), some.end());
        };
        add(kIdentity);
        add(kCapabilities);
        add(kFilter);
        add(kFilesystem);
        add(kLaunch);
        add(kGlobal);
        add(kNetwork);
        return items;
    }();
    return all;
}

std::span<const Item> pair_items() {
    return kPairs;
}

std::span<const Item> catalogue() {
    static const std::vector<Item> all = [] {
        std::vector<Item> items;
        for (const auto some : {container_items(), pair_items(), host_items()})
            items.insert(items.end(), some.begin(), some.end());
        return items;
    }();
    return all;
}

}  // namespace garden::audit
