// Looking at kernel objects of others: who owns a user namespace, which device programs a cgroup
// has. Used by garden/audit. One-to-one, no policy; nothing here changes anything.
#pragma once

#include "base/cstr.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace base::sys {

Result<std::uint32_t> namespace_owner(FdRef user_namespace);  // NS_GET_OWNER_UID

// The kernel's own fingerprint of a program's instructions, 16 hex digits.
Result<std::string> program_tag(FdRef program);
// Of every BPF_CGROUP_DEVICE program attached to the group itself.
Result<std::vector<std::string>> device_program_tags(FdRef cgroup);

// Device and inode of what a path leads to, links followed; for telling whether two paths are one
// file.
struct FileId {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    friend auto operator<=>(const FileId&, const FileId&) = default;  // NOLINT
};

Result<FileId> file_id(CStr path);

// Flags of the mount that `file` lies on (ST_RDONLY, ST_NOSUID, ... of statvfs).
Result<unsigned long> mount_flags(FdRef file);

}  // namespace base::sys
