// The limit of a volume in use is changed, with every driver that can; who cannot says so.
#include "tests/kernel/rootfs/quota_world.hpp"
#include "tests/support/needs.hpp"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <linux/capability.h>

using base::Errc;
using rootfs::QuotaScope;
using test::QuotaWorld;
using test::run_inside;
using test::write_bytes;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr auto kExclusive = QuotaScope::exclusive;

bool full(int error) {
    return error == EDQUOT || error == ENOSPC;
}

int write_in(const base::Fd& root, const char* file, std::uint64_t size) {
    return run_inside(root, nullptr, [&] { return write_bytes(file, size); });
}

// What the kernel wants of who makes an ext4 larger in use.
bool may_grow_ext4() {
    return ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) == 1;
}

void check_wider(QuotaWorld& world, const base::Fd& root) {
    REQUIRE(write_in(root, "/nine", 9 * kMiB) == 0);
    CHECK(full(write_in(root, "/more", 2 * kMiB)));
    REQUIRE(run_inside(root, nullptr, [] { return ::unlink("/more"); }) == 0);
    const auto wider = world.volumes->limit("v", 20 * kMiB, kExclusive);
    if (!wider) FAIL(wider.error().text);
    CHECK(write_in(root, "/nine-again", 9 * kMiB) == 0);
    CHECK(full(write_in(root, "/four", 4 * kMiB)));
    CHECK(world.volumes->usage("v")->exclusive_bytes >= 18 * kMiB);
}

void check_narrower(QuotaWorld& world, const base::Fd& root) {
    REQUIRE(run_inside(root, nullptr, [] {
                if (::unlink("/nine") != 0 || ::unlink("/four") != 0) return errno;
                ::sync();
                return 0;
            }) == 0);
    const auto below = world.volumes->limit("v", 5 * kMiB, kExclusive);
    REQUIRE_FALSE(below);
    CHECK(below.error().kind == Errc::conflict);
    CHECK(below.error().text.find("5242880 bytes are below what is in use") != std::string::npos);
    // The image has 3 MiB: of 15 in total 12 are left.
    const auto total = world.volumes->limit("v", 15 * kMiB, QuotaScope::total);
    if (!total) FAIL(total.error().text);
    CHECK(full(write_in(root, "/four", 4 * kMiB)));
    REQUIRE(run_inside(root, nullptr, [] { return ::unlink("/four"); }) == 0);
    const auto no_room = world.volumes->limit("v", 2 * kMiB, QuotaScope::total);
    REQUIRE_FALSE(no_room);
    CHECK(no_room.error().kind == Errc::exhausted);
    world.start();  // as after a restart: the same limit is no change, and it still holds
    CHECK(world.volumes->limit("v", 15 * kMiB, QuotaScope::total));
    CHECK(full(write_in(root, "/four", 4 * kMiB)));
    const auto none = world.volumes->limit("v", 0, kExclusive);
    if (!none) FAIL(none.error().text);
    CHECK(write_in(root, "/thirty", 30 * kMiB) == 0);
}

void check_change(const test::Kind& kind) {
    QuotaWorld world(kind);
    if (world.skip()) return;
    auto root = world.volumes->create(world.request("v", 10 * kMiB));
    if (!root) FAIL(root.error().text);
    check_wider(world, *root);
    check_narrower(world, *root);
    CHECK(world.volumes->limit("unknown", kMiB, kExclusive).error().kind == Errc::not_found);
}

std::string refusal(QuotaWorld& world, const char* name, std::uint64_t limit) {
    const auto changed = world.volumes->limit(name, limit, kExclusive);
    REQUIRE_FALSE(changed);
    CHECK(changed.error().kind == Errc::unsupported);
    return changed.error().text;
}

}  // namespace

TEST_CASE("XFS: the project of a volume in use gets another limit", "[root][quota]") {
    NEEDS(root);
    check_change(test::kXfs);
}

TEST_CASE("ext4: the project of a volume in use gets another limit", "[root][quota]") {
    NEEDS(root);
    check_change(test::kExt4);
}

TEST_CASE("btrfs: the quota group of a volume in use gets another limit", "[root][quota]") {
    NEEDS(root);
    check_change(test::kBtrfs);
}

TEST_CASE("loop: the image of a volume in use grows and does not shrink", "[root][quota]") {
    NEEDS(root, loop);
    QuotaWorld world(test::kLoop);
    auto root = world.volumes->create(world.request("v", 10 * kMiB));
    if (!root) FAIL(root.error().text);
    CHECK(refusal(world, "v", 5 * kMiB).find("does not shrink") != std::string::npos);
    CHECK(refusal(world, "v", 0).find("driver loop") != std::string::npos);
    if (!may_grow_ext4()) {
        CHECK(refusal(world, "v", 20 * kMiB).find("CAP_SYS_RESOURCE") != std::string::npos);
        REQUIRE(write_in(*root, "/nine", 9 * kMiB) == 0);
        CHECK(full(write_in(*root, "/more", 2 * kMiB)));
        return;
    }
    check_wider(world, *root);
    // Through more groups, and then more blocks of descriptors, than the image was made for.
    for (const std::uint64_t limit : {1000 * kMiB, 9000 * kMiB}) {
        const auto grown = world.volumes->limit("v", limit, kExclusive);
        if (!grown) FAIL(grown.error().text);
        struct ::statvfs figures = {};
        REQUIRE(::fstatvfs(root->get(), &figures) == 0);
        const std::uint64_t room = std::uint64_t{figures.f_bavail} * figures.f_frsize +
                                   world.volumes->usage("v")->exclusive_bytes;
        CHECK(room >= limit);
        CHECK(room <= limit + limit / 25 + kMiB);
    }
    CHECK(write_in(*root, "/fifty", 50 * kMiB) == 0);
}

TEST_CASE("a volume made without a limit gets one where its driver can", "[root][quota]") {
    NEEDS(root);
    for (const auto* kind :
         {&test::kXfs, &test::kExt4, &test::kBtrfs, &test::kLoop, &test::kNone}) {
        INFO("driver " << rootfs::to_string(kind->driver) << " " << kind->type);
        QuotaWorld world(*kind);
        if (world.skip()) continue;
        auto root = world.volumes->create(world.request("free", 0));
        if (!root) FAIL(root.error().text);
        CHECK(world.volumes->limit("free", 0, QuotaScope::total));
        if (kind->driver == rootfs::QuotaDriver::xfs) {
            CHECK(world.volumes->limit("free", 10 * kMiB, kExclusive));
            CHECK(full(write_in(*root, "/much", 11 * kMiB)));
        } else {
            const std::string driver = "driver " + std::string(rootfs::to_string(kind->driver));
            CHECK(refusal(world, "free", 10 * kMiB).find(driver) != std::string::npos);
            CHECK(write_in(*root, "/much", 11 * kMiB) == 0);
        }
    }
}
