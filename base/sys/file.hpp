// Files and directories by descriptor: the only place that says ::openat, ::openat2, ::read and
// ::write. Used by everything that touches a disk or a kernel file. Sizes in bytes, modes as in
// chmod(2).
#pragma once

#include "base/cstr.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace base::sys {

// openat with O_CLOEXEC added. `parent` may be FdRef{AT_FDCWD} for host paths that no container can
// influence.
Result<Fd> open_at(FdRef parent, CStr path, int flags, mode_t mode = 0);

// A host path that no container can influence (configuration, state directories of ours).
Result<Fd> open_host(CStr path, int flags, mode_t mode = 0);

// How a path that a container controls is resolved (security-model MD-01).
enum class Resolve {
    in_root,           // RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: links stay below `root`
    beneath_no_links,  // RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
    beneath_no_xdev,   // as above and RESOLVE_NO_XDEV: for engine-private procfs (MD-04)
};

// openat2; EAGAIN (a rename raced us) is retried 128 times at most.
Result<Fd> open_in(FdRef root, CStr path, int flags, Resolve resolve, mode_t mode = 0);

// mkdir -p below `root`, one component at a time, never through a link (MD-03). The last
// component's descriptor (O_PATH).
Result<Fd> make_directories_in(FdRef root, std::string_view path, mode_t mode);

Result<void> make_directory_at(FdRef parent, CStr name, mode_t mode);  // EEXIST is an error
Result<void> ensure_directory(
        const std::string& host_path, mode_t mode);  // mkdir -p; existing is fine
Result<void> remove_at(FdRef parent, CStr name, bool directory = false);  // ENOENT is fine
// Descriptor-relative rm -r that follows no link and crosses no mount (MD-07). ENOENT is fine.
Result<void> remove_tree_at(FdRef parent, CStr name);  // absolute: only with AT_FDCWD
Result<void> rename_at(FdRef from, CStr old_name, FdRef to, CStr new_name, unsigned flags = 0);
Result<std::vector<std::string>> list_directory(
        FdRef directory, std::size_t limit = 1'000'000);  // no "." and ".."

// The whole file, at most `limit` bytes: a longer one is Errc::exhausted.
Result<std::string> read_all(FdRef file, std::size_t limit);
Result<std::string> read_file_at(FdRef parent, CStr path, std::size_t limit = 1 << 20);
Result<std::string> read_host_file(CStr path, std::size_t limit = 1 << 20);

Result<void> write_all(FdRef file, std::string_view data);
// One write to an existing kernel file (cgroup, sysctl, procfs): opened without O_CREAT and
// O_TRUNC.
Result<void> write_kernel_file_at(FdRef parent, CStr path, std::string_view data);
// Replaces or creates: temporary file in the same directory, optional fsync, rename. Never half a
// file.
enum class Durable { no, yes };
Result<void> write_atomic_at(
        FdRef parent, CStr name, std::string_view data, mode_t mode, Durable durable);

Result<struct ::stat> stat_fd(FdRef file);
Result<struct ::stat> stat_at(FdRef parent, CStr path);  // does not follow a last link
Result<bool> exists_at(FdRef parent, CStr path);
Result<std::string> read_link_at(FdRef parent, CStr path);

Result<void> change_owner(FdRef file, std::uint32_t uid, std::uint32_t gid);  // fchown
Result<Fd> duplicate(FdRef fd);                                               // F_DUPFD_CLOEXEC

struct Pipe {
    Fd read;
    Fd write;
};

Result<Pipe> make_pipe(int flags = 0);  // O_CLOEXEC added
// A memfd with all seals once `data` is in it (PL-03); executable when asked, where the kernel has
// MFD_EXEC.
Result<Fd> sealed_memory_file(CStr name, std::string_view data, bool executable);
// "/proc/self/fd/N", for system calls that know no descriptor.
std::string descriptor_path(FdRef fd);

}  // namespace base::sys
