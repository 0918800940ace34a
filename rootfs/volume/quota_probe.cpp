#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/volume/quota.hpp"

namespace rootfs {

using base::Errc;
using base::FdRef;
using base::Result;

Result<std::unique_ptr<Quota>> open_xfs_quota(FdRef) {
    return base::fail(Errc::unsupported, "quota driver xfs: not on this file system");
}

Result<std::unique_ptr<Quota>> open_btrfs_quota(FdRef) {
    return base::fail(Errc::unsupported, "quota driver btrfs: not on this file system");
}

Result<std::unique_ptr<Quota>> open_loop_quota(FdRef) {
    return base::fail(Errc::unsupported, "quota driver loop: not available");
}

QuotaProbe probe_quota(const std::string&) {
    return {.driver = QuotaDriver::none,
            .why = "no quota driver works here: containers that ask for a disk limit are refused"};
}

}  // namespace rootfs
