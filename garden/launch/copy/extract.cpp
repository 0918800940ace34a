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

#include <cstring>

namespace garden::launch::tar {

namespace sys = base::sys;

namespace {

constexpr std::size_t kBufferBytes = 256U << 10;
constexpr std::size_t kMaxDirectories = 1'000'000;  // whose modes and times are set at the end

timespec time_of(const Entry& entry) {
    return {.tv_sec = entry.mtime, .tv_nsec = static_cast<long>(entry.mtime_ns)};
}

class Extractor {
  public:
    Extractor(base::FdRef input, base::Fd destination)
        : input_(input),
          destination_(std::move(destination)),
          buffer_(kBufferBytes, '\0'),
          reader_([this](char* to, std::size_t size) { return read(to, size); }) {
        mask_ = ::umask(0);
        (void)::umask(mask_);
    }

    base::Result<void> run() {
        for (;;) {
            auto entry = TRY(reader_.next());
            if (!entry) break;
            TRY(add(*entry));
        }
        TRY(finish_directories());
        // The writer shall not find the pipe closed: what follows the archive is read and ignored.
        while (TRY(read(buffer_.data(), buffer_.size())) > 0) {
        }
        return base::ok;
    }

  private:
    struct Later {
        std::string path;
        std::uint32_t mode = 0;
        timespec mtime = {};
    };

    struct Place {
        base::Fd parent;
        std::string name;
    };

    base::Result<std::size_t> read(char* to, std::size_t size) {
        std::size_t done = 0;
        while (done < size) {
            const ssize_t n = ::read(input_.get(), to + done, size - done);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errno_of("standard input");
            if (n == 0) break;
            done += static_cast<std::size_t>(n);
        }
        return done;
    }

    // The directory an entry goes to; missing ones are made. Links that are there already are the
    // container's own layout.
    base::Result<Place> place_of(const std::string& path) {
        const auto slash = path.rfind('/');
        if (slash == std::string::npos)
            return Place{.parent = TRY(sys::duplicate(destination_)), .name = path};
        const std::string directory = path.substr(0, slash);
        if (directory != last_directory_ || !last_parent_) {
            last_parent_ = base::Fd(::openat(
                    destination_.get(), directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
            if (!last_parent_ && errno == ENOENT) {
                for (std::size_t at = directory.find('/');; at = directory.find('/', at + 1)) {
                    const std::string part = directory.substr(0, at);
                    if (::mkdirat(destination_.get(), part.c_str(), 0755) != 0 && errno != EEXIST)
                        return errno_of(part);
                    if (at == std::string::npos) break;
                }
                last_parent_ = base::Fd(::openat(
                        destination_.get(), directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
            }
            if (!last_parent_) return errno_of(directory);
            last_directory_ = directory;
        }
        return Place{.parent = TRY(sys::duplicate(last_parent_)), .name = path.substr(slash + 1)};
    }

    base::Result<void> add(const Entry& entry) {
        const auto path = TRY(clean_name(entry.name).context("archive"));
        if (path.empty()) return base::ok;  // "./": the destination is left as it is
        auto place = TRY(place_of(path));
        if (entry.type == Type::directory) return add_directory(entry, path, place);
        // What is in the way goes, it is never written through; a directory in the way is an error.
        if (::unlinkat(place.parent.get(), place.name.c_str(), 0) != 0 && errno != ENOENT)
            return errno_of(path);
        last_parent_ = base::Fd();  // a removed link may have been on the remembered way
        switch (entry.type) {
            case Type::file:
                return add_file(entry, path, place);
            case Type::hard_link: {
                const auto target = TRY(clean_name(entry.link).context(path));
                if (::linkat(
                            destination_.get(), target.c_str(), place.parent.get(),
                            place.name.c_str(), 0) != 0)
                    return errno_of(path);
                return base::ok;
            }
            case Type::symlink: {
                if (::symlinkat(entry.link.c_str(), place.parent.get(), place.name.c_str()) != 0)
                    return errno_of(path);
                const timespec times[2] = {time_of(entry), time_of(entry)};
                (void)::utimensat(
                        place.parent.get(), place.name.c_str(), times, AT_SYMLINK_NOFOLLOW);
                return base::ok;
            }
            case Type::character:
            case Type::block:
            case Type::fifo: {
                const mode_t kind = entry.type == Type::fifo    ? S_IFIFO
                                    : entry.type == Type::block ? S_IFBLK
                                                                : S_IFCHR;
                if (::mknodat(
                            place.parent.get(), place.name.c_str(), kind | entry.mode,
                            makedev(entry.major, entry.minor)) != 0) {
                    return errno_of(path);
                }
                return base::ok;
            }
            case Type::directory:
                return base::ok;
        }
        return base::ok;
    }

    base::Result<void> add_directory(
            const Entry& entry, const std::string& path, const Place& place) {
        if (::mkdirat(place.parent.get(), place.name.c_str(), 0700) != 0) {
            if (errno != EEXIST) return errno_of(path);
            struct stat info = {};
            if (::fstatat(place.parent.get(), place.name.c_str(), &info, 0) != 0)
                return errno_of(path);
            if (S_ISDIR(info.st_mode))
                return base::ok;  // existing ones stay as they are (garden-api 8.1)
            if (::unlinkat(place.parent.get(), place.name.c_str(), 0) != 0) return errno_of(path);
            if (::mkdirat(place.parent.get(), place.name.c_str(), 0700) != 0) return errno_of(path);
        }
        if (later_.size() >= kMaxDirectories)
            return sys::plain_error(
                    base::Errc::exhausted, "the archive has more than 1000000 directories");
        if (!entry.xattrs.empty()) {
            const base::Fd directory(::openat(
                    place.parent.get(), place.name.c_str(),
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            if (!directory) return errno_of(path);
            TRY(set_xattrs(directory, entry, path));
        }
        // A directory without write permission must be filled first.
        later_.push_back({.path = path, .mode = entry.mode & ~mask_, .mtime = time_of(entry)});
        return base::ok;
    }

    base::Result<void> add_file(const Entry& entry, const std::string& path, const Place& place) {
        const base::Fd file(::openat(
                place.parent.get(), place.name.c_str(),
                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!file) return errno_of(path);
        if (entry.sparse) {
            TRY(write_sparse(file, entry, path));
        } else {
            for (;;) {
                const auto data = TRY(reader_.data(buffer_.data(), buffer_.size()));
                if (data.empty()) break;
                TRY(write(file, data, path));
            }
        }
        // Mode after data: writing would clear set-uid bits; attributes after that: so would the
        // change of mode.
        if (::fchmod(file.get(), entry.mode & ~mask_) != 0) return errno_of(path);
        TRY(set_xattrs(file, entry, path));
        const timespec times[2] = {time_of(entry), time_of(entry)};
        if (::futimens(file.get(), times) != 0) return errno_of(path);
        return base::ok;
    }

    base::Result<void> write(base::FdRef file, std::string_view data, const std::string& path) {
        while (!data.empty()) {
            const ssize_t n = ::write(file.get(), data.data(), data.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errno_of(path);
            data.remove_prefix(static_cast<std::size_t>(n));
        }
        return base::ok;
    }

    base::Result<void> write_sparse(base::FdRef file, const Entry& entry, const std::string& path) {
        for (const auto& part : entry.parts) {
            if (part.offset > entry.real_size || part.size > entry.real_size - part.offset) {
                return sys::plain_error(
                        base::Errc::corrupt, path + ": a part lies outside of the sparse file");
            }
            if (::lseek(file.get(), static_cast<off_t>(part.offset), SEEK_SET) < 0)
                return errno_of(path);
            for (std::uint64_t left = part.size; left > 0;) {
                const auto data = TRY(reader_.data(
                        buffer_.data(),
                        static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size()))));
                if (data.empty())
                    return sys::plain_error(
                            base::Errc::corrupt, path + ": the sparse file is too short");
                TRY(write(file, data, path));
                left -= data.size();
            }
        }
        if (::ftruncate(file.get(), static_cast<off_t>(entry.real_size)) != 0)
            return errno_of(path);
        return base::ok;
    }

    base::Result<void> set_xattrs(base::FdRef file, const Entry& entry, const std::string& path) {
        for (const auto& [name, value] : entry.xattrs) {
            if (::fsetxattr(file.get(), name.c_str(), value.data(), value.size(), 0) == 0) continue;
            // As tar does: what this user or file system cannot have is left out.
            if (errno != EOPNOTSUPP && errno != EPERM) return errno_of(path + " (" + name + ")");
        }
        return base::ok;
    }

    base::Result<void> finish_directories() {
        for (auto item = later_.rbegin(); item != later_.rend(); ++item) {
            if (::fchmodat(destination_.get(), item->path.c_str(), item->mode, 0) != 0)
                return errno_of(item->path);
            const timespec times[2] = {item->mtime, item->mtime};
            if (::utimensat(destination_.get(), item->path.c_str(), times, 0) != 0)
                return errno_of(item->path);
        }
        return base::ok;
    }

    base::FdRef input_;
    base::Fd destination_;
    std::string buffer_;
    Reader reader_;
    mode_t mask_ = 022;
    std::string last_directory_;
    base::Fd last_parent_;
    std::vector<Later> later_;
};

base::Result<base::Fd> open_destination(const std::string& path) {
    for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
        const std::string part = path.substr(0, at);
        if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) {
            struct stat info = {};
            // A read-only or forbidden parent says so even when the directory is there.
            const int error = errno;
            if (::stat(part.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
                errno = error;
                return errno_of(part);
            }
        }
        if (at == std::string::npos) break;
    }
    base::Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory && errno == EACCES)
        directory = base::Fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return errno_of(path);
    return directory;
}

}  // namespace

base::Error errno_of(const std::string& name) {
    const int error = errno;
    const char* text = ::strerrordesc_np(error);
    return base::Error{
            .kind = base::errc_of_errno(error),
            .sys = error,
            .text = name + ": " + (text != nullptr ? text : "unknown error"),
            .where = base::Where::here()};
}

base::Result<void> extract(base::FdRef input, const std::string& destination) {
    return Extractor(input, TRY(open_destination(destination))).run();
}

}  // namespace garden::launch::tar
