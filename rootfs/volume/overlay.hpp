// A detached overlay mount from descriptors, on kernels of three generations. Used by
// rootfs/volume.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
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
    base::FdRef upper;
    base::FdRef work;     // same file system as `upper`
    bool keep = false;    // false: `volatile`, the upper layer dies with its container
    bool nosuid = false;  // NNP-07
};

// The detached mount: nodev always (FS-01). `scratch`: an empty directory of ours that only
// option_string mounts on for a moment.
base::Result<base::Fd> mount_overlay(
        const OverlayPlan& plan, OverlayApi api, const std::string& scratch);

// A read-only, nosuid, nodev, detached clone of a layer, with the ids of `user_namespace` when
// given (FS-01, ID-05).
base::Result<base::Fd> lower_mount(const std::string& directory, base::FdRef user_namespace);

}  // namespace rootfs
