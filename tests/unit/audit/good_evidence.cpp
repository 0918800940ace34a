#include "good_evidence.hpp"

#include "garden/audit/parse.hpp"
#include "garden/net/names.hpp"
#include "security/devices.hpp"
#include "security/refused_calls.hpp"

#include <errno.h>

#include <linux/mount.h>

namespace test {

using namespace garden;
using namespace garden::audit;

namespace {

constexpr std::uint32_t kBase = 0x00100000;
const std::vector<std::string> kHierarchies = {"memory", "devices", "pids", "unified"};

Expected expected(security::Class container_class) {
    Expected e;
    e.handle = "box";
    e.container_class = container_class;
    e.spec.handle = Handle("box");
    e.spec.bind_mounts = {{.source = "/srv/data", .destination = "/data", .writable = false}};
    e.spec.limits = {
            .memory_bytes = 64 << 20, .cpu_weight = 512, .disk_bytes = 1 << 30, .pids = 100};
    e.host.cgroup_hierarchies = kHierarchies;
    plan::ContainerFacts facts{.container_class = container_class};
    if (plan::has_user_namespace(container_class)) {
        facts.id_base = kBase;
        facts.id_length = 65'536;
    }
    facts.filter.log = true;
    facts.bind_source_is_file = {false};
    e.spec.no_new_privileges = true;
    e.id_base = facts.id_base;
    e.id_length = facts.id_length;
    e.plan = plan::plan_container(e.spec, e.host, facts);
    e.user = plan::plan_confinement(e.host, facts, true, 65'534, {}).value();
    e.limits = {.memory_bytes = 64 << 20, .swap_limit = true, .cpu_shares = 512, .pids = 100};
    for (const auto& rule : security::device_rules(container_class))
        e.device_rules.push_back(security::to_string(rule));
    e.filter_hash = "sha256:f";
    e.lease = net::Lease{
            .id = "aaaaaaaaaaa",
            .container_ip = "10.254.0.2",
            .host_interface = "waaaaaaaaaaa-0",
            .container_interface = "waaaaaaaaaaa-1"};
    e.no_new_privileges = true;
    e.cgroup = "garden/box";
    return e;
}

ProcessView process(const Expected& e, std::int32_t pid, bool init) {
    ProcessView p{.pid = pid, .start_time = 1, .name = init ? "garden-init" : "sh", .init = init};
    p.uids = p.gids = std::vector<std::uint32_t>(4, e.id_base);
    p.groups = {e.id_base + 10};
    p.capabilities = e.plan.container.init.capabilities;
    p.seccomp = 2;
    p.filters = 1;
    p.no_new_privileges = true;
    std::uint64_t inode = 100;
    for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"})
        p.namespaces[name] = ++inode;
    p.uid_map = p.gid_map = e.plan.namespaces.uids;
    p.limits = e.plan.container.init.rlimits;
    for (const auto& hierarchy : kHierarchies)
        p.cgroups[hierarchy == "unified" ? "" : hierarchy] = "/garden/box";
    p.descriptors = {
            {.number = 0, .target = "pipe:[" + std::to_string(pid) + "]", .foreign = false}};
    return p;
}

void add_mount(Outside& o, MountView mount) {
    mount.id = o.mounts.size() + 1;
    o.reached[mount.target] = mount.id;
    o.present.insert(mount.target);
    o.mounts.push_back(std::move(mount));
}

std::set<std::string> flags_of(std::uint64_t attributes) {
    std::set<std::string> flags;
    if ((attributes & MOUNT_ATTR_RDONLY) != 0) flags.insert("ro");
    if ((attributes & MOUNT_ATTR_NOSUID) != 0) flags.insert("nosuid");
    if ((attributes & MOUNT_ATTR_NODEV) != 0) flags.insert("nodev");
    if ((attributes & MOUNT_ATTR_NOEXEC) != 0) flags.insert("noexec");
    return flags;
}

void add_mounts(const Expected& e, Outside& o) {
    add_mount(
            o,
            {.device = "0:50", .root = "/", .target = "/", .flags = {"nodev"}, .type = "overlay"});
    const std::map<launch::MountKind, std::string> types = {
            {launch::MountKind::attach, "ext4"},   {launch::MountKind::tmpfs, "tmpfs"},
            {launch::MountKind::proc, "proc"},     {launch::MountKind::sysfs, "sysfs"},
            {launch::MountKind::devpts, "devpts"}, {launch::MountKind::mqueue, "mqueue"}};
    for (const auto& mount : e.plan.container.mounts)
        add_mount(
                o, {.device = "0:51",
                    .root = "/",
                    .target = mount.target,
                    .flags = flags_of(mount.attributes),
                    .type = types.at(mount.kind),
                    .options = {mount.options.begin(), mount.options.end()}});
    for (const auto& path : e.plan.container.masked)
        add_mount(o, {.root = "/null", .target = path, .flags = {"ro"}, .type = "devtmpfs"});
    for (const auto& path : e.plan.container.read_only) {
        const auto* below = o.reach(path);  // a cover is a bind mount of what it covers
        MountView cover = below != nullptr ? *below : MountView{.root = path, .type = "proc"};
        cover.target = path;
        cover.flags.insert("ro");
        add_mount(o, std::move(cover));
    }
}

NetworkView network(const Expected& e) {
    NetworkView n;
    const auto own = net::egress_chain(e.lease->id);
    const auto ingress = net::ingress_chain(e.lease->id);
    n.chains = {"input", "forward", "default", own};
    n.device_chains = {"spoof", ingress};
    n.rules = {
            {.chain = "input", .words = {"meta", "cmp", "jump to_host"}},
            {.chain = "forward", .words = {"meta", "cmp", "jump from_container"}},
            {.chain = "forward", .words = {"meta", "cmp", "jump to_container"}},
            {.chain = "to_host", .words = {"goto no-host"}},
            {.chain = "no-host", .words = {"meta", "cmp", "reject"}},
            {.chain = "from_container", .words = {"ct", "accept"}},
            {.chain = "from_container", .words = {"payload", "lookup metadata4", "reject"}},
            {.chain = "from_container", .words = {"payload", "lookup metadata6", "reject"}},
            {.chain = "from_container", .words = {"payload", "lookup egress4"}},
            {.chain = "from_container", .words = {"payload", "lookup egress6"}},
            {.chain = "from_container", .words = {"goto default"}},
            {.chain = "nobody", .words = {"counter", "drop"}},
            {.chain = "default", .words = {"meta", "cmp", "reject"}},
            {.chain = "default", .words = {"payload", "lookup deny4", "reject"}},
            {.chain = "default", .words = {"accept"}},
            {.chain = "to_container", .words = {"ct", "accept"}},
            {.chain = "to_container", .words = {"counter", "drop"}},
            {.chain = own, .words = {"ct", "lookup a4-" + e.lease->id + "-1", "accept"}}};
    n.device_rules = {
            {.chain = "spoof", .words = {"payload", "lookup bound4", "accept"}},
            {.chain = ingress, .words = {"jump spoof"}},
            {.chain = ingress, .words = {"counter", "drop"}}};
    n.nobody_refused = true;
    n.egress_element = n.bound_element = n.host_link = true;
    n.sysctls = {{"ipv4/accept_redirects", "0"}, {"ipv6/accept_ra", "0"}};
    return n;
}

Outside outside(const Expected& e) {
    Outside o;
    std::uint64_t inode = 1;
    for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"})
        o.daemon_namespaces[name] = ++inode;
    o.engine_programs = {{{.device = 1, .inode = 2}, "the daemon"}};
    o.daemon_environment = {"NOTIFY_SOCKET"};
    o.processes = {process(e, 10, true), process(e, 11, false)};
    o.user_namespace_owner = e.id_base;
    add_mounts(e, o);
    for (const auto& hierarchy : kHierarchies) o.cgroups[hierarchy].present = true;
    for (const auto& rule : e.device_rules) o.cgroups["devices"].devices += rule + "\n";
    o.limits = e.limits;
    o.device_tag = "tag";
    o.device_tags = {"tag"};
    o.network = network(e);
    o.stored_filter = e.filter_hash;
    o.keys_of_range = true;
    return o;
}

void add_calls(const Expected& e, Inside& in) {
    for (const auto& call : security::refused_calls(e.container_class))
        in.calls[call.name].error = call.error;
    for (const char* name :
         {"socket alg", "socket vsock", "clone newns", "clone newcgroup", "clone newuts",
          "clone newipc", "clone newuser", "clone newpid", "clone newnet", "ioctl tiocsti",
          "ioctl tioclinux", "ioctl tiocsti with high bits", "ioctl tioclinux with high bits",
          "personality", "mknod"})
        in.calls[name].error = EPERM;
    in.calls["tree /proc"].error = in.calls["tree /sys"].error = EINVAL;
    in.calls["socket unix"].error = 0;
    in.calls["socket kcm"].error = in.calls["socket bluetooth"].error = EAFNOSUPPORT;
    in.calls["foreign i386"].error = in.calls["foreign x32"].error = ENOSYS;
}

Inside inside(const Expected& e) {
    Inside in;
    in.process = process(e, 0, false);
    in.process.cgroups = {{"memory", "/"}, {"", "/"}};
    in.user = in.process;
    in.user->capabilities = e.user.capabilities;
    for (const auto& path : e.plan.container.masked) in.reads[path].detail = "c 1:3 0";
    in.reads["/sys/fs/cgroup/memory/release_agent"].error = ENOENT;
    in.writes["/proc/sys/kernel/core_pattern"].error = EROFS;
    for (const auto* list : {&e.plan.container.ceilings, &e.plan.container.sysctls})
        for (const auto& sysctl : *list)
            in.texts["/proc/sys/" + sysctl.name].detail = sysctl.value + "\n";
    in.texts["/proc/sys/net/ipv6/conf/all/disable_ipv6"].detail = "1\n";
    in.self = {
            {"cwd", {.detail = "/"}}, {"securebits", {.detail = "0"}}, {"umask", {.detail = "18"}}};
    in.descriptors = {{.number = 0}, {.number = 1}, {.number = 2}};
    in.links = {"lo", e.lease->container_interface};
    for (const auto& device : e.plan.container.devices)
        in.nodes["/dev/" + device.path] =
                "c " + std::to_string(device.major) + ":" + std::to_string(device.minor);
    add_calls(e, in);
    return in;
}

}  // namespace

Evidence good_evidence(security::Class container_class) {
    Evidence evidence{.expected = expected(container_class)};
    evidence.outside = outside(evidence.expected);
    evidence.inside = inside(evidence.expected);
    return evidence;
}

HostView good_host() {
    HostView host;
    host.sysctls = {
            {"kernel.core_pattern", "core"},
            {"fs.protected_symlinks", "1"},
            {"kernel.kptr_restrict", "1"},
            {"kernel.unprivileged_bpf_disabled", "2"},
            {"kernel.io_uring_disabled", "2"},
            {"kernel.perf_event_paranoid", "2"},
            {"net.ipv4.conf.all.rp_filter", "1"},
            {"net.ipv4.conf.all.route_localnet", "0"},
            {"net.netfilter.nf_conntrack_max", "262144"},
            {"fs.file-max", "1000000"}};
    host.features = {"user_namespaces",   "seccomp", "pids",      "memory",
                     "cgroup_namespaces", "devices", "nf_tables", "overlay",
                     "audit_multicast",   "bpf",     "pressure"};
    host.store = {.path = "/var/lib/x", .there = true, .mode = 0700, .nosuid = true, .nodev = true};
    host.state = {.path = "/run/x", .there = true, .mode = 0700};
    host.sockets = {{.path = "/run/x/s", .there = true, .mode = 0660}};
    host.socket_directories = {{.path = "/run/x", .there = true, .mode = 0750}};
    host.daemon_bounding = (std::uint64_t{1} << 41U) - 1;
    host.allow_privileged = false;
    host.image_policy = "/etc/cloche/policy.json";
    return host;
}

std::vector<Belongings> good_belongings() {
    std::vector<Belongings> all;
    for (std::uint32_t n = 1; n <= 3; ++n) {
        const auto text = std::to_string(n);
        all.push_back(
                {.name = "box-" + text,
                 .id_base = kBase + n * 65'536,
                 .id_length = 65'536,
                 .namespaces = {{"mnt", n}, {"pid", n + 10}},
                 .cgroups = {"memory:/garden/" + text},
                 .writable = {"0:" + text + " /", "0:99 /shared"},
                 .writable_on_purpose = {"0:99 /shared"},
                 .addresses = {"10.254.0." + text},
                 .descriptors = {"pipe:[" + text + "]"}});
    }
    return all;
}

}  // namespace test
