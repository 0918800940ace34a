#include "base/sys/error.hpp"
#include "base/sys/file.hpp"
#include "garden/launch/copy/copy.hpp"
#include "garden/launch/copy/tar_format.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <map>

namespace garden::launch::tar {

namespace sys = base::sys;

namespace {

constexpr std::size_t kBufferBytes = 256U << 10;
constexpr std::size_t kMaxLinks = 200'000;  // files with several names that are remembered
constexpr int kMaxDepth = 256;              // one descriptor is open per level
constexpr std::size_t kMaxAttribute = 64U << 10;

class Archiver {
  public:
    explicit Archiver(base::FdRef output) : output_(output) { buffer_.reserve(kBufferBytes); }

    // `name`: of the entry in the archive; `file`: below `parent`.
    base::Result<void> add(
            base::FdRef parent, const std::string& file, const std::string& name, int depth) {
        struct stat info = {};
        if (::fstatat(parent.get(), file.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
            return errno_of(name);
        Entry entry;
        entry.name = name;
        entry.mode = info.st_mode & 07777;
        entry.uid = info.st_uid;
        entry.gid = info.st_gid;
        entry.mtime = info.st_mtim.tv_sec;
        switch (info.st_mode & S_IFMT) {
            case S_IFDIR:
                return add_directory(parent, file, std::move(entry), depth);
            case S_IFREG:
                return add_file(parent, file, std::move(entry), info);
            case S_IFLNK: {
                entry.type = Type::symlink;
                entry.link = TRY(sys::read_link_at(parent, file));
                return put(header_of(entry));
            }
            case S_IFIFO:
                entry.type = Type::fifo;
                return put(header_of(entry));
            case S_IFCHR:
            case S_IFBLK:
                entry.type = S_ISCHR(info.st_mode) ? Type::character : Type::block;
                entry.major = major(info.st_rdev);
                entry.minor = minor(info.st_rdev);
                return put(header_of(entry));
            default:
                return base::ok;  // a socket is not a file to keep
        }
    }

    base::Result<void> finish() {
        TRY(put(std::string(2 * kBlock, '\0')));
        return flush();
    }

  private:
    base::Result<void> put(std::string_view data) {
        if (buffer_.size() + data.size() > kBufferBytes) TRY(flush());
        if (data.size() >= kBufferBytes) return write(data);
        buffer_ += data;
        return base::ok;
    }

    base::Result<void> flush() {
        TRY(write(buffer_));
        buffer_.clear();
        return base::ok;
    }

    base::Result<void> write(std::string_view data) {
        while (!data.empty()) {
            const ssize_t n = ::write(output_.get(), data.data(), data.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errno_of("standard output");
            data.remove_prefix(static_cast<std::size_t>(n));
        }
        return base::ok;
    }

    static void read_xattrs(base::FdRef file, Entry& entry) {
        std::string names(kMaxAttribute, '\0');
        const ssize_t size = ::flistxattr(file.get(), names.data(), names.size());
        if (size <= 0) return;  // none, or a file system without
        names.resize(static_cast<std::size_t>(size));
        for (std::size_t at = 0; at < names.size();) {
            const std::string name = names.c_str() + at;
            at += name.size() + 1;
            if (!name.starts_with("user.") && name != "security.capability") continue;  // IMG-25
            std::string value(kMaxAttribute, '\0');
            const ssize_t length =
                    ::fgetxattr(file.get(), name.c_str(), value.data(), value.size());
            if (length < 0) continue;
            value.resize(static_cast<std::size_t>(length));
            entry.xattrs[name] = std::move(value);
        }
    }

    base::Result<void> add_directory(
            base::FdRef parent, const std::string& file, Entry entry, int depth) {
        if (depth > kMaxDepth)
            return sys::plain_error(
                    base::Errc::exhausted, entry.name + ": more than 256 levels of directories");
        const base::Fd directory(::openat(
                parent.get(), file.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!directory) return errno_of(entry.name);
        entry.type = Type::directory;
        if (!entry.name.ends_with('/')) entry.name += '/';
        read_xattrs(directory, entry);
        TRY(put(header_of(entry)));
        auto names = TRY(sys::list_directory(directory).context(entry.name));
        std::sort(names.begin(), names.end());
        for (const auto& name : names) TRY(add(directory, name, entry.name + name, depth + 1));
        return base::ok;
    }

    base::Result<void> add_file(
            base::FdRef parent, const std::string& file, Entry entry, const struct stat& info) {
        if (info.st_nlink > 1) {
            const auto key = std::pair(info.st_dev, info.st_ino);
            const auto known = links_.find(key);
            if (known != links_.end()) {
                entry.type = Type::hard_link;
                entry.link = known->second;
                return put(header_of(entry));
            }
            if (links_.size() < kMaxLinks)
                links_.emplace(key, entry.name);  // above it a file is simply repeated
        }
        const base::Fd opened(::openat(
                parent.get(), file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (!opened) return errno_of(entry.name);
        entry.size = static_cast<std::uint64_t>(info.st_size);
        read_xattrs(opened, entry);
        TRY(put(header_of(entry)));
        std::string data(
                static_cast<std::size_t>(std::min<std::uint64_t>(entry.size, kBufferBytes)), '\0');
        for (std::uint64_t left = entry.size; left > 0;) {
            const ssize_t n =
                    ::read(opened.get(), data.data(),
                           static_cast<std::size_t>(std::min<std::uint64_t>(left, data.size())));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errno_of(entry.name);
            // The header is out: an archive with a wrong length would be a lie, so it ends here.
            if (n == 0)
                return sys::plain_error(
                        base::Errc::conflict, entry.name + ": File shrank while it was read");
            TRY(put(std::string_view(data).substr(0, static_cast<std::size_t>(n))));
            left -= static_cast<std::uint64_t>(n);
        }
        return put(std::string(padding_of(entry.size), '\0'));
    }

    base::FdRef output_;
    std::string buffer_;
    std::map<std::pair<dev_t, ino_t>, std::string> links_;
};

}  // namespace

base::Result<void> archive(base::FdRef output, const std::string& source) {
    Archiver archiver(output);
    if (source.ends_with('/')) {
        const base::Fd directory(::open(source.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!directory) return errno_of(source);
        TRY(archiver.add(directory, ".", "./", 0));
        return archiver.finish();
    }
    const auto slash = source.rfind('/');
    const std::string name = slash == std::string::npos ? source : source.substr(slash + 1);
    const std::string above = slash == std::string::npos ? "." : source.substr(0, slash + 1);
    const base::Fd parent(::open(above.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!parent) return errno_of(source);
    // "/a/.." names no entry; its contents can be asked for with a slash.
    if (name == "." || name == "..")
        return sys::plain_error(base::Errc::invalid, source + ": Invalid argument");
    struct stat info = {};
    if (::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
        return errno_of(source);
    TRY(archiver.add(parent, name, name, 0));
    return archiver.finish();
}

}  // namespace garden::launch::tar
