// The writable side of rootfs: one volume per container over shared layers, with a quota. Used by
// garden/engine.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/images.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs {

enum class QuotaDriver : std::uint8_t { none, xfs, btrfs, loop };
enum class QuotaScope : std::uint8_t { total, exclusive };

struct VolumeRequest {
    std::string name;  // the handle
    const Image* image = nullptr;
    base::FdRef user_namespace;  // empty: privileged, no id mapping
    std::uint32_t owner_uid =
            0;  // host ids of container root: the upper layer is created owned by them (ID-05)
    std::uint32_t owner_gid = 0;
    std::uint64_t quota_bytes = 0;             // 0 = none
    QuotaScope scope = QuotaScope::exclusive;  // total: the image counts (an image larger than the
                                               // quota: Errc::exhausted)
    bool nosuid = false;                       // NNP-07
    bool survives_power_cut = false;           // false: overlay `volatile`
};

struct Usage {
    std::uint64_t total_bytes = 0;
    std::uint64_t exclusive_bytes = 0;
    std::uint64_t total_inodes = 0;
    std::uint64_t exclusive_inodes = 0;
};

struct VolumesConfig {
    std::string directory;                   // 0700 root, made when missing
    QuotaDriver driver = QuotaDriver::none;  // what to use; see choose_quota
    std::string why;                         // of the choice; what quota() tells
};

struct QuotaProbe {
    QuotaDriver driver = QuotaDriver::none;
    std::string why;  // one sentence a person understands
};

// The best driver for `directory`: xfs project quota, btrfs qgroups, loop images, none.
// `why` says also why the better ones do not work. The directory must exist.
QuotaProbe probe_quota(const std::string& directory);
// What the configuration key quota_driver says: auto (probe_quota), none, xfs, btrfs or loop. A
// driver that is named must work; only a named btrfs may switch quotas on for its file system.
base::Result<QuotaProbe> choose_quota(std::string_view setting, const std::string& directory);
std::string_view to_string(QuotaDriver driver);

class Volumes {
  public:
    static base::Result<std::unique_ptr<Volumes>> open(VolumesConfig config, Images& images);
    virtual ~Volumes() = default;

    // The detached mount of the container's root. The volume stays until destroy.
    virtual base::Result<base::Fd> create(const VolumeRequest& request) = 0;
    virtual base::Result<Usage> usage(std::string_view name) = 0;
    // Another limit for a volume in use, 0 is none; the same one as before costs a look.
    // Errc::conflict: more is in use. Errc::unsupported: this driver cannot change it so.
    virtual base::Result<void> limit(
            std::string_view name, std::uint64_t quota_bytes, QuotaScope scope) = 0;
    virtual base::Result<void> destroy(std::string_view name) = 0;  // idempotent
    // destroy returns early: true while files of a destroyed volume `name` are still being deleted
    // behind (ID-03); "" = of any volume.
    virtual bool deleting(std::string_view name) = 0;
    virtual base::Result<std::vector<std::string>>
    list() = 0;  // also half-made ones; not those being deleted

    struct Disk {
        std::uint64_t total_bytes = 0;
        std::uint64_t free_bytes = 0;
    };

    virtual base::Result<Disk> disk() = 0;
    virtual QuotaProbe quota() const = 0;

    // Kernel objects of volumes that are gone (loop devices), for doctor.
    virtual base::Result<std::vector<std::string>> strays() { return std::vector<std::string>{}; }
};

}  // namespace rootfs
