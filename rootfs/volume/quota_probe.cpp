#include "base/clock.hpp"
#include "base/defer.hpp"
#include "base/fail.hpp"
#include "base/sys/btrfs.hpp"
#include "base/sys/file.hpp"
#include "rootfs/volume/quota.hpp"
#include "rootfs/volume/remembered.hpp"

#include <fcntl.h>

#include <array>
#include <chrono>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

constexpr const char* kProbe = "probe-quota";
constexpr const char* kDriverFile = "quota-driver";
constexpr std::uint64_t kProbeLimit = 1 << 20;
constexpr std::array kBestFirst = {QuotaDriver::xfs, QuotaDriver::btrfs, QuotaDriver::loop};
constexpr const char* kRefused = "no disk quota: containers that ask for a disk limit are refused";

// A mount that was closed is gone a moment later.
Result<void> remove_probe(Quota& quota, FdRef directory) {
    const std::atomic<bool> stop{false};
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    for (;;) {
        auto removed = quota.remove(directory, kProbe, stop);
        if (removed || removed.error().kind != Errc::conflict ||
            std::chrono::steady_clock::now() >= end)
            return removed;
        base::pause_for(std::chrono::milliseconds(1));  // an unmount tells nobody
    }
}

Result<void> make_probe(Quota& quota, FdRef directory) {
    const Space space = TRY(quota.make(directory, kProbe, kProbeLimit));
    TRY(sys::make_directory_at(space.writable, "upper", 0700));
    TRY(quota.occupied(space.volume));
    return base::ok;
}

std::string sentence(QuotaDriver driver) {
    switch (driver) {
        case QuotaDriver::none:
            return kRefused;
        case QuotaDriver::xfs:
            return "disk limits by project quotas of the file system";
        case QuotaDriver::btrfs:
            return "disk limits by btrfs quota groups";
        case QuotaDriver::loop:
            return "disk limits by an ext4 image for each volume";
    }
    return "";
}

// A disk that is too full to try is taken for what it was.
Result<void> try_or_remember(QuotaDriver driver, FdRef directory) {
    auto works = try_quota(driver, directory);
    if (works) remember(directory, kDriverFile, to_string(driver));
    if (!works && works.error().kind == Errc::exhausted &&
        remembered(directory, kDriverFile) == to_string(driver))
        return base::ok;
    return works;
}

Result<QuotaProbe> use(QuotaDriver driver, const std::string& directory) {
    if (driver != QuotaDriver::none) {
        const Fd opened = TRY(sys::open_host(directory, O_RDONLY | O_DIRECTORY));
        if (driver == QuotaDriver::btrfs) {
            // Fails where it is not btrfs, which the trial tells better.
            (void)sys::btrfs::enable_quotas(opened);
        }
        TRY(try_or_remember(driver, opened)
                    .context(base::format(
                            "quota_driver {} does not work on {}", to_string(driver), directory)));
    }
    return QuotaProbe{.driver = driver, .why = sentence(driver) + ", as configured"};
}

}  // namespace

Result<void> try_quota(QuotaDriver driver, FdRef directory) {
    auto quota = TRY(open_quota(driver, directory));
    TRY(remove_probe(*quota, directory));  // of a daemon killed right here
    auto made = make_probe(*quota, directory);
    auto removed = remove_probe(*quota, directory);
    TRY(std::move(made));
    return removed;
}

QuotaProbe probe_quota(const std::string& directory) {
    auto opened = sys::open_host(directory, O_RDONLY | O_DIRECTORY);
    if (!opened) {
        return {.driver = QuotaDriver::none,
                .why = std::string(kRefused) + " (" + opened.error().text + ")"};
    }
    std::string others;
    for (const QuotaDriver driver : kBestFirst) {
        auto works = try_or_remember(driver, *opened);
        if (works) return {.driver = driver, .why = sentence(driver) + others};
        others += base::format("; not {}: {}", to_string(driver), works.error().text);
    }
    return {.driver = QuotaDriver::none, .why = kRefused + others};
}

Result<QuotaProbe> choose_quota(std::string_view setting, const std::string& directory) {
    if (setting == "auto") return probe_quota(directory);
    if (setting == to_string(QuotaDriver::none)) return use(QuotaDriver::none, directory);
    for (const QuotaDriver driver : kBestFirst) {
        if (setting == to_string(driver)) return use(driver, directory);
    }
    return base::fail(
            Errc::invalid, "quota_driver '{}': not auto, none, xfs, btrfs or loop", setting);
}

}  // namespace rootfs
