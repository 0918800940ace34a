// Every check that the audit can report has a failing case here: each weakens one field of good
// evidence.
#include "garden/audit/checks.hpp"

#include "garden/audit/catalogue.hpp"
#include "good_evidence.hpp"

#include <errno.h>

#include <algorithm>
#include <functional>
#include <set>

#include <catch2/catch.hpp>

using namespace garden;
using namespace garden::audit;

namespace {

using Weaken = std::function<void(Evidence&)>;

struct Case {
    std::string id;
    Weaken weaken;
    security::Class container_class = security::Class::unprivileged;
};

const api::AuditCheck* find(const std::vector<api::AuditCheck>& checks, const std::string& id) {
    for (const auto& check : checks)
        if (check.rule + "/" + check.check == id) return &check;
    return nullptr;
}

std::string findings(const std::vector<api::AuditCheck>& checks) {
    std::string text;
    for (const auto& check : checks)
        if (check.relaxation.empty() && check.result != api::AuditResult::pass &&
            check.result != api::AuditResult::not_applicable)
            text += check.rule + "/" + check.check + ": " + check.observed + "\n";
    return text;
}

ProcessView& second(Evidence& e) {
    return e.outside.processes.at(1);
}

MountView& mount_at(Evidence& e, const std::string& target) {
    for (auto& mount : e.outside.mounts)
        if (mount.target == target) return mount;
    throw std::runtime_error(target);
}

std::vector<Case> identity_cases() {
    return {{"3/namespaces",
             [](Evidence& e) { second(e).namespaces["net"] = e.outside.daemon_namespaces["net"]; }},
            {"CL-01/joined", [](Evidence& e) { second(e).namespaces["mnt"] = 4711; }},
            {"ID-01/range", [](Evidence& e) { e.expected.id_base = 1000; }},
            {"ID-01/map",
             [](Evidence& e) {
                 e.outside.processes[0].gid_map.push_back(
                         {.inside = 70000, .outside = 0, .count = 1});
             }},
            {"ID-02/host-ids", [](Evidence& e) { second(e).uids[1] = 0; }},
            {"ID-07/owner", [](Evidence& e) { e.outside.user_namespace_owner = 0; }},
            {"ID-08/user-namespaces",
             [](Evidence& e) {
                 e.inside->texts["/proc/sys/user/max_user_namespaces"].detail = "100\n";
             }},
            {"ID-08/ceilings",
             [](Evidence& e) {
                 e.inside->texts["/proc/sys/user/max_mnt_namespaces"].detail = "9999\n";
             }},
            {"ID-09/groups", [](Evidence& e) { second(e).groups.push_back(6); }}};
}

std::vector<Case> capability_cases() {
    constexpr auto kAdmin = std::uint64_t{1} << 21U;
    return {{"CAP-01/sets", [](Evidence& e) { second(e).capabilities.effective |= kAdmin; }},
            {"CAP-02/sets",
             [](Evidence& e) { second(e).capabilities.bounding |= std::uint64_t{1} << 50U; },
             security::Class::privileged_in_userns},
            {"CAP-03/non-root", [](Evidence& e) { e.inside->user->capabilities.effective = 1; }},
            {"CAP-04/ambient",
             [](Evidence& e) { e.outside.processes[0].capabilities.ambient = 1; }},
            {"CAP-05/inheritable",
             [](Evidence& e) { e.inside->process.capabilities.inheritable = 1; }},
            {"CAP-06/securebits", [](Evidence& e) { e.inside->self["securebits"].detail = "1"; }}};
}

std::vector<Case> filter_cases() {
    const auto reached = [](const char* call) {
        return [call](Evidence& e) { e.inside->calls[call].error = EFAULT; };
    };
    return {{"SC-01/mode", [](Evidence& e) { second(e).seccomp = 0; }},
            {"SC-02/foreign", reached("foreign i386")},
            {"SC-03/newer", reached("a call newer than the table")},
            {"SC-04/clone3", reached("clone3")},
            {"SC-05/denied", reached("mount")},
            {"SC-06/ioctl", reached("ioctl tiocsti with high bits")},
            {"6.3/sockets", [](Evidence& e) { e.inside->calls["socket alg"].error = 0; }},
            {"6.3/clone", reached("clone newuser")},
            {"6.3/personality", reached("personality")},
            {"6.6/denied", reached("open_by_handle_at"), security::Class::privileged},
            {"SC-08/log", [](Evidence& e) { e.expected.plan.container.init.seccomp_log = false; }},
            {"SC-10/stored", [](Evidence& e) { e.outside.stored_filter = "sha256:other"; }},
            {"NNP-01/no-new-privileges", [](Evidence& e) { second(e).no_new_privileges = false; }},
            {"NNP-02/ping",
             [](Evidence& e) {
                 e.inside->texts["/proc/sys/net/ipv4/ping_group_range"].detail = "1 0\n";
             }},
            {"NNP-06/bind-mounts",
             [](Evidence& e) { mount_at(e, "/data").flags.erase("nosuid"); }}};
}

std::vector<Case> view_cases() {
    return {{"FS-01/root", [](Evidence& e) { mount_at(e, "/").flags.erase("nodev"); }},
            {"FS-03/foreign",
             [](Evidence& e) { e.outside.mounts.push_back({.target = "/mnt", .type = "ext4"}); }},
            {"FS-04/propagation", [](Evidence& e) { mount_at(e, "/data").shared = true; }},
            {"FS-13/proc",
             [](Evidence& e) {
                 e.outside.mounts.push_back({.target = "/proc/self", .type = "tmpfs"});
             }},
            {"8.2/mounts", [](Evidence& e) { mount_at(e, "/sys").flags.erase("ro"); }},
            {"8.3/masked",
             [](Evidence& e) { e.outside.reached["/proc/keys"] = e.outside.reached["/proc"]; }},
            {"8.3/masked", [](Evidence& e) { e.inside->reads["/proc/keys"].detail = "file 1"; }},
            {"FS-12/locked", [](Evidence& e) { e.inside->calls["tree /proc"].error = 0; }},
            {"FS-12/locked", [](Evidence& e) { e.inside->calls["tree /sys"].error = 0; },
             security::Class::privileged_in_userns},
            {"8.3/read-only", [](Evidence& e) { mount_at(e, "/proc/sys").flags.clear(); }},
            {"DEV-01/nodes", [](Evidence& e) { e.inside->nodes["/dev/sda"] = "b 8:0"; }},
            {"DEV-02/mknod", [](Evidence& e) { e.inside->calls["mknod"].error = 0; }},
            {"DEV-02/rules",
             [](Evidence& e) { e.outside.cgroups["devices"].devices += "b 7:* rwm\n"; }},
            {"DEV-04/program", [](Evidence& e) { e.outside.device_tags.clear(); }}};
}

std::vector<Case> launch_cases() {
    return {{"PL-01/descriptors", [](Evidence& e) { second(e).descriptors[0].foreign = true; }},
            {"PL-01/inherited",
             [](Evidence& e) { e.inside->descriptors.push_back({.number = 7}); }},
            {"PL-02/directory",
             [](Evidence& e) { e.inside->self["cwd"].detail = "(unreachable)/"; }},
            {"PL-03/program",
             [](Evidence& e) { second(e).program = base::sys::FileId{.device = 1, .inode = 2}; }},
            {"PL-05/keyring", [](Evidence& e) { e.outside.keys_of_range = false; }},
            {"PL-06/environment", [](Evidence& e) { second(e).environment = {"NOTIFY_SOCKET"}; }},
            {"PL-07/signals", [](Evidence& e) { e.inside->process.ignored = 1U << 12U; }},
            {"PL-09/limits", [](Evidence& e) { e.inside->process.limits.at(0).hard = 77; }},
            {"PL-10/oom-score", [](Evidence& e) { second(e).oom_score_adj = -10; }},
            {"PL-10/scheduler", [](Evidence& e) { second(e).policy = 1; }},
            {"PL-10/umask", [](Evidence& e) { e.inside->self["umask"].detail = "0"; }},
            {"PL-12/equal", [](Evidence& e) { e.inside->process.capabilities.effective = 0; }},
            {"10/groups", [](Evidence& e) { second(e).cgroups["memory"] = "/garden/other"; }},
            {"10/cgroup-namespace",
             [](Evidence& e) { e.inside->process.cgroups["memory"] = "/garden/box"; }},
            {"10/release-agent",
             [](Evidence& e) { e.inside->reads["/sys/fs/cgroup/memory/release_agent"].error = 0; }},
            {"10/release-agent",
             [](Evidence& e) { e.outside.cgroups["memory"].notify_on_release = "1"; }},
            {"10/switches",
             [](Evidence& e) { e.inside->writes["/proc/sys/kernel/core_pattern"].error = 0; }}};
}

void drop_rule(Evidence& e, std::vector<RuleView> NetworkView::*list, std::string_view word) {
    std::erase_if((*e.outside.network).*list, [&](const RuleView& rule) { return rule.has(word); });
}

std::vector<Case> network_cases() {
    const auto without = [](std::string_view word) {
        return [word](Evidence& e) { drop_rule(e, &NetworkView::rules, word); };
    };
    return {{"NET-01/link", [](Evidence& e) { e.outside.network->host_link = false; }},
            {"NET-02/spoof",
             [](Evidence& e) { drop_rule(e, &NetworkView::device_rules, "jump spoof"); }},
            {"NET-02/spoof", [](Evidence& e) { drop_rule(e, &NetworkView::device_rules, "drop"); }},
            {"NET-02/spoof", [](Evidence& e) { e.outside.network->bound_element = false; }},
            {"NET-02/spoof",
             [](Evidence& e) {
                 e.outside.network->device_rules.push_back({.chain = "spoof", .words = {"accept"}});
             }},
            {"NET-03/settings",
             [](Evidence& e) { e.outside.network->sysctls["ipv4/route_localnet"] = "1"; }},
            {"NET-04/default", without("jump from_container")},
            {"NET-04/default", without("lookup deny4")},
            {"NET-04/default",
             [](Evidence& e) {
                 e.outside.network->rules.insert(
                         e.outside.network->rules.begin(),
                         {.chain = "forward", .words = {"accept"}});
             }},
            {"NET-04/default",
             [](Evidence& e) {
                 e.outside.network->rules.push_back({.chain = "no-host", .words = {"accept"}});
             }},
            {"NET-05/metadata", without("lookup metadata4")},
            {"NET-05/metadata",
             [](Evidence& e) {
                 std::reverse(e.outside.network->rules.begin(), e.outside.network->rules.end());
             }},
            {"NET-04/default", without("goto default")},
            {"NET-04/default", [](Evidence& e) { e.outside.network->nobody_refused = false; }},
            {"NET-04/default",
             [](Evidence& e) {
                 e.outside.network->rules.push_back({.chain = "nobody", .words = {"accept"}});
             }},
            {"NET-06/rules", [](Evidence& e) { e.outside.network->allowances += 1000; }},
            {"NET-06/rules",
             [](Evidence& e) {
                 e.outside.network->rules.push_back(
                         {.chain = "c-aaaaaaaaaaa", .words = {"goto elsewhere"}});
             }},
            {"NET-06/rules",
             [](Evidence& e) {
                 e.outside.network->rules.push_back(
                         {.chain = "c-aaaaaaaaaaa",
                          .words = {"lookup a4-bbbbbbbbbbb-1", "accept"}});
             }},
            {"NET-06/rules", [](Evidence& e) { e.outside.network->egress_element = false; }},
            {"NET-06/rules",
             [](Evidence& e) {
                 e.outside.network->rules.insert(
                         e.outside.network->rules.begin(),
                         {.chain = "c-aaaaaaaaaaa", .words = {"accept"}});
             }},
            {"NET-08/ipv6",
             [](Evidence& e) {
                 e.inside->texts["/proc/sys/net/ipv6/conf/all/disable_ipv6"].detail = "0\n";
             }},
            {"NET-09/interfaces", [](Evidence& e) { e.inside->links.push_back("eth0"); }},
            {"DOS-01/processes", [](Evidence& e) { e.outside.limits.pids = 0; }},
            {"DOS-02/memory", [](Evidence& e) { e.outside.limits.memory_bytes *= 2; }},
            {"DOS-02/memory", [](Evidence& e) { e.outside.limits.swap_limit = false; }},
            {"DOS-03/cpu", [](Evidence& e) { e.outside.limits.cpu_shares = 4096; }},
            {"DOS-12/memory-mounts",
             [](Evidence& e) { mount_at(e, "/dev/shm").options = {"size=1g"}; }}};
}

std::vector<Case> all_cases() {
    std::vector<Case> all;
    for (auto cases :
         {identity_cases(), capability_cases(), filter_cases(), view_cases(), launch_cases(),
          network_cases()})
        all.insert(all.end(), cases.begin(), cases.end());
    return all;
}

struct HostCase {
    std::string id;
    std::function<void(HostView&)> weaken;
};

std::vector<HostCase> host_cases() {
    const auto set = [](const char* name, const char* value) {
        return [=](HostView& h) { h.sysctls[name] = value; };
    };
    return {{"17/features", [](HostView& h) { h.features.erase("seccomp"); }},
            {"17/reports", [](HostView& h) { h.features.erase("bpf"); }},
            {"ID-12/accounts", [](HostView& h) { h.accounts_in_range = {"account x"}; }},
            {"ID-03/subordinates", [](HostView& h) { h.subordinates_in_range = {"x"}; }},
            {"NNP-05/store", [](HostView& h) { h.store.mode = 0755; }},
            {"NNP-05/nosuid", [](HostView& h) { h.store.nosuid = false; }},
            {"NNP-05/state", [](HostView& h) { h.state.uid = 1000; }},
            {"10/core-pattern", set("kernel.core_pattern", "|/usr/bin/handler")},
            {"17/links", set("fs.protected_symlinks", "0")},
            {"17/kernel-addresses", set("kernel.kptr_restrict", "0")},
            {"17/bpf", set("kernel.unprivileged_bpf_disabled", "0")},
            {"17/io-uring", set("kernel.io_uring_disabled", "0")},
            {"17/perf", set("kernel.perf_event_paranoid", "1")},
            {"17/source-address", set("net.ipv4.conf.all.rp_filter", "0")},
            {"10/loopback", set("net.ipv4.conf.all.route_localnet", "1")},
            {"NET-11/table", set("net.netfilter.nf_conntrack_max", "1024")},
            {"DOS-06/files", set("fs.file-max", "1024")},
            {"CAP-02/daemon", [](HostView& h) { h.daemon_bounding = 0; }},
            {"CL-02/privileged", [](HostView& h) { h.allow_privileged = true; }},
            {"IMG-40/unsigned", [](HostView& h) { h.image_policy.clear(); }},
            {"API-01/mode", [](HostView& h) { h.sockets[0].mode = 0777; }},
            {"API-01/directory", [](HostView& h) { h.socket_directories[0].mode = 0777; }},
            {"API-03/tcp", [](HostView& h) { h.plain_tcp = {"tcp://0.0.0.0:7777"}; }}};
}

struct PairCase {
    std::string id;
    std::function<void(std::vector<Belongings>&)> weaken;
};

std::vector<PairCase> pair_cases() {
    return {{"ID-01/distinct", [](auto& all) { all[1].id_base = all[0].id_base + 1; }},
            {"3/distinct", [](auto& all) { all[2].namespaces["pid"] = all[0].namespaces["pid"]; }},
            {"10/distinct", [](auto& all) { all[2].cgroups = all[1].cgroups; }},
            {"FS-01/distinct", [](auto& all) { all[2].writable.insert("0:1 /"); }},
            {"NET-01/distinct", [](auto& all) { all[2].addresses = all[0].addresses; }},
            {"PL-01/distinct", [](auto& all) { all[2].descriptors = all[0].descriptors; }}};
}

}  // namespace

TEST_CASE("good evidence of every class has no finding, and every check speaks once") {
    for (const auto container_class :
         {security::Class::unprivileged, security::Class::privileged_in_userns}) {
        const auto checks = check_container(test::good_evidence(container_class));
        CHECK(findings(checks) == "");
        std::multiset<std::string> ids;
        for (const auto& check : checks)
            if (check.relaxation.empty()) ids.insert(check.rule + "/" + check.check);
        for (const auto& item : container_items()) {
            INFO(item.id);
            CHECK(ids.count(std::string(item.id)) == 1);
        }
    }
}

TEST_CASE("each weakness of a container is found under its own rule") {
    for (const auto& each : all_cases()) {
        INFO(each.id);
        auto evidence = test::good_evidence(each.container_class);
        each.weaken(evidence);
        const auto checks = check_container(evidence);
        const auto* check = find(checks, each.id);
        REQUIRE(check != nullptr);
        INFO(check->observed);
        CHECK(check->result == api::AuditResult::fail);
        CHECK_FALSE(check->observed.empty());
    }
}

TEST_CASE("each weakness of the host is found under its own rule") {
    for (const auto& each : host_cases()) {
        INFO(each.id);
        auto host = test::good_host();
        each.weaken(host);
        const auto checks = check_host(host);
        const auto* check = find(checks, each.id);
        REQUIRE(check != nullptr);
        CHECK(check->result == api::AuditResult::fail);
    }
    CHECK(findings(check_host(test::good_host())).empty());
}

TEST_CASE("whatever two containers share is found and what they share on purpose is not") {
    CHECK(findings(check_pairs(test::good_belongings())).empty());
    for (const auto& each : pair_cases()) {
        INFO(each.id);
        auto all = test::good_belongings();
        each.weaken(all);
        const auto checks = check_pairs(all);
        const auto* check = find(checks, each.id);
        REQUIRE(check != nullptr);
        CHECK(check->result == api::AuditResult::fail);
    }
}

TEST_CASE("every entry of the catalogue has a failing case") {
    std::set<std::string> covered;
    for (const auto& each : all_cases()) covered.insert(each.id);
    for (const auto& each : host_cases()) covered.insert(each.id);
    for (const auto& each : pair_cases()) covered.insert(each.id);
    std::set<std::string> ids;
    for (const auto& item : catalogue()) {
        INFO(item.id);
        CHECK(covered.contains(std::string(item.id)));
        CHECK(ids.insert(std::string(item.id)).second);
    }
    CHECK(covered.size() == ids.size());
}

TEST_CASE("what could not be looked at is an error and never a pass") {
    auto evidence = test::good_evidence();
    evidence.inside.reset();
    evidence.inside_problem = "no answer";
    evidence.outside.problems = {
            {"processes", "gone"}, {"mounts", "gone"}, {"cgroups", "gone"}, {"network", "gone"}};
    for (const auto& check : check_container(evidence)) {
        const auto id = check.rule + "/" + check.check;
        // Records and plans need no look.
        if (!check.relaxation.empty() || id == "ID-01/range" || id == "SC-08/log" ||
            id == "SC-10/stored" || id == "DEV-04/program" || id == "PL-05/keyring")
            continue;
        INFO(id);
        CHECK(check.result != api::AuditResult::pass);
    }
}

TEST_CASE("CL-03: each relaxation is named") {
    auto evidence = test::good_evidence(security::Class::privileged);
    auto& expected = evidence.expected;
    expected.spec.limits = {};
    expected.spec.seccomp_profile = "{}";
    expected.spec.bind_mounts[0].writable = true;
    expected.garden_inheritable = expected.garden_id_mapping = true;
    expected.allow_host_access = expected.shared_subnets = true;
    CHECK(relaxations_of(check_container(evidence)) ==
          std::vector<std::string>{
                  "compat.garden_id_mapping", "compat.garden_inheritable", "egress_allow_public",
                  "host_access", "no_disk_limit", "no_memory_limit", "no_process_limit",
                  "no_user_namespace", "privileged", "seccomp_profile", "shared_subnet",
                  "writable_bind_mount:/data"});
}
