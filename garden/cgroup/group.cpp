#include "base/fail.hpp"
#include "base/sys/cgroup.hpp"
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "garden/cgroup/figures.hpp"
#include "garden/cgroup/forest.hpp"

#include <fcntl.h>

#include <algorithm>

namespace garden::cgroup {

namespace {

namespace sys = base::sys;

class ForestGroup final : public Group {
  public:
    ForestGroup(std::shared_ptr<Forest> forest, std::string name, bool fresh)
        : forest_(std::move(forest)), name_(std::move(name)), fresh_(fresh) {}

    ForestGroup(const ForestGroup&) = delete;
    ForestGroup& operator=(const ForestGroup&) = delete;

    ~ForestGroup() override { unwatch(); }

    base::Result<std::vector<base::Fd>> entrances() override;
    base::Result<std::vector<base::Fd>> views() override;
    base::Result<void> limit(const Limits& limits) override;

    base::Result<Limits> limits() override { return read_limits(*forest_, name_); }

    base::Result<void> devices(const std::vector<security::DeviceRule>& allowed) override;

    base::Result<Metrics> metrics() override { return read_metrics(*forest_, name_); }

    base::Result<std::vector<std::int32_t>> processes() override {
        return members(forest_->membership().parent, name_);
    }

    base::Result<void> kill() override;

    base::Result<std::uint64_t> oom_kills() override { return read_oom_kills(*forest_, name_); }

    base::Result<void> remove() override;
    base::Result<void> watch(std::function<void()> notice);

  private:
    base::Result<void> filter_devices(
            const Tree& tree, const std::vector<security::DeviceRule>& allowed);

    void unwatch() {
        std::vector<std::uint64_t> watches;
        {
            const std::lock_guard lock(mutex_);
            watches.swap(watches_);
        }
        // Outside the lock: removal waits for a running notice, which may come back here.
        for (const auto id : watches) forest_->oom->remove(id);
    }

    std::shared_ptr<Forest> forest_;  // owners: the driver and every group
    std::string name_;
    bool fresh_;  // nothing limited yet: what is 0 needs no write
    std::mutex mutex_;
    std::vector<std::uint64_t> watches_;
};

base::Result<std::vector<base::Fd>> ForestGroup::entrances() {
    std::vector<base::Fd> files;
    files.reserve(forest_->trees.size());
    for (const auto& tree : forest_->trees) {
        // `tasks` moves one thread without the lock that `cgroup.procs` of another process waits
        // for.
        files.push_back(TRY(sys::open_at(
                tree.parent, name_ + (tree.unified ? "/cgroup.procs" : "/tasks"), O_WRONLY)));
    }
    return files;
}

base::Result<std::vector<base::Fd>> ForestGroup::views() {
    std::vector<base::Fd> mounts;
    mounts.reserve(forest_->trees.size());
    for (const auto& tree : forest_->trees) {
        auto view = TRY(sys::clone_tree(tree.parent, name_, false));
        TRY(sys::set_mount_private(view));
        mounts.push_back(std::move(view));
    }
    return mounts;
}

base::Result<void> ForestGroup::limit(const Limits& limits) {
    const bool fresh = std::exchange(fresh_, false);
    return write_limits(*forest_, name_, limits, fresh);
}

base::Result<void> ForestGroup::devices(const std::vector<security::DeviceRule>& allowed) {
    // DEV-04: the v1 list and the v2 program, both where both exist.
    bool limited = false;
    if (const auto* tree = forest_->with("devices")) {
        TRY(sys::write_kernel_file_at(tree->parent, name_ + "/devices.deny", "a")
                    .context("deny all devices"));
        for (const auto& rule : allowed) {
            const auto text = security::to_string(rule);
            TRY(sys::write_kernel_file_at(tree->parent, name_ + "/devices.allow", text)
                        .context("allow a device"));
        }
        limited = true;
    }
    if (const auto* tree = forest_->unified()) {
        auto filtered = filter_devices(*tree, allowed);
        // A kernel without CONFIG_CGROUP_BPF keeps the v1 list alone; with neither there is no
        // container.
        if (!filtered &&
            !(limited && (filtered.error().sys == EINVAL || filtered.error().sys == ENOSYS)))
            return filtered;
        limited = true;
    }
    if (!limited)
        return base::fail(
                base::Errc::unsupported,
                "limit the devices of {}: neither a devices controller nor cgroup v2", name_);
    return base::ok;
}

base::Result<void> ForestGroup::filter_devices(
        const Tree& tree, const std::vector<security::DeviceRule>& allowed) {
    const std::string code = security::device_program(allowed);
    base::Fd group = TRY(sys::open_at(tree.parent, name_, O_RDONLY | O_DIRECTORY));
    const std::lock_guard lock(forest_->programs_mutex);
    auto found = forest_->programs.find(code);
    if (found == forest_->programs.end()) {
        // Programs stay loaded while a group uses them: dropping our descriptors only costs a new
        // verification.
        if (forest_->programs.size() >= kMaxPrograms) forest_->programs.clear();
        found = forest_->programs.emplace(code, TRY(sys::load_device_program(code))).first;
    }
    return sys::attach_device_program(group, found->second);
}

base::Result<void> ForestGroup::kill() {
    if (const auto* tree = forest_->unified()) {
        auto killed = sys::write_kernel_file_at(tree->parent, name_ + "/cgroup.kill", "1");
        if (killed || killed.error().sys == ENODEV) return base::ok;
        if (killed.error().sys != ENOENT) return killed;
        // ENOENT: no such group, or a kernel before 5.14.
        if (!TRY(sys::exists_at(tree->parent, name_))) return base::ok;
    }
    return kill_one_by_one(*forest_, name_);
}

base::Result<void> ForestGroup::remove() {
    unwatch();
    const auto deadline = std::chrono::steady_clock::now() + kRemoveWait;
    base::Result<void> first = base::ok;  // every hierarchy is tried
    for (const auto& tree : forest_->trees) {
        auto removed = remove_group(tree.parent, name_, deadline);
        if (!removed && first) first = std::move(removed).context(tree.name);
    }
    return first;
}

base::Result<void> ForestGroup::watch(std::function<void()> notice) {
    const auto* tree = forest_->with("memory");
    if (tree == nullptr)
        return base::fail(base::Errc::unsupported, "watch {} for OOM: no memory controller", name_);
    auto last = std::make_shared<std::uint64_t>(
            0);  // one owner: the closure, which std::function wants copyable
    // The forest outlives its watcher's watches: unwatch() runs before this group lets go of it.
    OomWatcher::Count count = [forest = forest_.get(), name = name_, last] {
        auto kills = read_oom_kills(*forest, name);
        if (kills) *last = *kills;
        return *last;
    };
    std::uint64_t id = 0;
    if (tree->unified) {
        id = TRY(forest_->oom->add(
                tree->parent_path + "/" + name_ + "/memory.events", std::move(count),
                std::move(notice)));
    } else {
        base::Fd event = TRY(sys::make_eventfd());
        base::Fd control = TRY(sys::open_at(tree->parent, name_ + "/memory.oom_control", O_RDONLY));
        TRY(sys::write_kernel_file_at(
                tree->parent, name_ + "/cgroup.event_control",
                base::format("{} {}", event.get(), control.get())));
        id = forest_->oom->add(std::move(event), std::move(count), std::move(notice));
    }
    const std::lock_guard lock(mutex_);
    watches_.push_back(id);
    return base::ok;
}

}  // namespace

std::unique_ptr<Group> make_group(std::shared_ptr<Forest> forest, std::string name, bool fresh) {
    return std::make_unique<ForestGroup>(std::move(forest), std::move(name), fresh);
}

base::Result<void> watch(Group& group, std::function<void()> notice) {
    return static_cast<ForestGroup&>(group).watch(
            std::move(notice));  // every Group of this driver is one
}

}  // namespace garden::cgroup
