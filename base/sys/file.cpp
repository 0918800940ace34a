#include "base/sys/file.hpp"

#include "base/sys/error.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/memfd.h>
#include <linux/openat2.h>

#include <cstdio>
#include <utility>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // Linux 6.3
#endif

namespace base::sys {

namespace {

std::string quoted(std::string_view action, std::string_view path) {
    std::string text(action);
    text.append(" ").append(path);
    return text;
}

}  // namespace

Result<Fd> open_at(FdRef parent, CStr path, int flags, mode_t mode) {
    Fd fd(::openat(parent.get(), path.c_str(), flags | O_CLOEXEC, mode));
    if (!fd) return errno_error(quoted("open", path.c_str()));
    return fd;
}

Result<Fd> open_host(CStr path, int flags, mode_t mode) {
    return open_at(FdRef{AT_FDCWD}, path, flags, mode);
}

Result<Fd> open_in(FdRef root, CStr path, int flags, Resolve resolve, mode_t mode) {
    struct open_how how = {};
    how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags) | O_CLOEXEC);
    how.mode = mode;
    switch (resolve) {
        case Resolve::in_root:
            how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
            break;
        case Resolve::beneath_no_links:
            how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
            break;
        case Resolve::beneath_no_xdev:
            how.resolve =
                    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
            break;
    }
    constexpr int kRetries =
            128;  // EAGAIN means that a rename or mount raced the lookup (openat2(2))
    for (int i = 0; i < kRetries; ++i) {
        Fd fd(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
        if (fd) return fd;
        if (errno != EAGAIN) break;
    }
    return errno_error(quoted("open inside the root", path.c_str()));
}

Result<Fd> make_directories_in(FdRef root, std::string_view path, mode_t mode) {
    Fd current = TRY(open_in(root, ".", O_PATH | O_DIRECTORY, Resolve::in_root));
    std::string walked;
    while (!path.empty()) {
        const auto slash = path.find('/');
        const std::string name(path.substr(0, slash));
        path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
        if (name.empty() || name == ".") continue;
        if (name == "..") return plain_error(Errc::invalid, "path has a '..' component");
        walked += '/';
        walked += name;
        if (::mkdirat(current.get(), name.c_str(), mode) != 0 && errno != EEXIST) {
            return errno_error(quoted("make directory", walked));
        }
        // A link planted at this name is refused, not followed: RESOLVE_NO_SYMLINKS.
        current = TRY(open_in(current, name, O_PATH | O_DIRECTORY, Resolve::beneath_no_links));
    }
    return current;
}

Result<void> make_directory_at(FdRef parent, CStr name, mode_t mode) {
    if (::mkdirat(parent.get(), name.c_str(), mode) != 0) {
        return errno_error(quoted("make directory", name.c_str()));
    }
    return ok;
}

Result<void> ensure_directory(const std::string& host_path, mode_t mode) {
    std::size_t at = 0;
    while (at != std::string::npos) {
        at = host_path.find('/', at + 1);
        const std::string part = host_path.substr(0, at);
        const bool last = at == std::string::npos;
        if (::mkdir(part.c_str(), last ? mode : 0755) != 0 && errno != EEXIST) {
            return errno_error(quoted("make directory", part));
        }
    }
    return ok;
}

Result<void> remove_at(FdRef parent, CStr name, bool directory) {
    if (::unlinkat(parent.get(), name.c_str(), directory ? AT_REMOVEDIR : 0) != 0 &&
        errno != ENOENT) {
        return errno_error(quoted("remove", name.c_str()));
    }
    return ok;
}

namespace {

// openat2 keeps to what is beneath: the last name is removed from the directory that the rest of
// the path names.
Result<void> remove_tree_of_host(const std::string& path) {
    const auto end = path.find_last_not_of('/');
    if (end == std::string::npos) return plain_error(Errc::invalid, "remove '/'");
    const auto slash = path.rfind('/', end);
    const auto above = open_host(path.substr(0, slash + 1), O_RDONLY | O_DIRECTORY);
    if (above) return remove_tree_at(*above, path.substr(slash + 1, end - slash));
    if (above.error().sys == ENOENT) return ok;
    return above.error();
}

}  // namespace

Result<void> remove_tree_at(FdRef parent, CStr name) {
    if (*name.c_str() == '/') {
        if (parent.get() == AT_FDCWD) return remove_tree_of_host(name.c_str());
        return plain_error(
                Errc::invalid, quoted("remove below a directory: absolute path", name.c_str()));
    }
    if (::unlinkat(parent.get(), name.c_str(), 0) == 0 || errno == ENOENT) return ok;
    if (errno != EISDIR && errno != EPERM) return errno_error(quoted("remove", name.c_str()));
    auto opened = open_in(parent, name, O_RDONLY | O_DIRECTORY, Resolve::beneath_no_xdev);
    if (!opened) {
        if (opened.error().sys == ENOENT) return ok;
        return std::move(opened).error();
    }
    Fd directory = std::move(*opened);
    // Every child is tried before the first failure is told: destroy must get as far as it can.
    Result<void> first = ok;
    auto names = TRY(list_directory(directory));
    for (const auto& child : names) {
        auto removed = remove_tree_at(directory, child);
        if (!removed && first) first = std::move(removed);
    }
    if (!first) return first;
    return remove_at(parent, name, true);
}

Result<void> rename_at(FdRef from, CStr old_name, FdRef to, CStr new_name, unsigned flags) {
    if (::renameat2(from.get(), old_name.c_str(), to.get(), new_name.c_str(), flags) != 0) {
        return errno_error(quoted(quoted("rename", old_name.c_str()) + " to", new_name.c_str()));
    }
    return ok;
}

Result<std::vector<std::string>> list_directory(FdRef directory, std::size_t limit) {
    // A new open file description: fdopendir takes the descriptor and moves its offset.
    Fd own = TRY(open_at(directory, ".", O_RDONLY | O_DIRECTORY));
    DIR* stream = ::fdopendir(own.get());
    if (stream == nullptr) return errno_error("list directory");
    (void)own.release();  // closedir closes it
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (names.size() >= limit) {
            (void)::closedir(stream);
            return plain_error(
                    Errc::exhausted,
                    "directory has more than " + std::to_string(limit) + " entries");
        }
        names.emplace_back(name);
    }
    const int error = errno;
    (void)::closedir(stream);
    if (error != 0) return errno_error("list directory", error);
    return names;
}

Result<std::string> read_all(FdRef file, std::size_t limit) {
    std::string data;
    std::size_t used = 0;
    for (;;) {
        if (data.size() == used) data.resize(used + 4096 + used / 2);
        const ssize_t n = ::read(file.get(), data.data() + used, data.size() - used);
        if (n < 0) {
            if (errno == EINTR) continue;
            return errno_error("read");
        }
        if (n == 0) break;
        used += static_cast<std::size_t>(n);
        if (used > limit) {
            return plain_error(
                    Errc::exhausted, "file is larger than " + std::to_string(limit) + " bytes");
        }
    }
    data.resize(used);
    return data;
}

Result<std::string> read_file_at(FdRef parent, CStr path, std::size_t limit) {
    Fd file = TRY(open_at(parent, path, O_RDONLY));
    return read_all(file, limit).context(quoted("read", path.c_str()));
}

Result<std::string> read_host_file(CStr path, std::size_t limit) {
    return read_file_at(FdRef{AT_FDCWD}, path, limit);
}

Result<void> write_all(FdRef file, std::string_view data) {
    while (!data.empty()) {
        const ssize_t n = ::write(file.get(), data.data(), data.size());
        if (n < 0) {
            if (errno == EINTR) continue;
            return errno_error("write");
        }
        data.remove_prefix(static_cast<std::size_t>(n));
    }
    return ok;
}

Result<void> write_kernel_file_at(FdRef parent, CStr path, std::string_view data) {
    Fd file = TRY(open_at(parent, path, O_WRONLY));
    // One write: the kernel parses each write on its own.
    const ssize_t n = ::write(file.get(), data.data(), data.size());
    if (n < 0 || static_cast<std::size_t>(n) != data.size()) {
        return errno_error(quoted(quoted("write", data.substr(0, 64)) + " to", path.c_str()));
    }
    return ok;
}

Result<void> write_atomic_at(
        FdRef parent, CStr name, std::string_view data, mode_t mode, Durable durable) {
    const std::string temporary = std::string(".") + name.c_str() + ".tmp";
    Fd file = TRY(open_at(parent, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
    auto written = write_all(file, data);
    if (written && durable == Durable::yes && ::fsync(file.get()) != 0)
        written = errno_error("fsync");
    if (written) written = rename_at(parent, temporary, parent, name);
    if (!written) {
        (void)::unlinkat(parent.get(), temporary.c_str(), 0);  // the first error is the one to tell
        return std::move(written).context(quoted("write", name.c_str()));
    }
    if (durable == Durable::yes) {
        Fd directory = TRY(open_at(parent, ".", O_RDONLY | O_DIRECTORY));
        if (::fsync(directory.get()) != 0)
            return errno_error(quoted("fsync the directory of", name.c_str()));
    }
    return ok;
}

Result<struct ::stat> stat_fd(FdRef file) {
    struct ::stat out = {};
    if (::fstatat(file.get(), "", &out, AT_EMPTY_PATH) != 0) return errno_error("stat");
    return out;
}

Result<struct ::stat> stat_at(FdRef parent, CStr path) {
    struct ::stat out = {};
    if (::fstatat(parent.get(), path.c_str(), &out, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno_error(quoted("stat", path.c_str()));
    }
    return out;
}

Result<bool> exists_at(FdRef parent, CStr path) {
    auto found = stat_at(parent, path);
    if (found) return true;
    if (found.error().sys == ENOENT) return false;
    return std::move(found).error();
}

Result<std::string> read_link_at(FdRef parent, CStr path) {
    std::string out(4096, '\0');
    const ssize_t n = ::readlinkat(parent.get(), path.c_str(), out.data(), out.size());
    if (n < 0) return errno_error(quoted("read link", path.c_str()));
    out.resize(static_cast<std::size_t>(n));
    return out;
}

Result<void> change_owner(FdRef file, std::uint32_t uid, std::uint32_t gid) {
    if (::fchown(file.get(), uid, gid) != 0) return errno_error("change the owner of a file");
    return ok;
}

Result<Fd> duplicate(FdRef fd) {
    Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy) return errno_error("duplicate a descriptor");
    return copy;
}

Result<Pipe> make_pipe(int flags) {
    int ends[2];
    if (::pipe2(ends, flags | O_CLOEXEC) != 0) return errno_error("make a pipe");
    return Pipe{.read = Fd(ends[0]), .write = Fd(ends[1])};
}

Result<Fd> sealed_memory_file(CStr name, std::string_view data, bool executable) {
    const unsigned base_flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    Fd file(::memfd_create(name.c_str(), base_flags | (executable ? MFD_EXEC : 0U)));
    // Linux before 6.3 knows no MFD_EXEC and makes every memory file executable.
    if (!file && errno == EINVAL) file = Fd(::memfd_create(name.c_str(), base_flags));
    if (!file) return errno_error(quoted("make the memory file", name.c_str()));
    TRY(write_all(file, data));
    // EBUSY: the kernel itself still has a hand on one of the new pages (it waits for 150 ms before
    // it says so); seen once in thousands on busy processors.
    constexpr int kTries = 20;
    for (int tries = 0; tries < kTries; ++tries) {
        if (::fcntl(file.get(), F_ADD_SEALS,
                    F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
            return file;
        if (errno != EBUSY) break;
    }
    return errno_error(quoted("seal the memory file", name.c_str()));
}

std::string descriptor_path(FdRef fd) {
    return "/proc/self/fd/" + std::to_string(fd.get());
}

}  // namespace base::sys
