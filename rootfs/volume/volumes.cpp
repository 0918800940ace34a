#include "rootfs/volumes.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "rootfs/store/tree.hpp"
#include "rootfs/volume/closer.hpp"
#include "rootfs/volume/overlay.hpp"
#include "rootfs/volume/quota.hpp"
#include "rootfs/volume/trash.hpp"
#include "rootfs/volume/volume_record.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <linux/mount.h>

#include <algorithm>
#include <set>
#include <utility>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

constexpr std::size_t kMaxLayers = 128;  // IMG-04 allows 127; overlay takes 500
constexpr std::size_t kMaxRecord = 8'192;

struct Places {
    std::string directory;
    Fd root;
    Fd volumes;
};

Result<Fd> place(FdRef root, base::CStr name) {
    if (::mkdirat(root.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
        return base::fail_errno("make directory {}", name.c_str());
    }
    return sys::open_at(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<Fd> make_owned(
        FdRef parent, base::CStr name, mode_t mode, std::uint32_t uid, std::uint32_t gid) {
    TRY(sys::make_directory_at(parent, name, mode));
    Fd made = TRY(sys::open_at(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    if ((uid != 0 || gid != 0) && ::fchownat(made.get(), "", uid, gid, AT_EMPTY_PATH) != 0) {
        return base::fail_errno("give {} to {}:{}", name.c_str(), uid, gid);
    }
    // mkdir obeyed our umask; a container's root must be 0755 whatever the daemon runs with.
    if (::fchmodat(parent.get(), name.c_str(), mode, 0) != 0)
        return base::fail_errno("chmod {}", name.c_str());
    return made;
}

class VolumesOnDisk : public Volumes {
  public:
    VolumesOnDisk(
            Places places,
            std::unique_ptr<Overlays> overlays,
            QuotaProbe probe,
            std::unique_ptr<Quota> quota,
            Fd trash,
            Images& images)
        : places_(std::move(places)),
          overlays_(std::move(overlays)),
          probe_(std::move(probe)),
          quota_(std::move(quota)),
          images_(images),
          trash_(std::move(trash),
                 [this](FdRef directory, const std::string& entry, const std::atomic<bool>& stop) {
                     return quota_->remove(directory, entry, stop);
                 }) {}

    Result<Fd> create(const VolumeRequest& request) override {
        TRY(check_volume_name(request.name));
        if (request.image == nullptr)
            return base::fail(Errc::invalid, "volume {}: no image", request.name);
        // Before anything can fail: what a failure takes away must be of this call.
        if (TRY(sys::exists_at(places_.volumes, request.name)))
            return base::fail(Errc::already_exists, "make volume {}: it exists", request.name);
        auto made = make(request);
        if (!made && made.error().kind != Errc::already_exists) {
            (void)trash_.take(places_.volumes, request.name);  // the first error is the one to tell
        }
        return std::move(made).context(base::format("make volume {}", request.name));
    }

    Result<Usage> usage(std::string_view name) override;
    Result<void> limit(std::string_view name, std::uint64_t bytes, QuotaScope scope) override;

    Result<void> destroy(std::string_view name) override {
        TRY(check_volume_name(name));
        const std::string text(name);
        auto taken = trash_.take(places_.volumes, text);
        if (taken) return base::ok;
        if (taken.error().kind != Errc::not_found)
            return std::move(taken).context("destroy volume " + text);
        trash_.retry();  // destroying again is how one asks for another try of what was stuck
        return base::ok;
    }

    Result<std::vector<std::string>> list() override {
        auto names = TRY(sys::list_directory(places_.volumes));
        std::sort(names.begin(), names.end());
        return names;
    }

    bool deleting(std::string_view name) override { return trash_.holds(name); }

    Result<Disk> disk() override {
        struct ::statvfs figures = {};
        if (::fstatvfs(places_.root.get(), &figures) != 0)
            return base::fail_errno("read the size of the disk");
        return Disk{
                .total_bytes = std::uint64_t{figures.f_blocks} * figures.f_frsize,
                .free_bytes = std::uint64_t{figures.f_bavail} * figures.f_frsize};
    }

    QuotaProbe quota() const override { return probe_; }

    Result<std::vector<std::string>> strays() override { return quota_->strays(); }

  private:
    Result<Fd> make(const VolumeRequest& request);
    Result<Fd> make_raw(const VolumeRequest& request);
    Result<Fd> make_overlay(const VolumeRequest& request);
    Result<std::vector<Fd>> lowers(const VolumeRequest& request);
    Result<void> write_record(FdRef volume, const VolumeRequest& request);
    Result<Fd> open_volume(const std::string& name);

    Places places_;
    std::unique_ptr<Overlays> overlays_;
    QuotaProbe probe_;
    std::unique_ptr<Quota> quota_;
    Images& images_;
    Closer closer_;
    Trash trash_;
};

Result<Fd> VolumesOnDisk::make(const VolumeRequest& request) {
    if (!request.image->raw_directory.empty()) return make_raw(request);
    return make_overlay(request);
}

// No fsync: after a power cut the container is gone and recovery deletes the volume, so its record
// need not be whole.
Result<void> VolumesOnDisk::write_record(FdRef volume, const VolumeRequest& request) {
    const VolumeRecord record{
            .image_bytes = request.image->size,
            .quota_bytes = request.quota_bytes,
            .scope = request.scope,
            .raw_directory = request.image->raw_directory};
    Fd file = TRY(sys::open_at(volume, "record", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    TRY(sys::write_all(file, print_record(record)));
    Fd name = TRY(sys::open_at(volume, "name", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    return sys::write_all(name, request.name);
}

// garden-api 5.1: used as it is, no image handling, no quota. Only the ids are mapped, so that
// container root owns it.
Result<Fd> VolumesOnDisk::make_raw(const VolumeRequest& request) {
    TRY(sys::make_directory_at(places_.volumes, request.name, 0700));
    Fd volume =
            TRY(sys::open_at(places_.volumes, request.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(write_record(volume, request));
    Fd tree = TRY(sys::clone_tree(FdRef{AT_FDCWD}, request.image->raw_directory, false));
    const std::uint64_t attributes = MOUNT_ATTR_NODEV | (request.nosuid ? MOUNT_ATTR_NOSUID : 0U);
    if (request.user_namespace) {
        TRY(sys::idmap_mount_with(tree, request.user_namespace, attributes));
    } else {
        TRY(sys::set_mount_attributes(tree, attributes, 0, false));
    }
    return tree;
}

Result<std::vector<Fd>> VolumesOnDisk::lowers(const VolumeRequest& request) {
    const auto& layers = request.image->layers;
    if (layers.size() > kMaxLayers) {
        return base::fail(
                Errc::invalid, "image has {} layers, the limit is {}", layers.size(), kMaxLayers);
    }
    std::vector<Fd> lowers;
    lowers.reserve(layers.size() + 1);
    std::set<std::string_view> seen;
    for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
        // The same layer twice (the empty one, often): overlay refuses it, and the upper one hides
        // all that the lower one says.
        if (!seen.insert(*layer).second) continue;
        lowers.push_back(TRY(lower_mount(images_.layer_directory(*layer), request.user_namespace)
                                     .context("layer " + *layer)));
    }
    if (lowers.empty())
        lowers.push_back(TRY(lower_mount(places_.directory + "/empty", request.user_namespace)));
    return lowers;
}

Result<Fd> VolumesOnDisk::make_overlay(const VolumeRequest& request) {
    const std::uint64_t limit =
            TRY(writable_limit(request.quota_bytes, request.scope, request.image->size));
    if (limit != 0 && request.survives_power_cut && !quota_->survives_power_cut()) {
        return base::fail(
                Errc::unsupported,
                "disk limit of {} bytes: a volume of driver {} does not survive a power cut", limit,
                to_string(probe_.driver));
    }
    auto lower = TRY(lowers(request));
    Space space = TRY(quota_->make(places_.volumes, request.name, limit));
    TRY(write_record(space.volume, request));
    Fd upper = TRY(make_owned(space.writable, "upper", 0755, request.owner_uid, request.owner_gid));
    Fd work = TRY(make_owned(space.writable, "work", 0700, 0, 0));
    auto mounted = overlays_->mount(
            {.lowers = lower,
             .detached_lowers = static_cast<bool>(request.user_namespace),
             .upper = upper,
             .work = work,
             .upper_mount = space.own_mount ? FdRef(space.writable) : FdRef(),
             .keep = request.survives_power_cut,
             .nosuid = request.nosuid});
    // The overlay has mounts of its own of the layers.
    if (request.user_namespace) closer_.close(std::move(lower));
    return mounted;
}

Result<Fd> VolumesOnDisk::open_volume(const std::string& name) {
    TRY(check_volume_name(name));
    auto opened = sys::open_at(places_.volumes, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened && opened.error().sys == ENOENT)
        return base::fail(Errc::not_found, "volume {}: unknown", name);
    return opened;
}

Result<Usage> VolumesOnDisk::usage(std::string_view name) {
    const std::string text(name);
    const Fd opened = TRY(open_volume(text));
    VolumeRecord record;
    auto written = sys::read_file_at(opened, "record", kMaxRecord);
    // A volume that is being made, or was being made when the power went, has no whole record: its
    // own files still count.
    if (written) record = TRY(parse_record(*written).context("volume " + text));
    Usage usage;
    auto known = TRY(quota_->occupied(opened).context("usage of volume " + text));
    if (known) {
        usage.exclusive_bytes = known->bytes;
        usage.exclusive_inodes = known->inodes;
    } else if (TRY(sys::exists_at(opened, "upper"))) {
        Fd upper = TRY(sys::open_in(
                opened, "upper", O_RDONLY | O_DIRECTORY, sys::Resolve::beneath_no_links));
        const TreeSize size = TRY(measure_tree(upper).context("usage of volume " + text));
        usage.exclusive_bytes = size.bytes;
        usage.exclusive_inodes = size.inodes;
    }
    usage.total_bytes = usage.exclusive_bytes + record.image_bytes;
    usage.total_inodes = usage.exclusive_inodes;
    return usage;
}

Result<void> VolumesOnDisk::limit(std::string_view name, std::uint64_t bytes, QuotaScope scope) {
    const std::string text(name);
    const Fd volume = TRY(open_volume(text));
    const auto written = TRY(sys::read_file_at(volume, "record", kMaxRecord));
    auto record = TRY(parse_record(written).context("volume " + text));
    if (bytes == record.quota_bytes && (bytes == 0 || scope == record.scope)) return base::ok;
    if (!record.raw_directory.empty())
        return base::fail(Errc::unsupported, "a directory that is used as it is has no disk limit");
    const auto before = TRY(writable_limit(record.quota_bytes, record.scope, record.image_bytes));
    const auto after = TRY(writable_limit(bytes, scope, record.image_bytes));
    const auto used = TRY(usage(name)).exclusive_bytes;
    if (after != 0 && after < used)
        return base::fail(
                Errc::conflict, "disk limit: {} bytes are below what is in use, {}", after, used);
    record.quota_bytes = bytes;
    record.scope = scope;
    const auto write = [&](const std::string& text_of_record) {
        return sys::write_atomic_at(volume, "record", text_of_record, 0600, sys::Durable::no);
    };
    // The record counts in the volume: it is written under the wider of the two limits.
    const bool narrower = after != 0 && (before == 0 || after < before);
    if (narrower) TRY(write(print_record(record)));
    auto changed = quota_->change(volume, {.before = before, .after = after});
    if (!changed) {
        if (narrower) (void)write(written);
        return changed;
    }
    if (narrower) return base::ok;
    auto kept = write(print_record(record));
    if (!kept) (void)quota_->change(volume, {.before = after, .after = before});
    return kept;
}

}  // namespace

Result<std::unique_ptr<Volumes>> Volumes::open(VolumesConfig config, Images& images) {
    TRY(sys::ensure_directory(config.directory, 0700));
    Places places;
    places.directory = config.directory;
    places.root = TRY(sys::open_host(config.directory, O_RDONLY | O_DIRECTORY));
    if (::fchmod(places.root.get(), 0700) != 0)
        return base::fail_errno("chmod {}", config.directory);  // NNP-05
    places.volumes = TRY(place(places.root, "volumes"));
    Fd trash = TRY(place(places.root, "trash"));
    Fd empty = TRY(place(places.root, "empty"));
    if (::fchmod(empty.get(), 0755) != 0) return base::fail_errno("chmod the empty layer");
    TRY(place(places.root, "scratch"));
    auto overlays = TRY(Overlays::open(config.directory).context(config.directory));
    auto quota = TRY(open_quota(config.driver, places.root).context(config.directory));
    QuotaProbe probe{
            .driver = config.driver,
            .why = !config.why.empty() ? std::move(config.why)
                   : config.driver == QuotaDriver::none
                           ? std::string("no disk quota: containers that ask for a disk limit are "
                                         "refused")
                           : base::format("disk limits by {}", to_string(config.driver))};
    return std::unique_ptr<Volumes>(std::make_unique<VolumesOnDisk>(
            std::move(places), std::move(overlays), std::move(probe), std::move(quota),
            std::move(trash), images));
}

}  // namespace rootfs
