// A detached overlay mount from descriptors, on kernels of three generations. Used by
// rootfs/volume.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace rootfs {

// How this kernel takes layers: 6.13 by descriptor, 6.5 by "lowerdir+" strings, older ones by one
// mount(2) option string.
enum class OverlayApi : std::uint8_t { descriptors, strings, option_string };
std::string_view to_string(OverlayApi api);

struct OverlayPlan {
    std::span<const base::Fd> lowers;  // topmost first, at least one
    bool detached_lowers = false;      // each is the root of a detached mount, see lower_mount
    base::FdRef upper;
    base::FdRef work;         // same file system as `upper`
    base::FdRef upper_mount;  // when both are on a detached mount: its root
    bool keep = false;        // false: `volatile`, the upper layer dies with its container
    bool nosuid = false;      // NNP-07
};

struct OverlayWay {
    OverlayApi api = OverlayApi::descriptors;
    bool attach = false;  // before 6.15: layers on a detached mount are refused (EINVAL)
};

// Makes overlay mounts in the way that works on this kernel. Safe from any thread.
class Overlays {
  public:
    // `directory`: of ours, on the file system of the upper layers; holds `empty` and `scratch`,
    // two empty directories. What a crash left mounted below `scratch` is unmounted.
    static base::Result<std::unique_ptr<Overlays>> open(const std::string& directory);

    Overlays(std::string scratch, OverlayWay way) : scratch_(std::move(scratch)), way_(way) {}

    // The detached mount: nodev always (FS-01).
    base::Result<base::Fd> mount(const OverlayPlan& plan);

    OverlayWay way() const { return way_; }

  private:
    std::string scratch_;
    OverlayWay way_;
    std::mutex scratch_mutex_;  // held by who has something mounted below it
};

// A read-only, nosuid, nodev, detached clone of a layer, with the ids of `user_namespace` when
// given (FS-01, ID-05).
base::Result<base::Fd> lower_mount(const std::string& directory, base::FdRef user_namespace);

}  // namespace rootfs
