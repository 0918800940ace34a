// Limits that change while a container lives; and Garden's shared host ids.
#include "engine_fixture.hpp"
#include "tests/support/needs.hpp"

#include <sys/stat.h>

#include <filesystem>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;

TEST_CASE("limits of a living container change at once and stay after a restart") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto& engine = fixture.engine();
    auto spec = fixture.spec("sandbox");
    spec.limits.memory_bytes = 64 << 20;
    spec.limits.cpu_shares = 100;
    spec.limits.pids = 50;
    const auto handle = engine.create(std::move(spec), {}).value();
    const std::vector<std::string> fill{"dd", "if=/dev/zero", "of=/dev/shm/a", "bs=1M", "count=40"};
    CHECK(fixture.run(handle, fill).exit_code == 0);
    CHECK(fixture.run(handle, {"busybox", "rm", "/dev/shm/a"}).exit_code == 0);

    CHECK(engine.change_limits(handle, {.memory_bytes = 32 << 20}).value().memory_bytes ==
          32 << 20);
    CHECK(fixture.run(handle, fill).exit_code != 0);
    CHECK(fixture.run(handle, {"busybox", "rm", "-f", "/dev/shm/a"}).exit_code == 0);
    CHECK(engine.change_limits(handle, {.memory_bytes = 128 << 20}).value().memory_bytes ==
          128 << 20);
    CHECK(fixture.run(handle, fill).exit_code == 0);

    LimitsChange shares;
    shares.cpu = LimitsChange::Cpu{.weight = 280, .shares = 7};
    const auto before = engine.limits(handle).value().cpu_shares;
    const auto after = engine.change_limits(handle, shares).value();
    CHECK(after.cpu_shares != before);
    CHECK(after.cpu_weight == 0);
    CHECK(engine.change_limits(handle, {.pids = 7}).value().pids == 7);
    CHECK(fixture.run(handle, {"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done"})
                  .exit_code != 0);

    fixture.restart();
    const auto kept = fixture.engine().limits(handle).value();
    CHECK(kept.memory_bytes == 128 << 20);
    CHECK(kept.cpu_shares == after.cpu_shares);
    CHECK(kept.pids == 7);
    CHECK(fixture.engine().change_limits(handle, {.memory_bytes = 0}).value().memory_bytes == 0);
}

TEST_CASE("a limit that cannot be is refused by name and changes nothing") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto& engine = fixture.engine();
    auto spec = fixture.spec("sandbox");
    spec.limits.memory_bytes = 64 << 20;
    const auto handle = engine.create(std::move(spec), {}).value();
    CHECK(fixture.run(handle, {"dd", "if=/dev/zero", "of=/dev/shm/a", "bs=1M", "count=40"})
                  .exit_code == 0);
    const auto used = engine.change_limits(handle, {.memory_bytes = 16 << 20, .pids = 9});
    REQUIRE_FALSE(used);
    CHECK(used.error().text.find("limits.memory_limits.limit_in_bytes: 16777216 is below") !=
          std::string::npos);
    const auto tiny = engine.change_limits(handle, {.memory_bytes = 4096});
    REQUIRE_FALSE(tiny);
    CHECK(tiny.error().kind == base::Errc::invalid);
    LimitsChange disk;
    disk.disk = LimitsChange::Disk{.bytes = 10 << 20, .scope = DiskScope::exclusive};
    const auto unsupported = engine.change_limits(handle, disk);
    REQUIRE_FALSE(unsupported);
    CHECK(unsupported.error().kind == base::Errc::unsupported);
    CHECK(unsupported.error().text.find("byte_hard: 10485760") != std::string::npos);
    const auto now = engine.limits(handle).value();
    CHECK(now.memory_bytes == 64 << 20);
    CHECK(now.pids == 0);
    CHECK_FALSE(engine.change_limits(Handle("unknown"), {.pids = 1}));
}

TEST_CASE("compat.garden_id_mapping gives every unprivileged container Garden's ids") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto own = fixture.create("own-range");
    fixture.config().garden_id_mapping = true;
    fixture.restart();
    auto& engine = fixture.engine();
    CHECK(engine.features_json().value().find("compat.garden_id_mapping") != std::string::npos);
    const auto mapping = [&](const Handle& handle, const std::string& file) {
        return fixture
                .run(handle, {"sh", "-c", "while read a b c; do echo $a $b $c; done < " + file})
                .out;
    };
    const auto first = fixture.create("first");
    const auto second = fixture.create("second");
    for (const auto& handle : {first, second}) {
        for (const char* file : {"/proc/self/uid_map", "/proc/self/gid_map"})
            CHECK(mapping(handle, file) == "0 4294967294 1\n1 1 4294967293\n");
    }
    // A container of before keeps its own, and still runs processes.
    CHECK(mapping(own, "/proc/self/uid_map").find("4294967294") == std::string::npos);

    // Files of the image and new ones have the owners they should have inside, and Garden's
    // outside.
    CHECK(fixture.run(first, {"stat", "-c", "%u:%g", "/home/alice"}).out == "1001:1010\n");
    CHECK(fixture.run(first, {"stat", "-c", "%u:%g", "/bin/busybox"}).out == "0:0\n");
    CHECK(fixture.run(first, {"touch", "/of-root"}).exit_code == 0);
    CHECK(fixture.run(first, {"touch", "/home/alice/own"}, "alice").exit_code == 0);
    const auto upper = std::filesystem::path(fixture.rootfs()).parent_path() /
                       "store/volumes/volumes/first/upper";
    struct stat info = {};
    REQUIRE(::stat((upper / "of-root").c_str(), &info) == 0);
    CHECK(info.st_uid == 4'294'967'294);
    REQUIRE(::stat((upper / "home/alice/own").c_str(), &info) == 0);
    CHECK(info.st_uid == 1001);
    CHECK(fixture.run(first, {"sh", "-c", "echo '# x' >> /etc/hosts"}).exit_code == 0);
    CHECK(fixture.run(first, {"busybox", "ping", "-c", "1", "-w", "2", "first"}).exit_code == 0);
    CHECK(fixture.run(first, {"id", "-u"}, "2000000000:5").out == "2000000000\n");

    auto pea = EngineFixture::process({"stat", "-c", "%u", "/bin/busybox"});
    pea.image.uri = fixture.rootfs();
    CHECK(fixture.finish(first, engine.run(first, std::move(pea)).value()).out == "0\n");

    fixture.config().garden_id_mapping = false;
    fixture.restart();
    CHECK(fixture.run(second, {"id", "-u"}, "alice").out == "1001\n");
    fixture.engine().destroy(first).value();
    fixture.engine().destroy(second).value();
    CHECK(fixture.findings().empty());
}
