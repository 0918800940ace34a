#include "base/clock.hpp"
#include "base/sys/file.hpp"
#include "base/sys/loop_device.hpp"
#include "base/sys/project_quota.hpp"
#include "rootfs/volumes.hpp"
#include "tests/kernel/rootfs/quota_world.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

using base::Errc;
using rootfs::QuotaDriver;
using test::QuotaWorld;
using test::run_inside;
using test::write_bytes;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

bool soon(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        base::pause_for(std::chrono::milliseconds(1));
    }
    return true;
}

}  // namespace

TEST_CASE("a loop volume has room for its limit and hardly more", "[root][quota]") {
    NEEDS(root, loop);
    QuotaWorld world(test::kLoop);
    unsigned number = 0;
    for (const std::uint64_t limit :
         {std::uint64_t{1}, kMiB, 10 * kMiB, 10 * kMiB + 1, 127 * kMiB, 128 * kMiB, 129 * kMiB,
          1000 * kMiB, 1 << 14 | std::uint64_t{5} << 30}) {
        INFO("limit " << limit);
        auto root = world.volumes->create(world.request("v" + std::to_string(number++), limit));
        if (!root) FAIL(root.error().text);
        struct ::statvfs figures = {};
        REQUIRE(::fstatvfs(root->get(), &figures) == 0);
        const std::uint64_t room = std::uint64_t{figures.f_bavail} * figures.f_frsize;
        CHECK(room >= limit);
        CHECK(room <= limit + limit / 50 + kMiB);
        CHECK(figures.f_favail >= 1000);
    }
}

TEST_CASE("no two threads get the same free loop device", "[root][quota]") {
    NEEDS(root, loop);
    base::sys::FreeLoops free;
    const auto control = base::sys::open_host("/dev/loop-control", O_RDWR).value();
    const auto first = free.take(control).value();
    const auto second = free.take(control).value();
    CHECK(first != second);  // though nobody has attached the first one yet
    free.give(first);
    free.give(second);
}

TEST_CASE("loop volumes are made by many threads at once", "[root][quota]") {
    NEEDS(root, loop);
    QuotaWorld world(test::kLoop);
    constexpr std::size_t kThreads = 8;
    std::vector<std::thread> threads;
    std::vector<std::string> failures(kThreads);
    for (std::size_t i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
            const auto name = "v" + std::to_string(i);
            const auto made = world.volumes->create(world.request(name, kMiB));
            if (!made) failures[i] = made.error().text;
        });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& failure : failures) CHECK(failure == "");
}

TEST_CASE("a loop volume is deleted when its last mount is gone", "[root][quota]") {
    NEEDS(root, loop);
    QuotaWorld world(test::kLoop);
    auto root = world.volumes->create(world.request("busy", 10 * kMiB));
    if (!root) FAIL(root.error().text);
    REQUIRE(run_inside(*root, nullptr, [] { return write_bytes("/file", kMiB); }) == 0);
    CHECK(test::loops_below(world.files / "volumes").size() == 1);
    REQUIRE(world.volumes->destroy("busy"));
    CHECK(world.volumes->list()->empty());
    base::pause_for(std::chrono::milliseconds(100));
    CHECK(world.volumes->deleting("busy"));  // ID-03: its ids are still in use
    CHECK(world.volumes->strays()->empty());
    root = base::Fd();
    world.wait_deleted("busy");
    CHECK(test::loops_below(world.files / "volumes").empty());
    CHECK(test::count_entries(world.files / "volumes/trash") == 0);
}

TEST_CASE(
        "a killed daemon leaves no loop device, and its volume can be destroyed", "[root][quota]") {
    NEEDS(root, loop);
    QuotaWorld world(test::kLoop);
    world.volumes.reset();
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        auto volumes = rootfs::Volumes::open(
                {.directory = world.files / "volumes", .driver = QuotaDriver::loop}, world.images);
        if (!volumes) ::_exit(1);
        auto root = (*volumes)->create(world.request("lost", 10 * kMiB));
        (void)!::write(ready[1], root ? "y" : "n", 1);
        for (;;) ::pause();
    }
    char answer = 'n';
    REQUIRE(::read(ready[0], &answer, 1) == 1);
    CHECK(answer == 'y');
    CHECK(test::loops_below(world.files / "volumes").size() == 1);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
    CHECK(soon([&] { return test::loops_below(world.files / "volumes").empty(); }));
    world.start();
    CHECK(*world.volumes->list() == std::vector<std::string>{"lost"});
    CHECK(world.volumes->usage("lost"));
    REQUIRE(world.volumes->destroy("lost"));
    world.wait_deleted("");
    CHECK(test::count_entries(world.files / "volumes/trash") == 0);
}

TEST_CASE("a loop volume whose file is gone is a stray", "[root][quota]") {
    NEEDS(root, loop);
    QuotaWorld world(test::kLoop);
    auto root = world.volumes->create(world.request("torn", 10 * kMiB));
    if (!root) FAIL(root.error().text);
    REQUIRE(::unlink((world.files / "volumes/volumes/torn/disk").c_str()) == 0);
    const auto strays = world.volumes->strays();
    REQUIRE(strays);
    REQUIRE(strays->size() == 1);
    CHECK(strays->front().find("/dev/loop") == 0);
    root = base::Fd();
    CHECK(soon([&] { return world.volumes->strays()->empty(); }));
}

TEST_CASE("a loop volume gives deleted space back to the host", "[root][quota]") {
    NEEDS(root, loop);
    QuotaWorld world(test::kLoop);
    auto root = world.volumes->create(world.request("trim", 100 * kMiB));
    if (!root) FAIL(root.error().text);
    const auto blocks = [&] {
        struct ::stat status = {};
        REQUIRE(::stat((world.files / "volumes/volumes/trim/disk").c_str(), &status) == 0);
        return static_cast<std::uint64_t>(status.st_blocks) * 512;
    };
    CHECK(blocks() < kMiB);
    REQUIRE(run_inside(*root, nullptr, [] {
                const int error = write_bytes("/much", 40 * kMiB);
                ::sync();
                return error;
            }) == 0);
    CHECK(blocks() >= 40 * kMiB);
    REQUIRE(run_inside(*root, nullptr, [] {
                const int result = ::unlink("/much");
                ::sync();
                return result;
            }) == 0);
    CHECK(soon([&] { return blocks() < 4 * kMiB; }));
    struct ::statvfs flags = {};
    REQUIRE(::fstatvfs(root->get(), &flags) == 0);
    CHECK((flags.f_flag & ST_NODEV) != 0);
}

TEST_CASE("probing takes the best driver and says why not the others", "[root][quota]") {
    NEEDS(root, loop);
    QuotaWorld plain(test::kNone);
    const auto probe = rootfs::probe_quota(plain.files / "volumes");
    INFO(probe.why);
    CHECK(probe.driver == QuotaDriver::loop);
    CHECK(probe.why.find("not xfs: ") != std::string::npos);
    CHECK(probe.why.find("not btrfs: not btrfs") != std::string::npos);
    CHECK(test::loops_below(plain.files / "volumes").empty());
    CHECK_FALSE(*base::sys::exists_at(
            *base::sys::open_host(plain.files / "volumes", O_RDONLY), "probe-quota"));
    for (const auto* kind : {&test::kXfs, &test::kExt4}) {
        test::FileSystem files(*kind);
        if (!files.missing().empty()) continue;
        CHECK(rootfs::probe_quota(files / "").driver == QuotaDriver::xfs);
    }
    const auto unknown = rootfs::choose_quota("zfs", plain.files / "volumes");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().kind == Errc::invalid);
    CHECK(unknown.error().text.find("zfs") != std::string::npos);
    CHECK(rootfs::choose_quota("xfs", plain.files / "volumes").error().kind == Errc::unsupported);
    CHECK(rootfs::choose_quota("none", plain.files / "volumes")->driver == QuotaDriver::none);
    CHECK(rootfs::probe_quota("/nowhere").driver == QuotaDriver::none);
}

TEST_CASE("two volumes never share a project, also after a restart", "[root][quota]") {
    NEEDS(root);
    QuotaWorld world(test::kXfs);
    if (world.skip()) return;
    const auto project = [&](const std::string& name) {
        auto volume = base::sys::open_host(world.files / ("volumes/volumes/" + name), O_RDONLY);
        REQUIRE(volume);
        return base::sys::project_of(*volume)->id;
    };
    REQUIRE(world.volumes->create(world.request("a", kMiB)));
    REQUIRE(world.volumes->create(world.request("b", kMiB)));
    world.start();
    REQUIRE(world.volumes->create(world.request("c", kMiB)));
    CHECK(project("a") != project("b"));
    CHECK(project("a") != project("c"));
    CHECK(project("b") != project("c"));
    CHECK(project("a") / 65'536 == project("c") / 65'536);
}

TEST_CASE("a limit costs little", "[.bench][root][quota]") {
    NEEDS(root, loop);
    for (const auto* kind :
         {&test::kNone, &test::kXfs, &test::kExt4, &test::kBtrfs, &test::kLoop}) {
        QuotaWorld world(*kind);
        if (world.skip()) continue;
        for (const std::uint64_t limit : {std::uint64_t{0}, 100 * kMiB}) {
            if (limit != 0 && kind == &test::kNone) continue;
            constexpr int kCount = 100;
            std::vector<base::Fd> roots;
            (void)world.volumes->create(world.request("first", limit));
            auto start = std::chrono::steady_clock::now();
            for (int i = 0; i < kCount; ++i) {
                auto root = world.volumes->create(world.request("v" + std::to_string(i), limit));
                if (!root) FAIL(root.error().text);
                roots.push_back(std::move(*root));
            }
            const auto create = std::chrono::steady_clock::now() - start;
            start = std::chrono::steady_clock::now();
            for (int i = 0; i < kCount; ++i) REQUIRE(world.volumes->usage("v" + std::to_string(i)));
            const auto usage = std::chrono::steady_clock::now() - start;
            roots.clear();
            start = std::chrono::steady_clock::now();
            for (int i = 0; i < kCount; ++i)
                REQUIRE(world.volumes->destroy("v" + std::to_string(i)));
            REQUIRE(world.volumes->destroy("first"));
            world.wait_deleted("");
            const auto destroy = std::chrono::steady_clock::now() - start;
            const auto each = [](auto taken) {
                return std::chrono::duration_cast<std::chrono::microseconds>(taken).count() /
                       kCount;
            };
            WARN(rootfs::to_string(kind->driver)
                 << " " << kind->type << (limit == 0 ? " unlimited" : " limited") << ": create "
                 << each(create) << " us, usage " << each(usage) << " us, destroy " << each(destroy)
                 << " us");
        }
    }
}

TEST_CASE("a project of its own costs a volume less than a millisecond", "[.bench][root][quota]") {
    NEEDS(root);
    QuotaWorld world(test::kXfs);
    if (world.skip()) return;
    REQUIRE(base::sys::ensure_directory(world.files / "plain", 0700));
    auto plain = rootfs::Volumes::open({.directory = world.files / "plain"}, world.images);
    REQUIRE(plain);
    using Clock = std::chrono::steady_clock;
    std::vector<Clock::duration> with;
    std::vector<Clock::duration> without;
    std::vector<base::Fd> roots;
    // By turns on one file system, and the middle of each: a busy machine says nothing then.
    for (int i = 0; i < 150; ++i) {
        for (const bool limited : {false, true}) {
            auto& volumes = limited ? world.volumes : *plain;
            const auto request = world.request("v" + std::to_string(i), limited ? 10 * kMiB : 0);
            const auto start = Clock::now();
            auto root = volumes->create(request);
            (limited ? with : without).push_back(Clock::now() - start);
            REQUIRE(root);
            roots.push_back(std::move(*root));
        }
    }
    const auto middle = [](std::vector<Clock::duration>& times) {
        std::sort(times.begin(), times.end());
        return std::chrono::duration_cast<std::chrono::microseconds>(times[times.size() / 2]);
    };
    const auto none = middle(without);
    const auto xfs = middle(with);
    WARN("create: none " << none.count() << " us, with a project " << xfs.count() << " us");
    // An emulated processor takes some ten times as long.
    CHECK((xfs - none).count() < (std::getenv("VM_GUEST") != nullptr ? 10'000 : 1'000));
}
