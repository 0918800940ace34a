// btrfs subvolumes and their quota groups, by descriptor. One-to-one, no policy. Used by
// rootfs/volume. `place`: anything on the file system.
#pragma once

#include "base/cstr.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>

namespace base::sys::btrfs {

Result<void> create_subvolume(FdRef parent, CStr name);
// Gone at once for everyone; the space comes back behind. Nested subvolumes: ENOTEMPTY.
Result<void> delete_subvolume(FdRef parent, CStr name);
bool is_subvolume(FdRef directory);                   // its top directory
Result<std::uint64_t> subvolume_id(FdRef directory);  // of the subvolume that holds it
// Whether anything of the subvolume is left on disk.
Result<bool> subvolume_exists(FdRef place, std::uint64_t id);

Result<void> enable_quotas(FdRef place);  // waits until what is there is counted
Result<void> limit_subvolume(FdRef directory, std::uint64_t bytes);  // referenced bytes; 0: none
Result<void> remove_quota_group(FdRef place, std::uint64_t id);      // missing: fine
// "/sys/fs/btrfs/<uuid>"
Result<std::string> state_directory(FdRef place);

}  // namespace base::sys::btrfs
