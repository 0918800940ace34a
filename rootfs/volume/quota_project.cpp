// Project quotas: each volume is a project of its own on XFS or ext4, made, limited and counted by
// two cheap calls.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "base/sys/project_quota.hpp"
#include "rootfs/store/tree.hpp"
#include "rootfs/volume/quota.hpp"

#include <fcntl.h>
#include <sys/random.h>

#include <mutex>
#include <set>
#include <utility>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

// Ids come from one window per directory of volumes, taken at random and kept in a file: others may
// use projects on the same file system, and XFS never gives the place of an id in its quota file
// back.
constexpr std::uint32_t kWindow = 1U << 16;
constexpr std::uint32_t kFirstWindow = 0x1000;
constexpr std::uint32_t kWindows = 0x7000;
constexpr const char* kWindowFile = "projects";
// Empty files and links take no block of the project: they are counted instead (DOS-04).
constexpr std::uint64_t kLeastInodes = 16'384;
constexpr std::uint64_t kBytesPerInode = 4'096;

Result<std::uint32_t> choose_window(FdRef directory) {
    auto kept = sys::read_file_at(directory, kWindowFile, 64);
    if (kept) {
        auto number = base::parse_number<std::uint32_t>(*kept, "file projects");
        if (number && *number >= kFirstWindow && *number < kFirstWindow + kWindows)
            return *number * kWindow;
        // Else somebody has spoilt it; the volumes themselves know their projects.
    }
    std::uint32_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number)
        return base::fail_errno("choose a window of projects");
    number = kFirstWindow + number % kWindows;
    TRY(sys::write_atomic_at(
            directory, kWindowFile, std::to_string(number), 0600, sys::Durable::yes));
    return number * kWindow;
}

class ProjectQuota : public Quota {
  public:
    ProjectQuota(Fd root, std::uint32_t window) : root_(std::move(root)), window_(window) {}

    // What is on disk decides which projects are in use.
    Result<void> read_projects(const char* place) {
        auto opened = sys::open_at(root_, place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!opened) {
            if (opened.error().sys == ENOENT) return base::ok;
            return std::move(opened).error();
        }
        for (const auto& name : TRY(sys::list_directory(*opened))) {
            auto entry = sys::open_at(*opened, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            if (!entry) continue;
            auto project = sys::project_of(*entry);
            if (project && mine(project->id)) used_.insert(project->id);
        }
        return base::ok;
    }

    Result<Space> make(FdRef volumes, const std::string& name, std::uint64_t limit) override {
        Space space = TRY(make_plain_space(volumes, name));
        const std::uint32_t project = TRY(take());
        auto joined = join(space.volume, project, limit);
        if (!joined) {
            leave(project);
            return std::move(joined).error();
        }
        return space;
    }

    Result<void> change(FdRef volume, LimitChange limit) override {
        const auto project = TRY(sys::project_of(volume));
        if (!mine(project.id))
            return base::fail(
                    Errc::unsupported,
                    "the volume is no quota project of driver xfs: another driver made it");
        return limit_to(project.id, limit.after);
    }

    Result<std::optional<Occupied>> occupied(FdRef volume) override {
        const auto project = TRY(sys::project_of(volume));
        if (!mine(project.id)) return std::optional<Occupied>{};
        const auto use = TRY(sys::project_use(root_, project.id));
        return std::optional<Occupied>({.bytes = use.bytes, .inodes = use.inodes});
    }

    Result<void> remove(
            FdRef trash, const std::string& entry, const std::atomic<bool>& stop) override {
        std::uint32_t project = 0;
        if (auto opened = sys::open_at(trash, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)) {
            auto known = sys::project_of(*opened);
            if (known && mine(known->id)) project = known->id;
        }
        TRY(remove_tree(trash, entry, &stop));
        if (project != 0) leave(project);
        return base::ok;
    }

  private:
    bool mine(std::uint32_t project) const { return project - window_ < kWindow; }

    Result<void> join(FdRef volume, std::uint32_t project, std::uint64_t limit) {
        TRY(sys::set_project(volume, {.id = project, .inherited = true}));
        return limit_to(project, limit);
    }

    Result<void> limit_to(std::uint32_t project, std::uint64_t limit) {
        const std::uint64_t inodes = limit == 0 ? 0 : kLeastInodes + limit / kBytesPerInode;
        return sys::limit_project(root_, project, {.bytes = limit, .inodes = inodes});
    }

    // The next id that no volume has and that nothing is charged to: a deleted file that a process
    // still holds open is, and a stranger's may be.
    Result<std::uint32_t> take() {
        const std::lock_guard lock(mutex_);
        for (std::uint32_t tries = 0; tries < kWindow; ++tries) {
            const std::uint32_t project = window_ + next_++ % kWindow;
            if (used_.contains(project)) continue;
            const auto use = TRY(sys::project_use(root_, project));
            if (use.bytes != 0 || use.inodes != 0) continue;
            used_.insert(project);
            return project;
        }
        return base::fail(Errc::exhausted, "all {} disk quota projects are in use", kWindow);
    }

    void leave(std::uint32_t project) {
        // A limit that stays behind is overwritten when the id is taken again.
        (void)sys::limit_project(root_, project, {});
        const std::lock_guard lock(mutex_);
        used_.erase(project);
    }

    Fd root_;
    std::uint32_t window_;
    std::mutex mutex_;
    std::uint32_t next_ = 0;
    std::set<std::uint32_t> used_;
};

}  // namespace

Result<std::unique_ptr<Quota>> open_xfs_quota(FdRef directory) {
    TRY(sys::check_project_quota(directory).context(
            "no project quota here; hint: XFS or ext4, mounted with prjquota"));
    const auto project = TRY(sys::project_of(directory));
    if (project.inherited) {
        // Moving a volume to the trash would leave that project, which the kernel refuses.
        return base::fail(
                Errc::unsupported, "the directory itself belongs to quota project {}", project.id);
    }
    const std::uint32_t window = TRY(choose_window(directory));
    auto quota = std::make_unique<ProjectQuota>(TRY(sys::duplicate(directory)), window);
    for (const char* place : {"volumes", "trash"}) TRY(quota->read_projects(place));
    return std::unique_ptr<Quota>(std::move(quota));
}

}  // namespace rootfs
