// copy_tree: a host directory becomes a layer. Owners, modes, times, links, holes and the allowed attributes stay.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/xattr.hpp"
#include "rootfs/store/tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

class TreeCopy {
  public:
    TreeCopy(FdRef root, const CopyLimits& limits) : root_(root), limits_(limits) {}

    Result<void> directory(FdRef source, FdRef target, const std::string& path, unsigned depth);
    const CopyCounts& counts() const { return counts_; }

  private:
    Result<void> entry(FdRef source, FdRef target, const std::string& name, const std::string& path, unsigned depth);
    Result<void> regular(FdRef source, FdRef target, const std::string& name, const struct ::stat& status);
    Result<void> data(FdRef source, FdRef target, off_t size);
    Result<void> symbolic_link(FdRef source, FdRef target, const std::string& name, const struct ::stat& status);
    Result<void> attributes(FdRef source, FdRef target, const struct ::stat& status);
    Result<bool> linked(FdRef target, const std::string& name, const std::string& path, const struct ::stat& status);
    Result<void> count(const std::string& path, const struct ::stat& status);

    FdRef root_;
    const CopyLimits& limits_;
    CopyCounts counts_;
    std::map<std::pair<dev_t, ino_t>, std::string> links_;   // first path of every file with more than one name
};

Result<void> TreeCopy::count(const std::string& path, const struct ::stat& status) {
    if (++counts_.entries > limits_.entries) {
        return base::fail(Errc::exhausted, "more than {} entries", limits_.entries);
    }
    if (status.st_uid >= limits_.id_limit || status.st_gid >= limits_.id_limit) {   // ID-06
        return base::fail(
                Errc::invalid, "{}: owner {}:{} is outside the range 0-{}", path, status.st_uid, status.st_gid,
                limits_.id_limit - 1);
    }
    return base::ok;
}

Result<void> TreeCopy::attributes(FdRef source, FdRef target, const struct ::stat& status) {
    if (::fchown(target.get(), status.st_uid, status.st_gid) != 0) return base::fail_errno("give a copied file to its owner");
    for (const auto& name : TRY(sys::list_xattrs(source))) {
        if (!name.starts_with("user.") && name != "security.capability") {   // IMG-25
            ++counts_.dropped_xattrs;
            continue;
        }
        const auto value = TRY(sys::get_xattr(source, name));
        if (value) TRY(sys::set_xattr(target, name, *value));
    }
    // After chown, which clears the set-id bits.
    if (::fchmod(target.get(), status.st_mode & 07777) != 0) return base::fail_errno("set the mode of a copied file");
    const timespec times[2] = {status.st_atim, status.st_mtim};
    if (::futimens(target.get(), times) != 0) return base::fail_errno("set the times of a copied file");
    return base::ok;
}

Result<bool> TreeCopy::linked(FdRef target, const std::string& name, const std::string& path, const struct ::stat& status) {
    if (status.st_nlink < 2) return false;
    const auto [it, first] = links_.try_emplace({status.st_dev, status.st_ino}, path);
    if (first) return false;
    if (::linkat(root_.get(), it->second.c_str(), target.get(), name.c_str(), 0) != 0) {
        return base::fail_errno("link {} to {}", path, it->second);
    }
    return true;
}

Result<void> TreeCopy::data(FdRef source, FdRef target, off_t size) {
    if (::ftruncate(target.get(), size) != 0) return base::fail_errno("size a copied file");
    off_t at = 0;
    while (at < size) {
        const off_t begin = ::lseek(source.get(), at, SEEK_DATA);
        if (begin < 0) {
            if (errno == ENXIO) return base::ok;   // only a hole is left
            return base::fail_errno("find the data of a file");
        }
        const off_t end = ::lseek(source.get(), begin, SEEK_HOLE);
        if (end < 0) return base::fail_errno("find the end of the data of a file");
        off_t from = begin;
        off_t to = begin;
        while (from < end) {
            const auto moved = ::copy_file_range(
                    source.get(), &from, target.get(), &to, static_cast<std::size_t>(end - from), 0);
            if (moved < 0 && errno == EINTR) continue;
            if (moved < 0) return base::fail_errno("copy the data of a file");
            if (moved == 0) return base::ok;   // it became shorter meanwhile
            counts_.bytes += static_cast<std::uint64_t>(moved);
            if (counts_.bytes > limits_.bytes) return base::fail(Errc::exhausted, "more than {} bytes", limits_.bytes);
        }
        at = end;
    }
    return base::ok;
}

Result<void> TreeCopy::regular(FdRef source, FdRef target, const std::string& name, const struct ::stat& status) {
    // O_NONBLOCK: what was a file a moment ago may be a FIFO now.
    const auto from = TRY(sys::open_at(source, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    const auto now = TRY(sys::stat_fd(from));
    if (!S_ISREG(now.st_mode)) return base::fail(Errc::conflict, "{} changed while it was copied", name);
    const auto to = TRY(sys::open_at(target, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    TRY(data(from, to, now.st_size));
    return attributes(from, to, status);
}

Result<void> TreeCopy::symbolic_link(FdRef source, FdRef target, const std::string& name, const struct ::stat& status) {
    const auto text = TRY(sys::read_link_at(source, name));
    if (::symlinkat(text.c_str(), target.get(), name.c_str()) != 0) return base::fail_errno("make the link {}", name);
    if (::fchownat(target.get(), name.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
        return base::fail_errno("give the link {} to its owner", name);
    }
    const timespec times[2] = {status.st_atim, status.st_mtim};
    if (::utimensat(target.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
        return base::fail_errno("set the times of the link {}", name);
    }
    return base::ok;
}

Result<void> TreeCopy::entry(
        FdRef source, FdRef target, const std::string& name, const std::string& path, unsigned depth) {
    const auto status = TRY(sys::stat_at(source, name));
    TRY(count(path, status));
    if (!S_ISDIR(status.st_mode) && TRY(linked(target, name, path, status))) return base::ok;
    switch (status.st_mode & S_IFMT) {
        case S_IFDIR: {
            const auto from = TRY(sys::open_at(source, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
            TRY(sys::make_directory_at(target, name, 0700));
            const auto to = TRY(sys::open_at(target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
            return directory(from, to, path, depth + 1);
        }
        case S_IFREG: return regular(source, target, name, status);
        case S_IFLNK: return symbolic_link(source, target, name, status);
        case S_IFIFO:
        case S_IFSOCK:
            if (::mknodat(target.get(), name.c_str(), status.st_mode, 0) != 0) return base::fail_errno("make {}", path);
            if (::fchownat(target.get(), name.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
                return base::fail_errno("give {} to its owner", path);
            }
            return base::ok;
        default:
            ++counts_.skipped_devices;   // IMG-24: /dev is ours
            return base::ok;
    }
}

Result<void> TreeCopy::directory(FdRef source, FdRef target, const std::string& path, unsigned depth) {
    if (depth > limits_.depth) return base::fail(Errc::exhausted, "{}: deeper than {} directories", path, limits_.depth);
    const auto status = TRY(sys::stat_fd(source));
    const auto names = TRY(sys::list_directory(source, static_cast<std::size_t>(limits_.entries)));
    for (const auto& name : names) {
        TRY(entry(source, target, name, path.empty() ? name : path + "/" + name, depth));
    }
    return attributes(source, target, status);   // last: entries change the times
}

}  // namespace

Result<CopyCounts> copy_tree(FdRef source, FdRef target, const CopyLimits& limits) {
    TreeCopy copy(target, limits);
    // The caller's descriptor may be O_PATH, and its position is the caller's.
    const auto from = TRY(sys::open_at(source, ".", O_RDONLY | O_DIRECTORY));
    TRY(copy.directory(from, target, "", 0));
    return copy.counts();
}

}  // namespace rootfs
