#include "garden/cgroup/forest.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "base/sys/pidfd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>

namespace garden::cgroup {

namespace sys = base::sys;

const Tree* Forest::with(std::string_view controller) const {
    for (const auto& tree : trees) {
        if (std::ranges::find(tree.controllers, controller) != tree.controllers.end()) return &tree;
    }
    return nullptr;
}

const Tree* Forest::unified() const {
    for (const auto& tree : trees) {
        if (tree.unified) return &tree;
    }
    return nullptr;
}

const Tree& Forest::membership() const {
    if (const auto* tree = unified()) return *tree;
    if (const auto* tree = with("freezer")) return *tree;
    return trees.front();
}

base::Result<std::vector<std::string>> child_groups(base::FdRef group) {
    std::vector<std::string> groups;
    // A group's link count is 2 plus its child groups: no child, nothing to look through.
    if (TRY(sys::stat_fd(group)).st_nlink <= 2) return groups;
    for (auto& name : TRY(sys::list_directory(group))) {
        auto entry = sys::stat_at(group, name);
        if (entry && S_ISDIR(entry->st_mode)) groups.push_back(std::move(name));
    }
    return groups;
}

base::Result<std::vector<std::int32_t>> members(
        base::FdRef parent, const std::string& name, int depth) {
    std::vector<std::int32_t> pids;
    auto opened = sys::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) {
        if (opened.error().kind == base::Errc::not_found) return pids;
        return std::move(opened).error();
    }
    auto text = sys::read_file_at(*opened, "cgroup.procs", std::size_t{64} << 20);
    if (!text) {
        // ENODEV: removed meanwhile. EOPNOTSUPP: a threaded group, its domain lists the processes.
        if (text.error().sys == ENODEV || text.error().sys == ENOENT ||
            text.error().sys == EOPNOTSUPP)
            return pids;
        return std::move(text).error();
    }
    for (std::size_t at = 0; at < text->size();) {
        const auto end = std::min(text->find('\n', at), text->size());
        auto pid = base::parse_number<std::int32_t>(
                std::string_view(*text).substr(at, end - at), "pid");
        if (pid && *pid > 0) pids.push_back(*pid);  // 0: a process of another pid namespace
        at = end + 1;
    }
    if (depth >= kMaxGroupDepth) return pids;
    for (const auto& child : TRY(child_groups(*opened))) {
        const auto below = TRY(members(*opened, child, depth + 1));
        pids.insert(pids.end(), below.begin(), below.end());
    }
    return pids;
}

base::Result<void> remove_group(
        base::FdRef parent,
        const std::string& name,
        std::chrono::steady_clock::time_point deadline,
        int depth) {
    int wait = 1;
    for (;;) {
        auto removed = sys::remove_at(parent, name, true);
        if (removed || removed.error().sys == ENOTDIR) return base::ok;
        if (removed.error().sys != EBUSY) return removed;
        auto group = sys::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!group) continue;  // gone between the two calls: the next removal says so
        if (depth < kMaxGroupDepth) {
            for (const auto& child : TRY(child_groups(*group)))
                TRY(remove_group(*group, child, deadline, depth + 1));
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            return base::fail(
                    base::Errc::conflict, "remove the cgroup {}: processes remain after {} ms",
                    name, kRemoveWait.count());
        }
        // v1 has no event for "empty"; exiting processes leave within milliseconds.
        (void)::poll(nullptr, 0, wait);
        wait = std::min(wait * 2, 50);
    }
}

base::Result<void> kill_one_by_one(const Forest& forest, const std::string& name) {
    const auto& tree = forest.membership();
    const auto* freezer = forest.with("freezer");
    const std::string state = name + "/freezer.state";
    constexpr int kRounds = 200;
    for (int round = 0; round < kRounds; ++round) {
        // A frozen member cannot fork away from us. Failure is fine: the rounds catch up.
        if (freezer != nullptr) (void)sys::write_kernel_file_at(freezer->parent, state, "FROZEN");
        auto pids = members(tree.parent, name);
        std::vector<base::Fd> held;
        if (pids) {
            for (const auto pid : *pids) {
                auto process = sys::open_process(pid);
                held.push_back(process ? std::move(*process) : base::Fd());
            }
            // Only a pid that is a member *after* its descriptor was opened is surely ours: pids
            // are reused.
            const auto again = members(tree.parent, name);
            for (std::size_t i = 0; again && i < pids->size(); ++i) {
                if (held[i] && std::ranges::find(*again, (*pids)[i]) != again->end())
                    (void)sys::signal_process(held[i], SIGKILL);
            }
        }
        // SIGKILL of a frozen process waits until it is thawed.
        if (freezer != nullptr) (void)sys::write_kernel_file_at(freezer->parent, state, "THAWED");
        if (!pids) return std::move(pids).error();
        if (pids->empty()) return base::ok;
        (void)::poll(nullptr, 0, 5);
    }
    return base::fail(
            base::Errc::timeout, "kill the processes of the cgroup {}: some remain after {} rounds",
            name, kRounds);
}

}  // namespace garden::cgroup
