#include "base/defer.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/store/tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fs.h>

#include <string>
#include <string_view>
#include <unordered_set>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
using base::sys::Resolve;

namespace {

// Directories open at once while removing. A container can nest directories without end; deeper
// ones are first moved up.
constexpr unsigned kMaxOpenLevels = 64;

Result<Fd> open_child(FdRef parent, const char* name) {
    return base::sys::open_in(
            parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::beneath_no_xdev);
}

// A privileged container may have left the immutable or append-only flag behind; only it may, so a
// failure here is not ours to tell.
bool clear_flags(FdRef parent, const char* name) {
    auto opened = base::sys::open_in(
            parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, Resolve::beneath_no_xdev);
    if (!opened) return false;
    int flags = 0;
    constexpr int kLocked = FS_IMMUTABLE_FL | FS_APPEND_FL;
    if (::ioctl(opened->get(), FS_IOC_GETFLAGS, &flags) != 0 || (flags & kLocked) == 0)
        return false;
    flags &= ~kLocked;
    return ::ioctl(opened->get(), FS_IOC_SETFLAGS, &flags) == 0;
}

class Remover {
  public:
    Remover(FdRef top, const std::atomic<bool>* stop) : top_(top), stop_(stop) {}

    // Empties `directory`. Passes over it until it stays empty, since deep directories are moved
    // into the top one.
    Result<void> empty(FdRef directory, unsigned depth) {
        for (;;) {
            const std::uint64_t moved_before = moved_;
            std::size_t failed = 0;
            const std::size_t seen = TRY(pass(directory, depth, failed));
            if (seen == 0) return base::ok;
            if (failed != 0 && failed == seen) return first_error_;
            if (depth > 0 && failed == 0 && moved_ == moved_before && seen < kSmall)
                return base::ok;
        }
    }

  private:
    static constexpr std::size_t kSmall = 256;  // one getdents buffer: nothing can be left unseen

    Result<std::size_t> pass(FdRef directory, unsigned depth, std::size_t& failed) {
        Fd own = TRY(base::sys::open_at(directory, ".", O_RDONLY | O_DIRECTORY));
        DIR* stream = ::fdopendir(own.get());
        if (stream == nullptr) return base::fail_errno("list a directory to remove");
        (void)own.release();  // closedir closes it
        base::Defer close([&] { (void)::closedir(stream); });
        std::size_t seen = 0;
        while (const dirent* entry = ::readdir(stream)) {
            const std::string_view name = entry->d_name;
            if (name == "." || name == "..") continue;
            if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) {
                return base::fail(Errc::cancelled, "remove a tree: stopped");
            }
            ++seen;
            auto removed = remove_one(directory, entry->d_name, entry->d_type, depth);
            if (!removed) {
                if (removed.error().kind == Errc::cancelled) return std::move(removed).error();
                ++failed;
                // Every entry is tried before the first failure is told: destroy gets as far as it
                // can.
                if (first_error_) first_error_ = std::move(removed);
            }
        }
        return seen;
    }

    Result<void> remove_one(FdRef parent, const char* name, unsigned char type, unsigned depth) {
        const bool directory = type == DT_DIR;
        if (::unlinkat(parent.get(), name, directory ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT)
            return base::ok;
        if (errno == EPERM && clear_flags(parent, name)) {
            if (::unlinkat(parent.get(), name, directory ? AT_REMOVEDIR : 0) == 0) return base::ok;
        }
        if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST)
            return base::fail_errno("remove {}", name);
        if (depth >= kMaxOpenLevels) return move_up(parent, name);
        Fd child = TRY(open_child(parent, name));
        TRY(empty(child, depth + 1));
        if (::unlinkat(parent.get(), name, AT_REMOVEDIR) == 0 || errno == ENOENT) return base::ok;
        return base::fail_errno("remove directory {}", name);
    }

    Result<void> move_up(FdRef parent, const char* name) {
        for (int tries = 0; tries < 1000; ++tries) {
            const std::string target = base::format(".deep-{}", moved_++);
            if (::renameat2(parent.get(), name, top_.get(), target.c_str(), RENAME_NOREPLACE) == 0)
                return base::ok;
            if (errno != EEXIST) return base::fail_errno("move a deep directory up");
        }
        return base::fail(Errc::internal, "move a deep directory up: no free name");
    }

    FdRef top_;
    const std::atomic<bool>* stop_;
    std::uint64_t moved_ = 0;
    Result<void> first_error_;
};

class Meter {
  public:
    Result<void> directory(FdRef directory, unsigned depth) {
        if (depth > kMaxMeasuredDepth) {
            return base::fail(
                    Errc::exhausted, "measure a tree: directories nested deeper than {}",
                    kMaxMeasuredDepth);
        }
        Fd own = TRY(base::sys::open_at(directory, ".", O_RDONLY | O_DIRECTORY));
        TRY(add(TRY(base::sys::stat_fd(own))));
        DIR* stream = ::fdopendir(own.get());
        if (stream == nullptr) return base::fail_errno("list a directory to measure");
        (void)own.release();
        base::Defer close([&] { (void)::closedir(stream); });
        while (const dirent* entry = ::readdir(stream)) {
            const std::string_view name = entry->d_name;
            if (name == "." || name == "..") continue;
            TRY(one(directory, entry->d_name, entry->d_type, depth));
        }
        return base::ok;
    }

    TreeSize size;

  private:
    // The container writes while we walk: what vanishes between two calls is simply not counted.
    Result<void> one(FdRef parent, const char* name, unsigned char type, unsigned depth) {
        if (type == DT_DIR) {
            auto child = open_child(parent, name);
            if (child) return directory(*child, depth + 1);
            const int error = child.error().sys;
            if (error == ENOENT || error == ENOTDIR || error == ELOOP || error == EXDEV)
                return base::ok;
            return std::move(child).error();
        }
        struct ::stat status = {};
        if (::fstatat(parent.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) return base::ok;
            return base::fail_errno("measure {}", name);
        }
        return add(status);
    }

    Result<void> add(const struct ::stat& status) {
        if (status.st_nlink > 1 && !S_ISDIR(status.st_mode) &&
            !linked_.insert(status.st_ino).second)
            return base::ok;
        if (size.inodes >= kMaxMeasuredInodes) {
            return base::fail(
                    Errc::exhausted, "measure a tree: more than {} files", kMaxMeasuredInodes);
        }
        ++size.inodes;
        size.bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
        return base::ok;
    }

    std::unordered_set<ino_t> linked_;
};

}  // namespace

Result<void> remove_tree(FdRef parent, base::CStr name, const std::atomic<bool>* stop) {
    if (::unlinkat(parent.get(), name.c_str(), 0) == 0 || errno == ENOENT) return base::ok;
    if (errno != EISDIR && errno != EPERM) return base::fail_errno("remove {}", name.c_str());
    auto top = open_child(parent, name.c_str());
    if (!top) {
        if (top.error().sys == ENOENT) return base::ok;
        return std::move(top).error();
    }
    Remover remover(*top, stop);
    TRY(remover.empty(*top, 0));
    if (::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT)
        return base::ok;
    if (errno == EPERM && clear_flags(parent, name.c_str()))
        return base::sys::remove_at(parent, name, true);
    return base::fail_errno("remove directory {}", name.c_str());
}

Result<TreeSize> measure_tree(FdRef directory) {
    Meter meter;
    TRY(meter.directory(directory, 0));
    return meter.size;
}

}  // namespace rootfs
