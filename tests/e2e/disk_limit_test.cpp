// A disk limit changed while its container lives, through the API and over crashes of gardend.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/e2e/trouble.hpp"
#include "tests/support/needs.hpp"

#include <catch2/catch.hpp>

using test::Daemon;
using test::process;
using test::run_to_end;
using test::SmallDisk;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

int write_mib(Daemon& daemon, const std::string& file, int count) {
    return run_to_end(
                   daemon.client(), "box",
                   process(
                           {"dd", "if=/dev/zero", "of=" + file, "bs=1M",
                            "count=" + std::to_string(count)}))
            .code;
}

void create(Daemon& daemon, std::uint64_t bytes) {
    auto spec = daemon.spec("box");
    spec.limits.disk_limits = {.byte_hard = bytes, .scope = 1};
    const auto made = daemon.client().create(spec);
    if (!made) FAIL(made.error().text);
}

}  // namespace

TEST_CASE("a disk limit is changed in both scopes, told, and kept over a crash of gardend") {
    NEEDS(root, nft, loop);
    SmallDisk disk(SmallDisk::Kind::btrfs, 512);
    Daemon daemon({.flags = {"--quota-driver", "btrfs"}, .store = disk.path() + "/store"});
    create(daemon, 10 * kMiB);
    CHECK(write_mib(daemon, "/nine", 9) == 0);
    CHECK(write_mib(daemon, "/more", 2) != 0);
    CHECK(run_to_end(daemon.client(), "box", process({"busybox", "rm", "/more"})).code == 0);
    const auto wider = daemon.client().set_disk_limits("box", {.byte_hard = 30 * kMiB, .scope = 1});
    if (!wider) FAIL(wider.error().text);
    CHECK(wider->byte_hard == 30 * kMiB);
    CHECK(wider->scope == 1);
    CHECK(write_mib(daemon, "/ten", 10) == 0);

    daemon.restart();
    const auto kept = daemon.client().disk_limits("box");
    REQUIRE(kept);
    CHECK(kept->byte_hard == 30 * kMiB);
    CHECK(write_mib(daemon, "/twenty", 20) != 0);
    CHECK(run_to_end(
                  daemon.client(), "box", process({"sh", "-c", "busybox rm /twenty; busybox sync"}))
                  .code == 0);

    const auto below = daemon.client().set_disk_limits("box", {.byte_hard = 5 * kMiB, .scope = 1});
    REQUIRE_FALSE(below);
    CHECK(below.error().text.find("limits.disk_limits.byte_hard: 5242880") != std::string::npos);
    CHECK(below.error().text.find("below what is in use") != std::string::npos);
    CHECK(daemon.client().disk_limits("box")->byte_hard == 30 * kMiB);

    // In total the image counts as well, so less is left of the same figure.
    const auto metrics = daemon.client().metrics("box");
    REQUIRE(metrics);
    const auto image =
            metrics->disk_stat.total_bytes_used - metrics->disk_stat.exclusive_bytes_used;
    const auto total = daemon.client().set_disk_limits("box", {.byte_hard = 24 * kMiB + image});
    if (!total) FAIL(total.error().text);
    CHECK(total->scope == 0);
    CHECK(write_mib(daemon, "/four", 4) == 0);
    CHECK(write_mib(daemon, "/three", 3) != 0);
    const auto none = daemon.client().set_disk_limits("box", {});
    REQUIRE(none);
    CHECK(none->byte_hard == 0);
    daemon.restart();
    CHECK(write_mib(daemon, "/forty", 40) == 0);
}

TEST_CASE("a disk limit that the driver cannot change is refused by name and stays what it was") {
    NEEDS(root, nft, loop);
    Daemon daemon({.flags = {"--quota-driver", "loop"}});
    create(daemon, 10 * kMiB);
    for (const std::uint64_t bytes : {std::uint64_t{0}, 5 * kMiB}) {
        const auto refused =
                daemon.client().set_disk_limits("box", {.byte_hard = bytes, .scope = 1});
        REQUIRE_FALSE(refused);
        CHECK(refused.error().text.find("driver loop") != std::string::npos);
    }
    const auto kept = daemon.client().disk_limits("box");
    REQUIRE(kept);
    CHECK(kept->byte_hard == 10 * kMiB);
    CHECK(write_mib(daemon, "/eleven", 11) != 0);
}
