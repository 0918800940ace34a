#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/xattr.hpp"
#include "rootfs/store/tree.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fs.h>

#include <array>
#include <map>
#include <string>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

std::array<struct timespec, 2> times_of(const struct ::stat& status) {
    return {status.st_mtim, status.st_mtim};
}

class Copier {
  public:
    Copier(FdRef target, const CopyLimits& limits, dev_t device)
        : root_(target), limits_(limits), device_(device) {}

    Result<void> directory(FdRef source, FdRef target, const std::string& path, unsigned depth) {
        if (depth > limits_.depth)
            return base::fail(Errc::exhausted, "{}: nested deeper than {}", path, limits_.depth);
        for (const auto& name : TRY(sys::list_directory(source))) {
            const std::string child = path.empty() ? name : path + "/" + name;
            TRY(one(source, target, name, child, depth).context(base::format("copy {}", child)));
        }
        const auto status = TRY(sys::stat_fd(source));
        TRY(attributes(source, target, status));
        const auto times = times_of(status);
        if (::futimens(target.get(), times.data()) != 0) return base::fail_errno("set times");
        return base::ok;
    }

    CopyCounts counts;

  private:
    Result<void> one(
            FdRef source,
            FdRef target,
            const std::string& name,
            const std::string& path,
            unsigned depth) {
        const auto status = TRY(sys::stat_at(source, name));
        if (++counts.entries > limits_.entries)
            return base::fail(Errc::exhausted, "more than {} entries", limits_.entries);
        if (status.st_uid >= limits_.id_limit || status.st_gid >= limits_.id_limit) {  // ID-06
            return base::fail(
                    Errc::invalid, "owner {}:{} is outside of 0 to {}", status.st_uid,
                    status.st_gid, limits_.id_limit - 1);
        }
        if (S_ISDIR(status.st_mode)) return enter(source, target, name, path, depth, status);
        if (S_ISREG(status.st_mode)) return file(source, target, name, path, status);
        if (S_ISLNK(status.st_mode)) {
            const std::string text = TRY(sys::read_link_at(source, name));
            if (::symlinkat(text.c_str(), target.get(), name.c_str()) != 0)
                return base::fail_errno("make a symbolic link");
            return owner_and_times(target, name, status);
        }
        if (S_ISFIFO(status.st_mode)) {
            if (::mknodat(target.get(), name.c_str(), status.st_mode, 0) != 0)
                return base::fail_errno("make a fifo");
            TRY(owner_and_times(target, name, status));
            if (::fchmodat(target.get(), name.c_str(), status.st_mode & 07777, 0) != 0)
                return base::fail_errno("set mode");
            return base::ok;
        }
        ++counts.skipped_devices;  // IMG-24; a socket without its server is of no use either
        return base::ok;
    }

    Result<void> enter(
            FdRef source,
            FdRef target,
            const std::string& name,
            const std::string& path,
            unsigned depth,
            const struct ::stat& status) {
        TRY(sys::make_directory_at(target, name, 0700));
        Fd to = TRY(
                sys::open_in(target, name, O_RDONLY | O_DIRECTORY, sys::Resolve::beneath_no_links));
        if (status.st_dev != device_)
            return base::ok;  // another file system is mounted here: its contents are not ours
        Fd from = TRY(sys::open_in(
                source, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, sys::Resolve::beneath_no_links));
        return directory(from, to, path, depth + 1);
    }

    Result<void> file(
            FdRef source,
            FdRef target,
            const std::string& name,
            const std::string& path,
            const struct ::stat& status) {
        if (status.st_nlink > 1) {
            const auto known = links_.find(status.st_ino);
            if (known != links_.end()) {
                if (::linkat(root_.get(), known->second.c_str(), target.get(), name.c_str(), 0) !=
                    0)
                    return base::fail_errno("make a hard link");
                return base::ok;
            }
            links_.emplace(status.st_ino, path);
        }
        counts.bytes += static_cast<std::uint64_t>(status.st_size);
        if (counts.bytes > limits_.bytes)
            return base::fail(Errc::exhausted, "more than {} bytes", limits_.bytes);
        Fd from = TRY(sys::open_in(
                source, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                sys::Resolve::beneath_no_links));
        Fd to = TRY(sys::open_at(target, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        TRY(content(from, to, status.st_size));
        TRY(attributes(from, to, status));
        const auto times = times_of(status);
        if (::futimens(to.get(), times.data()) != 0) return base::fail_errno("set times");
        return base::ok;
    }

    // Shared extents where the file system can, else only the data between the holes.
    static Result<void> content(FdRef from, FdRef to, off_t size) {
        if (size == 0 || ::ioctl(to.get(), FICLONE, from.get()) == 0) return base::ok;
        if (::ftruncate(to.get(), size) != 0) return base::fail_errno("extend to {} bytes", size);
        for (off_t at = 0; at < size;) {
            const off_t data = ::lseek(from.get(), at, SEEK_DATA);
            if (data < 0 && errno == ENXIO) return base::ok;  // only a hole is left
            if (data < 0) return base::fail_errno("find data");
            off_t end = ::lseek(from.get(), data, SEEK_HOLE);
            if (end < 0) end = size;
            TRY(range(from, to, data, std::min(end, size)));
            at = end;
        }
        return base::ok;
    }

    static Result<void> range(FdRef from, FdRef to, off_t at, off_t end) {
        while (at < end) {
            off_t in = at;
            off_t out = at;
            const ssize_t n = ::copy_file_range(
                    from.get(), &in, to.get(), &out, static_cast<std::size_t>(end - at), 0);
            if (n < 0 &&
                (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
                return slowly(from, to, at, end);
            if (n < 0) return base::fail_errno("copy {} bytes", end - at);
            if (n == 0) return base::ok;  // the file became shorter meanwhile
            at += n;
        }
        return base::ok;
    }

    static Result<void> slowly(FdRef from, FdRef to, off_t at, off_t end) {
        std::string buffer(std::size_t{128} << 10, '\0');
        while (at < end) {
            const auto want = std::min(buffer.size(), static_cast<std::size_t>(end - at));
            const ssize_t n = ::pread(from.get(), buffer.data(), want, at);
            if (n < 0) return base::fail_errno("read");
            if (n == 0) return base::ok;
            if (::pwrite(to.get(), buffer.data(), static_cast<std::size_t>(n), at) != n)
                return base::fail_errno("write");
            at += n;
        }
        return base::ok;
    }

    Result<void> attributes(FdRef source, FdRef target, const struct ::stat& status) {
        if (::fchown(target.get(), status.st_uid, status.st_gid) != 0)
            return base::fail_errno("give to {}:{}", status.st_uid, status.st_gid);
        if (::fchmod(target.get(), status.st_mode & 07777) != 0)
            return base::fail_errno("set mode");
        for (const auto& name : TRY(sys::list_xattrs(source))) {
            const bool keep =
                    (name == "security.capability" && S_ISREG(status.st_mode)) ||
                    (name.compare(0, 5, "user.") == 0 && name.compare(0, 13, "user.overlay.") != 0);
            if (!keep) {  // IMG-25
                ++counts.dropped_xattrs;
                continue;
            }
            const auto value = TRY(sys::get_xattr(source, name));
            if (value) TRY(sys::set_xattr(target, name, *value));
        }
        return base::ok;
    }

    static Result<void> owner_and_times(
            FdRef parent, const std::string& name, const struct ::stat& status) {
        if (::fchownat(
                    parent.get(), name.c_str(), status.st_uid, status.st_gid,
                    AT_SYMLINK_NOFOLLOW) != 0) {
            return base::fail_errno("give to {}:{}", status.st_uid, status.st_gid);
        }
        const auto times = times_of(status);
        if (::utimensat(parent.get(), name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
            return base::fail_errno("set times");
        return base::ok;
    }

    FdRef root_;
    CopyLimits limits_;
    dev_t device_;
    std::map<ino_t, std::string> links_;
};

}  // namespace

Result<CopyCounts> copy_tree(FdRef source, FdRef target, const CopyLimits& limits) {
    const auto status = TRY(sys::stat_fd(source));
    if (!S_ISDIR(status.st_mode))
        return base::fail(Errc::invalid, "copy a tree: the source is not a directory");
    Copier copier(target, limits, status.st_dev);
    Fd own = TRY(sys::open_at(source, ".", O_RDONLY | O_DIRECTORY));  // `source` may be O_PATH
    TRY(copier.directory(own, target, "", 0));
    return copier.counts;
}

}  // namespace rootfs
