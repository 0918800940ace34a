// Finds the hierarchies and takes the parent group in each; on v2 the daemon first moves into a
// leaf of its own.
#include "base/fail.hpp"
#include "base/sys/cgroup.hpp"
#include "base/sys/file.hpp"
#include "garden/cgroup/forest.hpp"

#include <fcntl.h>

#include <algorithm>
#include <functional>

namespace garden::cgroup {

namespace {

namespace sys = base::sys;

constexpr std::string_view kLeaf = "supervisor";

bool delegated(const std::string& path) {
    return sys::has_attribute(path, "trusted.delegate", "1") ||
           sys::has_attribute(path, "user.delegate", "1");
}

// Where our own group is on this mount, if systemd gave it to us (Delegate=yes); "" for the top of
// the hierarchy.
std::string own_base(const Mount& mount, const std::map<std::string, std::string>& groups) {
    const auto found = groups.find(mount.unified ? "" : mount.controllers.front());
    if (found == groups.end()) return "";
    std::string own = below_mount(found->second, mount.root);
    if (own.ends_with("/" + std::string(kLeaf))) own.resize(own.size() - kLeaf.size() - 1);
    return own;
}

bool is_delegated(
        const std::vector<Mount>& mounts, const std::map<std::string, std::string>& groups) {
    return std::ranges::any_of(mounts, [&](const Mount& mount) {
        const bool named = mount.unified || mount.controllers.front() == "name=systemd";
        const std::string own = named ? own_base(mount, groups) : "";
        return !own.empty() && delegated(mount.point + own);
    });
}

// systemd starts a service in the service's own group, which v2 forbids once controllers are on
// below it: restarted with living containers there, the service fails (219/CGROUP, measured with
// systemd 252). Nesting is for those that can come back: scopes, and services that systemd puts
// into the leaf (DelegateSubgroup=supervisor, from 254 on).
bool survives_restart(const std::map<std::string, std::string>& groups) {
    const auto found = groups.find("");
    return found == groups.end() || !found->second.ends_with(".service");
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : ",") + word;
    return text;
}

base::Result<void> take(Tree& tree, const std::string& base, const std::string& name) {
    tree.above = TRY(sys::open_host(base, O_RDONLY | O_DIRECTORY));
    auto made = sys::make_directory_at(tree.above, name, 0755);
    if (!made && made.error().sys != EEXIST) return made;
    tree.parent = TRY(sys::open_at(tree.above, name, O_RDONLY | O_DIRECTORY));
    tree.parent_path = base + "/" + name;
    return base::ok;
}

// v1 cpuset: a new group has no CPU and no memory node. The parent gets ours; clone_children fills
// every container's.
base::Result<void> fill_cpuset(const Tree& tree) {
    for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
        const auto have = TRY(sys::read_file_at(tree.parent, file));
        if (have.find_first_not_of("\n") != std::string::npos) continue;
        TRY(sys::write_kernel_file_at(tree.parent, file, TRY(sys::read_file_at(tree.above, file))));
    }
    return sys::write_kernel_file_at(tree.parent, "cgroup.clone_children", "1");
}

// v2 allows processes only in leaves once controllers are on: everyone in `base` moves to its leaf.
base::Result<void> move_to_leaf(base::FdRef base) {
    auto made = sys::make_directory_at(base, std::string(kLeaf), 0755);
    if (!made && made.error().sys != EEXIST) return made;
    const std::string target = std::string(kLeaf) + "/cgroup.procs";
    constexpr int kRounds =
            32;  // a process that forks while we move leaves a child behind for the next round
    for (int round = 0; round < kRounds; ++round) {
        const auto text = TRY(sys::read_file_at(base, "cgroup.procs"));
        if (text.empty()) return base::ok;
        for (std::size_t at = 0; at < text.size();) {
            const auto end = std::min(text.find('\n', at), text.size());
            auto moved = sys::write_kernel_file_at(base, target, text.substr(at, end - at));
            if (!moved && moved.error().sys != ESRCH) return moved;
            at = end + 1;
        }
    }
    return base::fail(
            base::Errc::conflict, "move to the cgroup {}: processes keep appearing beside it",
            kLeaf);
}

base::Result<std::vector<std::string>> enable(base::FdRef group) {
    std::string available = " " + TRY(sys::read_file_at(group, "cgroup.controllers"));
    std::ranges::replace(available, '\n', ' ');
    std::vector<std::string> enabled;
    for (const std::string controller : {"cpu", "memory", "pids", "io", "cpuset"}) {
        if (available.find(" " + controller + " ") == std::string::npos) continue;
        TRY(sys::write_kernel_file_at(group, "cgroup.subtree_control", "+" + controller));
        enabled.push_back(controller);
    }
    return enabled;
}

base::Result<void> prepare_unified(Tree& tree, bool at_top) {
    if (!at_top) TRY(move_to_leaf(tree.above).context("make room for controllers"));
    TRY(enable(tree.above).context("enable controllers for the parent group"));
    tree.controllers = TRY(enable(tree.parent).context("enable controllers for the containers"));
    return base::ok;
}

}  // namespace

base::Result<std::unique_ptr<Forest>> plant(std::string_view parent) {
    const auto mounts = parse_mounts(TRY(sys::read_host_file("/proc/self/mountinfo", 16 << 20)));
    const auto groups = parse_own_groups(TRY(sys::read_host_file("/proc/self/cgroup")));
    if (mounts.empty())
        return base::fail(base::Errc::unsupported, "no cgroup hierarchy is mounted");
    auto forest = std::make_unique<Forest>();
    const bool any_unified = std::ranges::any_of(mounts, &Mount::unified);
    const bool any_v1 = !std::ranges::all_of(mounts, &Mount::unified);
    forest->layout = !any_unified ? Layout::v1 : any_v1 ? Layout::hybrid : Layout::v2;
    // "/name": below the top of every hierarchy, whoever started us.
    const bool at_top = parent.starts_with('/') || !is_delegated(mounts, groups) ||
                        (forest->layout == Layout::v2 && !survives_restart(groups));
    if (parent.starts_with('/')) parent.remove_prefix(1);
    if (parent.empty() || parent.size() > 200 || parent.find('/') != std::string_view::npos ||
        parent.starts_with('.') || parent == kLeaf) {
        return base::fail(
                base::Errc::invalid, "cgroup parent '{}' is not one name of at most 200 characters",
                parent);
    }
    forest->parent_name = parent;
    for (const auto& mount : mounts) {
        Tree tree{
                .name = mount.unified ? "unified" : joined(mount.controllers),
                .controllers = mount.controllers,
                .unified = mount.unified,
                .above = base::Fd(),
                .parent = base::Fd(),
                .parent_path = ""};
        const std::string own = at_top ? "" : own_base(mount, groups);
        TRY(take(tree, mount.point + own, forest->parent_name)
                    .context(base::format("take the cgroup parent {} of {}", parent, tree.name)));
        if (std::ranges::find(tree.controllers, "cpuset") != tree.controllers.end())
            TRY(fill_cpuset(tree).context("fill the cpuset"));
        if (tree.unified && forest->layout == Layout::v2) TRY(prepare_unified(tree, own.empty()));
        forest->trees.push_back(std::move(tree));
    }
    // v2 is entered first and killed first: whoever is in any group of a container is reached by
    // cgroup.kill.
    std::stable_partition(forest->trees.begin(), forest->trees.end(), std::mem_fn(&Tree::unified));
    if (const auto* memory = forest->with("memory"); memory != nullptr && !memory->unified) {
        forest->memsw = TRY(sys::exists_at(memory->parent, "memory.memsw.limit_in_bytes"));
    }
    forest->oom = TRY(OomWatcher::start());
    return forest;
}

}  // namespace garden::cgroup
