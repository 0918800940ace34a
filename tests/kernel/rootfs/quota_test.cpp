#include "base/sys/file.hpp"
#include "rootfs/volumes.hpp"
#include "tests/kernel/rootfs/quota_world.hpp"
#include "tests/support/needs.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

using base::Errc;
using rootfs::QuotaDriver;
using rootfs::QuotaScope;
using test::QuotaWorld;
using test::run_inside;
using test::UserNamespace;
using test::write_bytes;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

bool full(int error) {
    return error == EDQUOT || error == ENOSPC;
}

// garden-behaviours B.6: 10 MiB take 9, not 11; whoever writes; and nobody else notices.
void check_limit(const test::Kind& kind) {
    QuotaWorld world(kind);
    if (world.skip()) return;
    UserNamespace first(0x11000000);
    UserNamespace second(0x11010000);
    auto a = world.volumes->create(world.request("a", 10 * kMiB, &first));
    if (!a) FAIL(a.error().text);
    auto b = world.volumes->create(world.request("b", 10 * kMiB, &second));
    auto host = world.volumes->create(world.request("host", 10 * kMiB));
    auto free = world.volumes->create(world.request("free", 0, &second));
    REQUIRE(b);
    REQUIRE(host);
    REQUIRE(free);
    CHECK(run_inside(*a, &first, [] { return write_bytes("/nine", 9 * kMiB); }) == 0);
    CHECK(full(run_inside(*a, &first, [] { return write_bytes("/more", 2 * kMiB); })));
    CHECK(run_inside(*b, &second, [] { return write_bytes("/nine", 9 * kMiB); }) == 0);
    CHECK(full(run_inside(*host, nullptr, [] { return write_bytes("/much", 11 * kMiB); })));
    CHECK(run_inside(*free, &second, [] { return write_bytes("/much", 40 * kMiB); }) == 0);
    // Another user of the same container shares its limit, and what is deleted comes back.
    CHECK(run_inside(*a, &first, [] {
              if (::unlink("/more") != 0 || ::unlink("/nine") != 0) return errno;
              ::sync();
              if (::mkdir("/home", 0777) != 0 || ::chmod("/home", 0777) != 0) return errno;
              if (::setresuid(1000, 1000, 1000) != 0) return errno;
              return write_bytes("/home/alice", 8 * kMiB);
          }) == 0);
    CHECK(full(run_inside(*a, &first, [] {
        if (::setresuid(1001, 1001, 1001) != 0) return -1;
        return write_bytes("/home/bob", 3 * kMiB);
    })));
    CHECK(run_inside(*a, &first, [] { return ::unlink("/home/alice"); }) == 0);
}

// B.6 disk metrics: at once, both scopes, within 1 MiB.
void check_usage(const test::Kind& kind) {
    QuotaWorld world(kind);
    if (world.skip()) return;
    auto request = world.request("used", 500 * kMiB);
    request.scope = QuotaScope::total;
    auto root = world.volumes->create(request);
    if (!root) FAIL(root.error().text);
    const auto before = world.volumes->usage("used");
    REQUIRE(before);
    CHECK(before->exclusive_bytes < kMiB);
    std::uint64_t expected = before->exclusive_bytes;
    for (const std::uint64_t size : {3 * kMiB, 10 * kMiB}) {
        const std::string file = "/file" + std::to_string(size);
        REQUIRE(run_inside(*root, nullptr, [&] { return write_bytes(file.c_str(), size); }) == 0);
        expected += size;
        const auto used = world.volumes->usage("used");
        REQUIRE(used);
        CHECK(used->exclusive_bytes + kMiB > expected);
        CHECK(used->exclusive_bytes < expected + kMiB);
        CHECK(used->total_bytes == used->exclusive_bytes + world.image.size);
    }
    auto free = world.volumes->create(world.request("free", 0));
    REQUIRE(free);
    REQUIRE(run_inside(*free, nullptr, [] { return write_bytes("/file", 2 * kMiB); }) == 0);
    const auto used = world.volumes->usage("free");
    REQUIRE(used);
    CHECK(used->exclusive_bytes >= 2 * kMiB);
    CHECK(used->exclusive_bytes < 3 * kMiB);
}

void check_total_scope(const test::Kind& kind) {
    QuotaWorld world(kind);
    if (world.skip()) return;
    auto request = world.request("total", 12 * kMiB);  // the image has 3
    request.scope = QuotaScope::total;
    auto root = world.volumes->create(request);
    if (!root) FAIL(root.error().text);
    CHECK(run_inside(*root, nullptr, [] { return write_bytes("/eight", 8 * kMiB); }) == 0);
    CHECK(full(run_inside(*root, nullptr, [] { return write_bytes("/more", 2 * kMiB); })));
    request.name = "small";
    request.quota_bytes = 2 * kMiB;
    const auto refused = world.volumes->create(request);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Errc::exhausted);
    CHECK(refused.error().text.find("2097152") != std::string::npos);
    CHECK(refused.error().text.find("3145728") != std::string::npos);
    CHECK(*world.volumes->list() == std::vector<std::string>{"total"});
}

void check_restart(const test::Kind& kind) {
    QuotaWorld world(kind);
    if (world.skip()) return;
    auto root = world.volumes->create(world.request("kept", 10 * kMiB));
    if (!root) FAIL(root.error().text);
    auto gone = world.volumes->create(world.request("gone", 10 * kMiB));
    REQUIRE(gone);
    REQUIRE(run_inside(*root, nullptr, [] { return write_bytes("/six", 6 * kMiB); }) == 0);
    world.start();
    auto fresh = world.volumes->create(world.request("fresh", 10 * kMiB));
    if (!fresh) FAIL(fresh.error().text);
    CHECK(run_inside(*fresh, nullptr, [] { return write_bytes("/nine", 9 * kMiB); }) == 0);
    const auto used = world.volumes->usage("kept");
    REQUIRE(used);
    CHECK(used->exclusive_bytes >= 6 * kMiB);
    CHECK(used->exclusive_bytes < 7 * kMiB);
    CHECK(full(run_inside(*root, nullptr, [] { return write_bytes("/five", 5 * kMiB); })));
    root = base::Fd();
    gone = base::Fd();
    fresh = base::Fd();
    for (const char* name : {"kept", "gone", "fresh"}) REQUIRE(world.volumes->destroy(name));
    world.wait_deleted("");
    CHECK(test::count_entries(world.files / "volumes/trash") == 0);
    CHECK(test::loops_below(world.files / "volumes").empty());
    CHECK(world.volumes->strays()->empty());
}

// Many at once, with odd sizes, made and destroyed by turns.
void check_many(const test::Kind& kind) {
    QuotaWorld world(kind);
    if (world.skip()) return;
    for (int round = 0; round < 2; ++round) {
        std::vector<base::Fd> roots;
        for (unsigned i = 0; i < 12; ++i) {
            auto root = world.volumes->create(
                    world.request("v" + std::to_string(i), 4 * kMiB + i % 4 * 12'345));
            if (!root) FAIL(root.error().text);
            CHECK(run_inside(*root, nullptr, [] { return write_bytes("/three", 3 * kMiB); }) == 0);
            CHECK(full(run_inside(*root, nullptr, [] { return write_bytes("/two", 2 * kMiB); })));
            roots.push_back(std::move(*root));
        }
        CHECK(test::count_entries(world.files / "volumes/volumes") == 12);
        roots.clear();
        for (unsigned i = 0; i < 12; ++i) REQUIRE(world.volumes->destroy("v" + std::to_string(i)));
        world.wait_deleted("");
    }
    CHECK(test::count_entries(world.files / "volumes/trash") == 0);
    CHECK(test::loops_below(world.files / "volumes").empty());
}

}  // namespace

TEST_CASE("the limit of a volume holds with XFS project quotas", "[root][quota]") {
    NEEDS(root, userns);
    check_limit(test::kXfs);
}

TEST_CASE("the limit of a volume holds with ext4 project quotas", "[root][quota]") {
    NEEDS(root, userns);
    check_limit(test::kExt4);
}

TEST_CASE("the limit of a volume holds with btrfs quota groups", "[root][quota]") {
    NEEDS(root, userns);
    check_limit(test::kBtrfs);
}

TEST_CASE("the limit of a volume holds with loop images", "[root][quota]") {
    NEEDS(root, userns, loop);
    check_limit(test::kLoop);
}

TEST_CASE("usage follows what is written, in both scopes, with every driver", "[root][quota]") {
    NEEDS(root);
    for (const auto* kind :
         {&test::kNone, &test::kXfs, &test::kExt4, &test::kBtrfs, &test::kLoop}) {
        INFO("driver " << rootfs::to_string(kind->driver) << " " << kind->type);
        if (kind != &test::kNone) check_usage(*kind);
    }
}

TEST_CASE("the image counts in scope total with every driver", "[root][quota]") {
    NEEDS(root);
    for (const auto* kind : {&test::kXfs, &test::kExt4, &test::kBtrfs, &test::kLoop}) {
        INFO("driver " << rootfs::to_string(kind->driver) << " " << kind->type);
        check_total_scope(*kind);
    }
}

TEST_CASE("a restart keeps limits and usage with every driver", "[root][quota]") {
    NEEDS(root);
    for (const auto* kind : {&test::kXfs, &test::kExt4, &test::kBtrfs, &test::kLoop}) {
        INFO("driver " << rootfs::to_string(kind->driver) << " " << kind->type);
        check_restart(*kind);
    }
}

TEST_CASE("volumes with limits come and go and leave nothing", "[root][quota]") {
    NEEDS(root);
    for (const auto* kind : {&test::kXfs, &test::kExt4, &test::kBtrfs, &test::kLoop}) {
        INFO("driver " << rootfs::to_string(kind->driver) << " " << kind->type);
        check_many(*kind);
    }
}
