// Everything preflight can say about the host (sections 2, 14 and 17).
#include "garden/audit/catalogue.hpp"

#include <array>

namespace garden::audit {

namespace {

using enum api::AuditSeverity;

constexpr auto kHost = std::to_array<Item>({
        {"17/features", error, "the kernel has what an unprivileged container is made of",
         "boot a kernel with the named features", "", ""},
        {"17/reports", note, "the kernel has what reports are made of",
         "boot a kernel with the named features, or do without these reports", "", ""},
        {"ID-12/accounts", error, "no account of the host lies in the range of containers",
         "give the account another id", "2.9", ""},
        {"ID-03/subordinates", warning,
         "no subordinate ids of the host lie in the range of containers",
         "move the entries of /etc/subuid and /etc/subgid, or reserve them under the name cloche",
         "2.9", ""},
        {"NNP-05/store", error, "the store is a directory that only root enters",
         "chown root and chmod 0700 the store directory", "1.1.4", "CVE-2021-41091 CVE-2024-25621"},
        {"NNP-05/nosuid", warning,
         "the store's file system honours neither set-uid bits nor devices",
         "put the store on a file system of its own, mounted nosuid,nodev", "1.1.1",
         "CVE-2021-41091"},
        {"NNP-05/state", error, "the state directory can be entered by root and its group only",
         "chown root and chmod 0750 the state directory", "", "CVE-2024-25621"},
        {"10/core-pattern", warning, "a crash starts no program of the host",
         "set kernel.core_pattern to a file name, or core limits to 0 everywhere", "", ""},
        {"17/links", warning, "links and files of others in sticky directories are protected",
         "set fs.protected_symlinks and fs.protected_hardlinks to 1, fs.protected_fifos and "
         "fs.protected_regular to 1 or 2",
         "", ""},
        {"17/kernel-addresses", warning, "the kernel hides its addresses",
         "set kernel.kptr_restrict to 1 or 2", "", ""},
        {"17/bpf", error, "BPF programs are root's",
         "set kernel.unprivileged_bpf_disabled to 1 or 2", "", ""},
        {"17/io-uring", note, "io_uring is not open to everybody",
         "set kernel.io_uring_disabled to 1 or 2", "", ""},
        {"17/perf", warning, "performance events are root's",
         "set kernel.perf_event_paranoid to 2 or more", "", ""},
        {"17/source-address", note, "the host checks source addresses itself",
         "set net.ipv4.conf.all.rp_filter to 1; the engine's own rules do not rely on it", "", ""},
        {"10/loopback", error, "loopback addresses are not routed",
         "set net.ipv4.conf.all.route_localnet to 0", "", "CVE-2020-8558"},
        {"NET-11/table", warning, "the connection table has room for several full containers",
         "raise net.netfilter.nf_conntrack_max", "", ""},
        {"DOS-06/files", warning, "the host can open many files", "raise fs.file-max", "", ""},
        {"CAP-02/daemon", note, "the daemon holds every capability",
         "nothing, unless privileged containers miss the named capabilities", "", ""},
        {"CL-02/privileged", note, "privileged containers are forbidden",
         "start the daemon with --disable-privileged-containers", "5.5", ""},
        {"IMG-40/unsigned", note, "images need a signature", "configure a signature policy", "4.5",
         ""},
        {"API-01/mode", error, "the API's socket is root's and its group's only",
         "start the daemon with --socket-mode 0660 or less", "3.15 3.16", ""},
        {"API-01/directory", error, "nobody else can write the directory of the API's socket",
         "chmod 0750 the directory, or move the socket", "3.16", ""},
        {"API-03/tcp", error, "the API is not served without TLS beyond loopback",
         "serve TLS with client certificates, or bind to loopback", "2.7", ""},
});

}  // namespace

std::span<const Item> host_items() {
    return kHost;
}

}  // namespace garden::audit
