// btrfs quota groups: a volume with a limit is a subvolume, made, limited, counted and deleted
// without walking it.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/btrfs.hpp"
#include "base/sys/file.hpp"
#include "rootfs/store/tree.hpp"
#include "rootfs/volume/quota.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;
namespace btrfs = base::sys::btrfs;

namespace {

constexpr const char* kGroupsFile = "quota-groups";
constexpr std::size_t kMaxGroups = 100'000;  // 20 digits each: the file stays below 2 MiB

Result<std::uint64_t> read_bytes(const std::string& path) {
    std::string text = TRY(sys::read_host_file(path, 64));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return base::parse_number<std::uint64_t>(text, path);
}

class BtrfsQuota : public Quota {
  public:
    BtrfsQuota(Fd root, std::string state) : root_(std::move(root)), state_(std::move(state)) {}

    Result<void> read_groups() {
        auto text = sys::read_file_at(root_, kGroupsFile, 4 << 20);
        if (!text) return text.error().sys == ENOENT ? base::ok : Result<void>(text.error());
        for (std::string_view rest = *text; !rest.empty();) {
            const auto end = rest.find('\n');
            auto id = base::parse_number<std::uint64_t>(rest.substr(0, end), kGroupsFile);
            if (id) groups_.push_back(*id);  // a spoilt line: one small group stays behind
            rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        }
        return sweep();
    }

    Result<Space> make(FdRef volumes, const std::string& name, std::uint64_t limit) override {
        // A new subvolume is a commit of the file system: only for who needs it.
        if (limit == 0) return make_plain_space(volumes, name);
        TRY(btrfs::create_subvolume(volumes, name));
        Space space = TRY(open_plain_space(volumes, name));
        if (::fchmod(space.volume.get(), 0700) != 0) return base::fail_errno("chmod a volume");
        TRY(btrfs::limit_subvolume(space.volume, limit));
        return space;
    }

    Result<void> change(FdRef volume, LimitChange limit) override {
        if (!btrfs::is_subvolume(volume))
            return base::fail(
                    Errc::unsupported,
                    "driver btrfs limits subvolumes, and a volume made without a limit is none");
        return btrfs::limit_subvolume(volume, limit.after);
    }

    Result<std::optional<Occupied>> occupied(FdRef volume) override {
        if (!btrfs::is_subvolume(volume)) return std::optional<Occupied>{};
        const std::uint64_t id = TRY(btrfs::subvolume_id(volume));
        const std::string group = base::format("{}/qgroups/0_{}/", state_, id);
        auto referenced = read_bytes(group + "referenced");
        if (!referenced) return std::optional<Occupied>{};  // quotas were switched off
        // Counted at the next commit, some 30 s away, but already set aside.
        auto reserved = read_bytes(group + "rsv_data");
        return std::optional<Occupied>(
                {.bytes = *referenced + std::move(reserved).value_or(std::uint64_t{0}),
                 .inodes = 0});
    }

    // Called by one thread only, that of the trash.
    Result<void> remove(
            FdRef trash, const std::string& entry, const std::atomic<bool>& stop) override {
        Fd directory;
        if (auto opened = sys::open_at(trash, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
            directory = std::move(*opened);
        if (!directory || !btrfs::is_subvolume(directory)) {
            TRY(remove_tree(trash, entry, &stop));
            return sweep();
        }
        // Noted before the subvolume goes: nothing else would lead to its group after a crash.
        TRY(note(TRY(btrfs::subvolume_id(directory))));
        directory = Fd();
        auto deleted = btrfs::delete_subvolume(trash, entry);
        if (!deleted) {
            if (deleted.error().sys != ENOTEMPTY) return deleted;
            TRY(remove_tree(trash, entry, &stop));  // holds subvolumes: rmdir takes those too
        }
        return sweep();
    }

  private:
    Result<void> note(std::uint64_t id) {
        if (std::find(groups_.begin(), groups_.end(), id) != groups_.end()) return base::ok;
        if (groups_.size() >= kMaxGroups) groups_.erase(groups_.begin());
        groups_.push_back(id);
        return write_groups();
    }

    // Before 6.12 a group outlives its subvolume, which is really gone some time after its
    // deletion; a group that goes first leaves the counts of the file system inconsistent.
    Result<void> sweep() {
        const std::size_t before = groups_.size();
        std::vector<std::uint64_t> left;
        for (const std::uint64_t id : groups_) {
            auto exists = btrfs::subvolume_exists(root_, id);
            if (!exists || *exists || !btrfs::remove_quota_group(root_, id)) left.push_back(id);
        }
        groups_ = std::move(left);
        return groups_.size() == before ? base::ok : write_groups();
    }

    Result<void> write_groups() {
        std::string text;
        for (const std::uint64_t id : groups_) text += base::format("{}\n", id);
        return sys::write_atomic_at(root_, kGroupsFile, text, 0600, sys::Durable::no);
    }

    Fd root_;
    std::string state_;
    std::vector<std::uint64_t> groups_;  // of subvolumes that are deleted or about to be
};

}  // namespace

Result<std::unique_ptr<Quota>> open_btrfs_quota(FdRef directory) {
    struct ::statfs figures = {};
    if (::fstatfs(directory.get(), &figures) != 0)
        return base::fail_errno("ask for the file system");
    if (figures.f_type != BTRFS_SUPER_MAGIC) return base::fail(Errc::unsupported, "not btrfs");
    std::string state = TRY(btrfs::state_directory(directory));
    struct ::stat status = {};
    if (::stat((state + "/qgroups").c_str(), &status) != 0) {
        return base::fail(
                Errc::unsupported,
                "quotas are off on this btrfs; hint: btrfs quota enable, or set quota_driver to "
                "btrfs");
    }
    auto quota = std::make_unique<BtrfsQuota>(TRY(sys::duplicate(directory)), std::move(state));
    TRY(quota->read_groups());
    return std::unique_ptr<Quota>(std::move(quota));
}

}  // namespace rootfs
