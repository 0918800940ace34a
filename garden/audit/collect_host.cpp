// The host as preflight looks at it. Sysctls of the network are those of the calling thread's
// namespace.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/self.hpp"
#include "garden/audit/collect.hpp"
#include "garden/audit/parse.hpp"
#include "garden/net/netlink.hpp"
#include "security/host_accounts.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <linux/audit.h>

#include <algorithm>
#include <array>

namespace garden::audit {

namespace {

namespace sys = base::sys;

constexpr std::size_t kMaxAccounts = std::size_t{16} << 20;

constexpr std::array kSysctls = {
        "kernel.core_pattern",
        "kernel.kptr_restrict",
        "kernel.unprivileged_bpf_disabled",
        "kernel.io_uring_disabled",
        "kernel.perf_event_paranoid",
        "fs.protected_symlinks",
        "fs.protected_hardlinks",
        "fs.protected_fifos",
        "fs.protected_regular",
        "fs.file-max",
        "net.ipv4.conf.all.rp_filter",
        "net.ipv4.conf.all.route_localnet",
        "net.ipv4.conf.default.route_localnet",
        "net.ipv4.conf.lo.route_localnet",
        "net.netfilter.nf_conntrack_max"};

std::string path_of(std::string name) {
    std::replace(name.begin(), name.end(), '.', '/');
    return "/proc/sys/" + name;
}

bool there(const std::string& path) {
    return sys::file_id(path).has_value();
}

HostView::Place place_of(const std::string& path) {
    HostView::Place place{.path = path};
    const auto file = sys::open_host(path, O_PATH);
    if (!file) return place;
    const auto info = sys::stat_fd(*file);
    if (!info) return place;
    place.there = true;
    place.mode = info->st_mode & 07777U;
    place.uid = info->st_uid;
    if (const auto flags = sys::mount_flags(*file)) {
        place.nosuid = (*flags & ST_NOSUID) != 0;
        place.nodev = (*flags & ST_NODEV) != 0;
    }
    return place;
}

std::set<std::string> controllers_of(const std::set<std::string>& hierarchies) {
    std::set<std::string> controllers;
    for (const auto& hierarchy : hierarchies) {
        for (std::size_t at = 0; at <= hierarchy.size();) {
            const auto end = std::min(hierarchy.find(',', at), hierarchy.size());
            controllers.insert(hierarchy.substr(at, end - at));
            at = end + 1;
        }
    }
    if (hierarchies == std::set<std::string>{"unified"}) {
        const auto text =
                sys::read_host_file("/sys/fs/cgroup/cgroup.controllers").value_or(std::string());
        for (const auto word : words_of(trimmed(text))) controllers.emplace(word);
        controllers.insert("devices");  // by a program instead of a controller
    }
    return controllers;
}

std::set<std::string> features_of(const HostQuestion& question) {
    std::set<std::string> features;
    const auto need = [&](const char* name, bool has) {
        if (has) features.insert(name);
    };
    need("user_namespaces", there("/proc/self/ns/user"));
    need("cgroup_namespaces", there("/proc/self/ns/cgroup"));
    need("seccomp", there("/proc/sys/kernel/seccomp/actions_avail"));
    need("bpf", there("/proc/sys/kernel/unprivileged_bpf_disabled"));
    need("pressure", there("/proc/pressure/memory"));
    need("nf_tables", net::Netlink::open(NETLINK_NETFILTER).has_value());
    need("audit_multicast", net::Netlink::open(NETLINK_AUDIT).has_value());
    const auto filesystems = sys::read_host_file("/proc/filesystems").value_or(std::string());
    need("overlay", filesystems.find("\toverlay\n") != std::string::npos);
    const auto controllers = controllers_of(question.hierarchies);
    for (const char* name : {"pids", "memory", "devices"}) need(name, controllers.contains(name));
    return features;
}

// The slots of the record cover the whole range; a slot with somebody in it is never given out, and
// still worth knowing (ID-12).
std::vector<std::string> in_range(const security::TakenSlots& taken) {
    std::vector<std::string> found;
    for (const auto& [slot, who] : taken) {
        const auto first = std::uint64_t{slot} * security::kIdRangeLength;
        if (first >= security::kIdRangeFirst && first <= security::kIdRangeLast)
            found.push_back(who);
    }
    return found;
}

void look_at_accounts(HostView& host) {
    security::TakenSlots accounts;
    security::TakenSlots subordinates;
    const security::IdRangesConfig config;
    const auto read = [&](const std::string& path, auto use) {
        const auto text = sys::read_host_file(path, kMaxAccounts);
        if (text) return use(*text);
        if (text.error().sys != ENOENT) host.problems["accounts"] = text.error().text;
    };
    read(config.passwd, [&](const auto& text) { security::add_accounts(text, "uid", accounts); });
    read(config.group, [&](const auto& text) { security::add_accounts(text, "gid", accounts); });
    for (const auto& [path, kind] : {std::pair{config.subuid, "uid"}, {config.subgid, "gid"}}) {
        read(path, [&, what = kind](const auto& text) {
            security::add_subordinates(text, what, config.reservation, subordinates);
        });
    }
    host.accounts_in_range = in_range(accounts);
    host.subordinates_in_range = in_range(subordinates);
}

void look_at_endpoints(const HostQuestion& question, HostView& host) {
    constexpr std::string_view kUnix = "unix://";
    constexpr std::string_view kTcp = "tcp://";
    for (const auto& endpoint : question.endpoints) {
        if (endpoint.starts_with(kUnix)) {
            const auto path = endpoint.substr(kUnix.size());
            host.sockets.push_back(place_of(path));
            host.socket_directories.push_back(place_of(path.substr(0, path.rfind('/') + 1)));
        }
        const bool loopback = endpoint.starts_with("tcp://127.") ||
                              endpoint.starts_with("tcp://[::1]") ||
                              endpoint.starts_with("tcp://localhost:");
        if (endpoint.starts_with(kTcp) && !loopback) host.plain_tcp.push_back(endpoint);
    }
}

}  // namespace

HostView look_at_host(const HostQuestion& question) {
    HostView host;
    for (const std::string name : kSysctls) {
        const auto text = sys::read_host_file(path_of(name));
        if (text) host.sysctls[name] = trimmed(*text);
    }
    host.features = features_of(question);
    host.store = place_of(question.store_directory);
    host.state = place_of(question.state_directory);
    look_at_accounts(host);
    look_at_endpoints(question, host);
    host.daemon_bounding = sys::own_bounding_capabilities().value_or(std::uint64_t{0});
    return host;
}

}  // namespace garden::audit
