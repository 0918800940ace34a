#include "tests/kernel/rootfs/quota_world.hpp"

#include "base/clock.hpp"
#include "base/sys/file.hpp"
#include "base/sys/loop_device.hpp"
#include "base/sys/mount.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/mount.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>

#include <catch2/catch.hpp>

namespace test {

namespace {

constexpr off_t kSize = off_t{1} << 30;  // sparse

}  // namespace

using rootfs::QuotaDriver;

const Kind kXfs = {
        .type = "xfs",
        .make = {"/usr/sbin/mkfs.xfs", "-q"},
        .options = {"prjquota"},
        .driver = QuotaDriver::xfs};
const Kind kExt4 = {
        .type = "ext4",
        .make =
                {"/usr/sbin/mkfs.ext4", "-q", "-F", "-O", "quota,project", "-E",
                 "quotatype=prjquota"},
        .options = {"prjquota"},
        .driver = QuotaDriver::xfs};
const Kind kBtrfs = {
        .type = "btrfs",
        .make = {"/usr/sbin/mkfs.btrfs", "-q"},
        .options = {},
        .driver = QuotaDriver::btrfs};
const Kind kLoop = {.type = "", .make = {}, .options = {}, .driver = QuotaDriver::loop};
const Kind kNone = {.type = "", .make = {}, .options = {}, .driver = QuotaDriver::none};

int run_program(const std::vector<std::string>& argv) {
    std::vector<char*> words;
    for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const int null = ::open("/dev/null", O_RDWR);
        for (int i = 0; i < 3; ++i) ::dup2(null, i);
        ::execv(words[0], words.data());
        ::_exit(127);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

FileSystem::FileSystem(const Kind& kind) : mounted_on_(scratch_.path()) {
    if (::geteuid() != 0) {
        missing_ = "not root";
    } else if (!kind.type.empty()) {
        mounted_on_ = scratch_ / "mounted";
        REQUIRE(::mkdir(mounted_on_.c_str(), 0700) == 0);
        make(kind);
    }
}

void FileSystem::make(const Kind& kind) {
    auto image = base::sys::open_host(scratch_ / "disk", O_RDWR | O_CREAT | O_EXCL, 0600);
    REQUIRE(image);
    REQUIRE(::ftruncate(image->get(), kSize) == 0);
    auto argv = kind.make;
    argv.push_back(scratch_ / "disk");
    if (run_program(argv) != 0) {
        missing_ = argv.front() + " is missing or fails";
        return;
    }
    base::sys::FreeLoops free;
    auto loop = base::sys::attach_loop(free, *image, "cloche test", 512);
    if (!loop) {
        missing_ = "no loop devices: " + loop.error().text;
        return;
    }
    number_ = loop->number;
    const auto mounted = [&]() -> base::Result<void> {
        auto context = TRY(base::sys::fs_open(kind.type));
        TRY(base::sys::fs_set_string(context, "source", base::sys::loop_path(number_)));
        for (const auto& option : kind.options) TRY(base::sys::fs_set_flag(context, option));
        TRY(base::sys::fs_create(context));
        auto tree = TRY(base::sys::fs_mount(context, MOUNT_ATTR_NODEV));
        return base::sys::attach_mount(tree, base::FdRef{AT_FDCWD}, mounted_on_);
    }();
    mounted_ = mounted.has_value();
    if (!mounted) missing_ = "this kernel cannot mount " + kind.type + ": " + mounted.error().text;
}

FileSystem::~FileSystem() {
    if (mounted_) (void)base::sys::detach_mount(mounted_on_);
}

QuotaWorld::QuotaWorld(const Kind& kind)
    : files(kind), images(scratch / "layers"), driver(kind.driver) {
    REQUIRE(::mkdir((scratch / "layers").c_str(), 0755) == 0);
    REQUIRE(::mkdir((scratch / "layers/low").c_str(), 0755) == 0);
    write_file(scratch / "layers/low/file", "low");
    image.layers = {"low"};
    image.size = 3 << 20;
    if (files.missing().empty()) start();
}

bool QuotaWorld::skip() const {
    if (files.missing().empty()) return false;
    std::cout << "SKIP: " << Catch::getResultCapture().getCurrentTestName() << ": "
              << files.missing() << std::endl;
    const char* strict = std::getenv("CLOCHE_NO_SKIP");
    if (strict != nullptr && std::string(strict) == "1")
        FAIL("skipped although CLOCHE_NO_SKIP=1: " << files.missing());
    return true;
}

void QuotaWorld::start() {
    volumes.reset();
    REQUIRE(base::sys::ensure_directory(files / "volumes", 0700));
    auto probe = rootfs::choose_quota(rootfs::to_string(driver), files / "volumes");
    if (!probe) FAIL(probe.error().text);
    auto opened = rootfs::Volumes::open(
            {.directory = files / "volumes", .driver = probe->driver, .why = probe->why}, images);
    if (!opened) FAIL(opened.error().text);
    volumes = std::move(*opened);
}

rootfs::VolumeRequest QuotaWorld::request(
        const std::string& name, std::uint64_t limit, const UserNamespace* user_namespace) const {
    rootfs::VolumeRequest request;
    request.name = name;
    request.image = &image;
    request.quota_bytes = limit;
    if (user_namespace != nullptr) {
        request.user_namespace = user_namespace->fd();
        request.owner_uid = user_namespace->base();
        request.owner_gid = user_namespace->base();
    }
    return request;
}

void QuotaWorld::wait_deleted(const std::string& name) const {
    // An emulated machine gets a share of one that may be busy.
    const std::chrono::seconds patience(std::getenv("VM_GUEST") != nullptr ? 300 : 60);
    const auto end = std::chrono::steady_clock::now() + patience;
    while (volumes->deleting(name) && std::chrono::steady_clock::now() < end)
        base::pause_for(std::chrono::milliseconds(1));
    REQUIRE_FALSE(volumes->deleting(name));
}

int write_bytes(const char* path, std::uint64_t size) {
    static const std::string block(64 << 10, 'x');
    const int fd = ::open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0) return errno;
    while (size > 0) {
        const ssize_t n = ::write(fd, block.data(), std::min<std::uint64_t>(size, block.size()));
        if (n < 0) return errno;
        size -= static_cast<std::uint64_t>(n);
    }
    return ::close(fd) == 0 ? 0 : errno;
}

std::vector<std::string> loops_below(const std::string& directory) {
    std::vector<std::string> found;
    auto blocks = base::sys::open_host("/sys/block", O_RDONLY | O_DIRECTORY);
    REQUIRE(blocks);
    auto names = base::sys::list_directory(*blocks);
    REQUIRE(names);
    for (const auto& name : *names) {
        auto file = base::sys::read_file_at(*blocks, name + "/loop/backing_file", 8'192);
        if (file && file->starts_with(directory + "/")) found.push_back(name + " " + *file);
    }
    return found;
}

}  // namespace test
