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

namespace rootfs {

struct Space {
    base::Fd volume;    // volumes/<name>, holds the record
    base::Fd writable;  // where upper and work are made; the same directory, or the root of the
                        // volume's own file system
};

struct Occupied {
    std::uint64_t bytes = 0;
    std::uint64_t inodes = 0;
};

class Quota {
  public:
    virtual ~Quota() = default;

    // Makes volumes/<name>; `limit` 0 is none. What was made before a failure is left for the
    // caller to take away.
    virtual base::Result<Space> make(
            base::FdRef volumes, const std::string& name, std::uint64_t limit) = 0;
    // Nothing: the caller walks the tree.
    virtual base::Result<std::optional<Occupied>> occupied(base::FdRef volume) = 0;
    // Deletes an entry of the trash with everything that belongs to it.
    virtual base::Result<void> remove(
            base::FdRef trash, const std::string& entry, const std::atomic<bool>& stop) = 0;
};

// Fails when the driver does not work on `directory`.
base::Result<std::unique_ptr<Quota>> open_quota(QuotaDriver driver, base::FdRef directory);

base::Result<std::unique_ptr<Quota>> open_no_quota();
base::Result<std::unique_ptr<Quota>> open_xfs_quota(base::FdRef directory);
base::Result<std::unique_ptr<Quota>> open_btrfs_quota(base::FdRef directory);
base::Result<std::unique_ptr<Quota>> open_loop_quota(base::FdRef directory);

std::string_view to_string(QuotaDriver driver);

}  // namespace rootfs
