// How a volume's space is made, limited, measured and given back: one implementation per quota
// driver. Used by rootfs/volume.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/volumes.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rootfs {

struct Space {
    base::Fd volume;    // volumes/<name>, holds the record
    base::Fd writable;  // where upper and work are made; the same directory, or the root of the
                        // volume's own file system
    bool own_mount = false;  // the latter: `writable` is a detached mount
};

struct Occupied {
    std::uint64_t bytes = 0;
    std::uint64_t inodes = 0;  // 0: this driver does not count them
};

struct LimitChange {
    std::uint64_t before = 0;
    std::uint64_t after = 0;
};

class Quota {
  public:
    virtual ~Quota() = default;

    // Makes volumes/<name>; `limit` 0 is none. What was made before a failure is left for the
    // caller to take away.
    virtual base::Result<Space> make(
            base::FdRef volumes, const std::string& name, std::uint64_t limit) = 0;
    // Another limit for a volume in use, which uses less; 0 is none. Errc::unsupported: not for
    // this volume, or not this way.
    virtual base::Result<void> change(base::FdRef volume, LimitChange limit) = 0;
    // Nothing: the caller walks the tree.
    virtual base::Result<std::optional<Occupied>> occupied(base::FdRef volume) = 0;
    // Deletes an entry of the trash with everything that belongs to it. Errc::conflict: somebody
    // still uses it, try again soon.
    virtual base::Result<void> remove(
            base::FdRef trash, const std::string& entry, const std::atomic<bool>& stop) = 0;

    // Whether a volume with a limit can be whole after a power cut.
    virtual bool survives_power_cut() const { return true; }

    // Kernel objects of ours that belong to no volume and to nothing in the trash.
    virtual base::Result<std::vector<std::string>> strays() { return std::vector<std::string>{}; }
};

// Fails when the driver does not work on `directory`.
base::Result<std::unique_ptr<Quota>> open_quota(QuotaDriver driver, base::FdRef directory);
// One real volume decides, made and removed again below `directory`.
base::Result<void> try_quota(QuotaDriver driver, base::FdRef directory);

base::Result<std::unique_ptr<Quota>> open_no_quota();
// Project quotas: XFS, and ext4 as well.
base::Result<std::unique_ptr<Quota>> open_xfs_quota(base::FdRef directory);
base::Result<std::unique_ptr<Quota>> open_btrfs_quota(base::FdRef directory);
base::Result<std::unique_ptr<Quota>> open_loop_quota(base::FdRef directory);

// volumes/<name> as a plain directory: what every driver makes when there is nothing to limit.
base::Result<Space> make_plain_space(base::FdRef volumes, const std::string& name);
// The same around a directory that the driver has made.
base::Result<Space> open_plain_space(base::FdRef volumes, const std::string& name);

}  // namespace rootfs
