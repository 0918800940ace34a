#include "rootfs/volume/loop_template.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/fs.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

constexpr std::uint64_t kGroupBlocks = 32'768;  // one bitmap block tells of so many
constexpr std::uint64_t kInodeBytes = 256;
constexpr std::uint64_t kInodesPerBlock = kImageBlock / kInodeBytes;
constexpr std::uint64_t kLeastInodes = 1'024;
constexpr std::uint64_t kBytesPerInode = 8'192;
constexpr std::uint64_t kSlack = 64;         // our own directories, lost+found
constexpr std::uint64_t kReserved = 4'096;   // the kernel keeps a fiftieth, so many at most
constexpr int kMakeTimeout = 60'000;         // milliseconds
constexpr std::string_view kPrefix = "v1-";  // of this recipe
constexpr std::string_view kHalfMade = "making-";
// No journal: what is in a volume need not survive the host. No room to grow either.
constexpr const char* kFeatures =
        "none,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,"
        "dir_nlink,extra_isize,metadata_csum";

std::uint64_t divide_up(std::uint64_t value, std::uint64_t by) {
    return value / by + (value % by != 0 ? 1 : 0);
}

// What ext4 itself takes of `blocks`, at most.
std::uint64_t overhead(std::uint64_t blocks, std::uint64_t inodes) {
    const std::uint64_t groups = divide_up(blocks, kGroupBlocks);
    // mkfs rounds the inodes of a group up to whole blocks, and these to an even number.
    const std::uint64_t table = divide_up(divide_up(inodes, groups), kInodesPerBlock) + 1;
    const std::uint64_t descriptors = divide_up(groups * 64, kImageBlock);
    // The superblock and its descriptors: in groups 0, 1 and the powers of 3, 5 and 7.
    std::uint64_t copies = std::min<std::uint64_t>(groups, 2);
    for (const std::uint64_t base : {3U, 5U, 7U}) {
        for (std::uint64_t power = base; power < groups; power *= base) ++copies;
    }
    const std::uint64_t reserved = std::min(blocks / 50 + 1, kReserved);
    // The last group is dropped by mkfs when hardly more than its tables would fit.
    return groups * (2 + table) + copies * (1 + descriptors) + reserved + kSlack + table;
}

Result<Fd> find_program() {
    Result<Fd> found = base::fail(Errc::not_found, "");
    for (const char* path : {"/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"}) {
        found = sys::open_host(path, O_RDONLY);
        if (found) return found;
    }
    return base::fail(Errc::unsupported, "no mkfs.ext4; hint: apt-get install e2fsprogs");
}

Result<void> make_file_system(FdRef image, const ImageGeometry& geometry) {
    const Fd program = TRY(find_program());
    const std::vector<std::string> argv = {
            "mkfs.ext4", "-q", "-F", "-b", std::to_string(kImageBlock), "-I",
            std::to_string(kInodeBytes), "-N", std::to_string(geometry.inodes), "-m", "0", "-O",
            kFeatures, "-E",
            // The file is new and so full of zeroes: nothing to clear, now or behind.
            "nodiscard,lazy_itable_init=0,assume_storage_prezeroed=1,root_owner=0:0",
            "/proc/self/fd/3", std::to_string(geometry.blocks)};
    const std::vector<FdRef> fds = {image};
    const auto spawned = TRY(sys::spawn_detached(program, argv, fds).context("start mkfs.ext4"));
    ::pollfd ended = {.fd = spawned.pidfd.get(), .events = POLLIN, .revents = 0};
    int ready = 0;
    do {
        ready = ::poll(&ended, 1, kMakeTimeout);
    } while (ready < 0 && errno == EINTR);
    if (ready != 1) {
        (void)::syscall(SYS_pidfd_send_signal, spawned.pidfd.get(), SIGKILL, nullptr, 0);
        (void)::poll(&ended, 1, 1'000);
        (void)sys::reap(spawned.pidfd);
        return base::fail(Errc::timeout, "mkfs.ext4 did not end within {} ms", kMakeTimeout);
    }
    const auto status = TRY(sys::reap(spawned.pidfd));
    if (status.value_or(-1) != 0) {
        return base::fail(
                Errc::internal, "mkfs.ext4 of {} blocks and {} inodes ended with status {}",
                geometry.blocks, geometry.inodes, status.value_or(-1));
    }
    return base::ok;
}

Result<void> copy_range(FdRef from, FdRef to, off_t begin, off_t end) {
    off_t in = begin;
    off_t out = begin;
    while (in < end) {
        const ssize_t copied = ::copy_file_range(
                from.get(), &in, to.get(), &out, static_cast<std::size_t>(end - in), 0);
        if (copied < 0 && errno == EINTR) continue;
        if (copied < 0) return base::fail_errno("copy an image");
        if (copied == 0) return base::fail(Errc::corrupt, "copy an image: it became shorter");
    }
    return base::ok;
}

}  // namespace

ImageGeometry image_geometry(std::uint64_t limit) {
    ImageGeometry geometry;
    geometry.inodes = kLeastInodes + limit / kBytesPerInode;
    const std::uint64_t data = divide_up(limit, kImageBlock);
    geometry.blocks = data + overhead(data, geometry.inodes);
    for (int round = 0; round < 4; ++round)  // more blocks need more tables; it settles at once
        geometry.blocks = data + overhead(geometry.blocks, geometry.inodes);
    return geometry;
}

std::uint64_t grown_blocks(std::uint64_t limit, std::uint64_t blocks, std::uint64_t inodes) {
    const std::uint64_t per_group = divide_up(inodes, divide_up(blocks, kGroupBlocks));
    const std::uint64_t data = divide_up(limit, kImageBlock);
    std::uint64_t wanted = data;
    for (int round = 0; round < 5; ++round)
        wanted = data + overhead(wanted, per_group * divide_up(wanted, kGroupBlocks));
    return wanted;
}

Result<void> copy_image(FdRef from, FdRef to) {
    if (::ioctl(to.get(), FICLONE, from.get()) == 0) return base::ok;
    const auto status = TRY(sys::stat_fd(from));
    if (::ftruncate(to.get(), status.st_size) != 0) return base::fail_errno("size an image");
    off_t at = 0;
    while (at < status.st_size) {
        const off_t begin = ::lseek(from.get(), at, SEEK_DATA);
        if (begin < 0) {
            if (errno == ENXIO) break;  // a hole up to the end
            return base::fail_errno("look for the data of an image");
        }
        const off_t end = ::lseek(from.get(), begin, SEEK_HOLE);
        if (end < 0) return base::fail_errno("look for the holes of an image");
        TRY(copy_range(from, to, begin, end));
        at = end;
    }
    return base::ok;
}

Result<void> LoopTemplates::recover() {
    const std::lock_guard lock(mutex_);
    for (const auto& name : TRY(sys::list_directory(directory_))) {
        if (name.starts_with(kPrefix)) {
            kept_.emplace(name, 0);
        } else {
            TRY(sys::remove_at(directory_, name));
        }
    }
    return base::ok;
}

Result<Fd> LoopTemplates::get(std::uint64_t limit) {
    if (limit > kMaxImageLimit) {
        return base::fail(
                Errc::invalid, "disk limit of {} bytes: an image holds {} at most", limit,
                kMaxImageLimit);
    }
    const ImageGeometry geometry = image_geometry(limit);
    const std::string name = base::format("{}{}-{}", kPrefix, geometry.blocks, geometry.inodes);
    // Held while mkfs runs, some 10 ms: two creates of one new size start it once.
    const std::lock_guard lock(mutex_);
    // Each opening has its own offset: seeking in it disturbs nobody.
    auto opened = sys::open_at(directory_, name, O_RDONLY | O_NOFOLLOW);
    if (!opened && opened.error().sys != ENOENT) return opened;
    if (!opened) opened = make(name, geometry);
    if (!opened) return opened;
    kept_[name] = ++clock_;
    if (kept_.size() > kMaxKept) forget_oldest();
    return opened;
}

Result<Fd> LoopTemplates::make(const std::string& name, const ImageGeometry& geometry) {
    const std::string half = std::string(kHalfMade) + name;
    TRY(sys::remove_at(directory_, half));
    const Fd image =
            TRY(sys::open_at(directory_, half, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    auto made = [&]() -> Result<void> {
        if (::ftruncate(image.get(), static_cast<off_t>(geometry.blocks * kImageBlock)) != 0)
            return base::fail_errno("make an image of {} blocks", geometry.blocks);
        TRY(make_file_system(image, geometry));
        // A name that is there after a power cut must mean the whole image.
        if (::fdatasync(image.get()) != 0) return base::fail_errno("write an image");
        return sys::rename_at(directory_, half, directory_, name);
    }();
    if (!made) {
        (void)sys::remove_at(directory_, half);
        return std::move(made).error();
    }
    return sys::open_at(directory_, name, O_RDONLY | O_NOFOLLOW);
}

void LoopTemplates::forget_oldest() {
    const auto oldest = std::min_element(
            kept_.begin(), kept_.end(),
            [](const auto& a, const auto& b) { return a.second < b.second; });
    if (!sys::remove_at(directory_, oldest->first)) return;  // tried again with the next one
    kept_.erase(oldest);
}

}  // namespace rootfs
