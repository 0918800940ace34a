// The hierarchies of this host with our parent group in each: what the driver and its groups work
// on. Inside garden/cgroup only.
#pragma once

#include "garden/cgroup/oom.hpp"
#include "garden/cgroup/text.hpp"

#include <chrono>
#include <mutex>

namespace garden::cgroup {

struct Tree {
    std::string name;                      // "memory", "cpu,cpuacct", "name=systemd", "unified"
    std::vector<std::string> controllers;  // v2: the enabled ones
    bool unified = false;
    base::Fd above;           // the directory that holds the parent group
    base::Fd parent;          // the parent group: containers are below it
    std::string parent_path;  // for inotify, which knows no descriptors
};

struct Forest {
    Layout layout = Layout::v1;
    std::string parent_name;
    std::vector<Tree> trees;
    bool memsw = false;               // v1: memory.memsw.* exist
    std::shared_ptr<OomWatcher> oom;  // owners: the driver's forest; groups through it
    std::mutex programs_mutex;
    std::map<std::string, base::Fd>
            programs;  // loaded device programs by their instructions, at most kMaxPrograms

    const Tree* with(std::string_view controller) const;
    const Tree* unified() const;
    // The hierarchy whose members count as the container's processes.
    const Tree& membership() const;
};

inline constexpr std::size_t kMaxPrograms = 16;
inline constexpr std::chrono::milliseconds kRemoveWait{5000};
inline constexpr int kMaxGroupDepth = 64;  // groups that a container with delegation may nest

base::Result<std::unique_ptr<Forest>> plant(std::string_view parent);

// Host pids of `name` below `parent` and of every group below it.
base::Result<std::vector<std::int32_t>> members(
        base::FdRef parent, const std::string& name, int depth = 0);
base::Result<std::vector<std::string>> child_groups(base::FdRef group);
// rmdir of the group and of what it holds; EBUSY is tried again until `deadline`.
base::Result<void> remove_group(
        base::FdRef parent,
        const std::string& name,
        std::chrono::steady_clock::time_point deadline,
        int depth = 0);
// Without cgroup.kill: freeze where possible, then signal each member by pidfd until none is left.
base::Result<void> kill_one_by_one(const Forest& forest, const std::string& name);

std::unique_ptr<Group> make_group(std::shared_ptr<Forest> forest, std::string name, bool fresh);
base::Result<void> watch(Group& group, std::function<void()> notice);

}  // namespace garden::cgroup
