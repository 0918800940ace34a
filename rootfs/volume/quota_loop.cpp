// A file system of its own for each volume with a limit: an ext4 image on a loop device, for stores
// that know no quotas. The device detaches itself with the last mount, also when we are killed.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "base/sys/loop_device.hpp"
#include "base/sys/mount.hpp"
#include "rootfs/store/tree.hpp"
#include "rootfs/volume/loop_grow.hpp"
#include "rootfs/volume/loop_template.hpp"
#include "rootfs/volume/quota.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <linux/mount.h>

#include <string_view>
#include <utility>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

constexpr const char* kImage = "disk";
constexpr const char* kNumber = "loop";
constexpr std::string_view kDeleted = " (deleted)";

Result<Fd> open_context(std::uint32_t number) {
    Fd context = TRY(sys::fs_open("ext4"));
    TRY(sys::fs_set_string(context, "source", sys::loop_path(number)));
    return context;
}

// NNP-05: nothing on it is a program or a device of the host; through the overlay both count as the
// overlay's mount says.
Result<Fd> mount_context(FdRef context) {
    TRY(sys::fs_create(context).context("mount the image of a volume"));
    return sys::fs_mount(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

Result<Fd> mount_new(std::uint32_t number) {
    const Fd context = TRY(open_context(number));
    TRY(sys::fs_set_flag(context, "noinit_itable"));  // the image is zero where nothing was written
    TRY(sys::fs_set_flag(context, "discard"));        // deleted files give the host its space back
    TRY(sys::fs_set_flag(context, "nobarrier"));      // no promise about power cuts to keep
    return mount_context(context);
}

class LoopQuota : public Quota {
  public:
    LoopQuota(Fd root, std::string path, Fd templates)
        : root_(std::move(root)), path_(std::move(path)), templates_(std::move(templates)) {}

    // A killed daemon leaves no device behind, but a mount may outlive its volume.
    Result<void> recover() {
        TRY(templates_.recover());
        for (const auto& [number, file] : TRY(attached())) {
            if (file.ends_with(kDeleted)) (void)sys::detach_loop(number);
        }
        return base::ok;
    }

    Result<Space> make(FdRef volumes, const std::string& name, std::uint64_t limit) override {
        Space space = TRY(make_plain_space(volumes, name));
        if (limit == 0 || limit >= TRY(disk_size())) return space;  // the disk is the limit
        Fd image = TRY(
                sys::open_at(space.volume, kImage, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        TRY(copy_image(TRY(templates_.get(limit)), image));
        const auto loop = TRY(sys::attach_loop(free_, image, "cloche " + name, kImageBlock));
        Fd number = TRY(sys::open_at(
                space.volume, kNumber, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        TRY(sys::write_all(number, std::to_string(loop.number)));
        space.writable = TRY(mount_new(loop.number));
        space.own_mount = true;
        return space;
    }

    Result<void> change(FdRef volume, LimitChange limit) override {
        auto image = sys::open_at(volume, kImage, O_RDWR | O_NOFOLLOW);
        if (!image) {
            if (image.error().sys != ENOENT) return std::move(image).error();
            return base::fail(
                    Errc::unsupported,
                    "driver loop: a volume made without a limit is no image, and gets none");
        }
        const auto device = TRY(device_of(volume, *image));
        if (!device)
            return base::fail(Errc::conflict, "driver loop: the volume's image is not mounted");
        const Fd mount = TRY(mount_context(TRY(open_context(device->number))));
        return grow_image({.image = *image, .device = device->device, .mount = mount}, limit);
    }

    Result<std::optional<Occupied>> occupied(FdRef volume) override {
        auto image = sys::open_at(volume, kImage, O_RDONLY | O_NOFOLLOW);
        if (!image) {
            if (image.error().sys == ENOENT) return std::optional<Occupied>{};
            return std::move(image).error();
        }
        const auto device = TRY(device_of(volume, *image));
        if (!device) {  // nobody has it mounted now, so the file itself is up to date
            const auto status = TRY(sys::stat_fd(*image));
            return std::optional<Occupied>(
                    {.bytes = static_cast<std::uint64_t>(status.st_blocks) * 512, .inodes = 0});
        }
        // Mounting the same device again shows the same file system; unseen, and for a moment.
        const Fd context = TRY(open_context(device->number));
        const Fd mount = TRY(mount_context(context));
        struct ::statvfs figures = {};
        if (::fstatvfs(mount.get(), &figures) != 0)
            return base::fail_errno("read the figures of a volume");
        return std::optional<Occupied>(
                {.bytes = std::uint64_t{figures.f_blocks - figures.f_bfree} * figures.f_frsize,
                 .inodes = std::uint64_t{figures.f_files - figures.f_ffree}});
    }

    Result<void> remove(
            FdRef trash, const std::string& entry, const std::atomic<bool>& stop) override {
        // ID-03: as long as it is mounted anywhere, files of its ids exist. Who cannot look, for
        // want of descriptors say, must not take it for free.
        if (TRY(mounted(trash, entry)))
            return base::fail(Errc::conflict, "the volume's file system is still mounted");
        return remove_tree(trash, entry, &stop);
    }

    bool survives_power_cut() const override { return false; }

    Result<std::vector<std::string>> strays() override {
        std::vector<std::string> found;
        for (const auto& [number, file] : TRY(attached())) {
            if (file.ends_with(kDeleted)) found.push_back(sys::loop_path(number) + " " + file);
        }
        return found;
    }

  private:
    Result<bool> mounted(FdRef trash, const std::string& entry) {
        auto volume = sys::open_at(trash, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!volume) {
            const int why = volume.error().sys;
            if (why == ENOENT || why == ENOTDIR || why == ELOOP) return false;  // no volume
            return std::move(volume).error();
        }
        auto image = sys::open_at(*volume, kImage, O_RDONLY | O_NOFOLLOW);
        if (image) return TRY(device_of(*volume, *image)).has_value();
        if (image.error().sys == ENOENT) return false;
        return std::move(image).error();
    }

    // The device of a volume while it is attached, which it stays as long as the value lives.
    Result<std::optional<sys::LoopDevice>> device_of(FdRef volume, FdRef image) {
        auto text = sys::read_file_at(volume, kNumber, 16);
        if (!text) {  // killed before it was attached
            if (text.error().sys == ENOENT) return std::optional<sys::LoopDevice>{};
            return std::move(text).error();
        }
        const auto number = base::parse_number<std::uint32_t>(*text, "number of a loop device");
        if (!number) return std::optional<sys::LoopDevice>{};  // half written, as above
        auto device = TRY(sys::open_loop_of(*number, image));
        if (!device) return std::optional<sys::LoopDevice>{};
        return std::optional<sys::LoopDevice>({.device = std::move(*device), .number = *number});
    }

    // Devices whose file is, or was, below our directory.
    Result<std::vector<std::pair<std::uint32_t, std::string>>> attached() {
        std::vector<std::pair<std::uint32_t, std::string>> found;
        const Fd blocks = TRY(sys::open_host("/sys/block", O_RDONLY | O_DIRECTORY));
        for (const auto& name : TRY(sys::list_directory(blocks))) {
            constexpr std::string_view kLoop = "loop";
            if (!name.starts_with(kLoop)) continue;
            const auto number = base::parse_number<std::uint32_t>(
                    std::string_view(name).substr(kLoop.size()), "loop device");
            auto file = sys::read_file_at(blocks, name + "/loop/backing_file", 8'192);
            if (!number || !file) continue;  // not attached
            while (file->ends_with('\n')) file->pop_back();
            if (file->starts_with(path_ + "/")) found.emplace_back(*number, *file);
        }
        return found;
    }

    Result<std::uint64_t> disk_size() {
        struct ::statvfs figures = {};
        if (::fstatvfs(root_.get(), &figures) != 0)
            return base::fail_errno("read the size of the disk");
        return std::uint64_t{figures.f_blocks} * figures.f_frsize;
    }

    Fd root_;
    std::string path_;
    LoopTemplates templates_;
    sys::FreeLoops free_;
};

}  // namespace

Result<std::unique_ptr<Quota>> open_loop_quota(FdRef directory) {
    constexpr const char* kTemplates = "templates";
    if (!TRY(sys::exists_at(directory, kTemplates)))
        TRY(sys::make_directory_at(directory, kTemplates, 0700));
    Fd templates = TRY(sys::open_at(directory, kTemplates, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    auto path = TRY(sys::read_link_at(FdRef{AT_FDCWD}, sys::descriptor_path(directory)));
    auto quota = std::make_unique<LoopQuota>(
            TRY(sys::duplicate(directory)), std::move(path), std::move(templates));
    TRY(quota->recover());
    return std::unique_ptr<Quota>(std::move(quota));
}

}  // namespace rootfs
