#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/store/tree.hpp"
#include "rootfs/volume/quota.hpp"

#include <fcntl.h>

namespace rootfs {

using base::Errc;
using base::FdRef;
using base::Result;

namespace {

class NoQuota : public Quota {
  public:
    Result<Space> make(FdRef volumes, const std::string& name, std::uint64_t limit) override {
        TRY(refuse(limit));
        return make_plain_space(volumes, name);
    }

    Result<void> change(FdRef, LimitChange limit) override { return refuse(limit.after); }

    Result<std::optional<Occupied>> occupied(FdRef) override { return std::optional<Occupied>{}; }

    Result<void> remove(
            FdRef trash, const std::string& entry, const std::atomic<bool>& stop) override {
        return remove_tree(trash, entry, &stop);
    }

  private:
    // security-model §17: without quotas a container that asks for a disk limit is refused.
    static Result<void> refuse(std::uint64_t limit) {
        if (limit == 0) return base::ok;
        return base::fail(
                Errc::unsupported,
                "disk limit of {} bytes: this host has no disk quota (driver none); hint: put "
                "the store on XFS with prjquota, or set quota_driver to loop",
                limit);
    }
};

}  // namespace

Result<std::unique_ptr<Quota>> open_no_quota() {
    return std::unique_ptr<Quota>(std::make_unique<NoQuota>());
}

Result<Space> make_plain_space(FdRef volumes, const std::string& name) {
    TRY(base::sys::make_directory_at(volumes, name, 0700));
    return open_plain_space(volumes, name);
}

Result<Space> open_plain_space(FdRef volumes, const std::string& name) {
    Space space;
    space.volume = TRY(base::sys::open_at(volumes, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    space.writable = TRY(base::sys::duplicate(space.volume));
    return space;
}

std::string_view to_string(QuotaDriver driver) {
    switch (driver) {
        case QuotaDriver::none:
            return "none";
        case QuotaDriver::xfs:
            return "xfs";
        case QuotaDriver::btrfs:
            return "btrfs";
        case QuotaDriver::loop:
            return "loop";
    }
    return "";
}

Result<std::unique_ptr<Quota>> open_quota(QuotaDriver driver, FdRef directory) {
    switch (driver) {
        case QuotaDriver::none:
            return open_no_quota();
        case QuotaDriver::xfs:
            return open_xfs_quota(directory);
        case QuotaDriver::btrfs:
            return open_btrfs_quota(directory);
        case QuotaDriver::loop:
            return open_loop_quota(directory);
    }
    return base::fail(Errc::internal, "unknown quota driver");
}

}  // namespace rootfs
