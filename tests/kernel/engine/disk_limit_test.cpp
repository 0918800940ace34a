#include "engine_fixture.hpp"
#include "tests/support/needs.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

EngineFixture::Output write_mib(
        EngineFixture& fixture, const Handle& handle, const std::string& file, unsigned count) {
    return fixture.run(
            handle,
            {"dd", "if=/dev/zero", "of=" + file, "bs=1048576", "count=" + std::to_string(count)});
}

}  // namespace

TEST_CASE("a disk limit holds in its container alone, also after a restart of the engine") {
    NEEDS(root, userns, nft, loop);
    EngineFixture fixture;
    auto spec = fixture.spec("limited");
    spec.limits.disk_bytes = 10 * kMiB;
    spec.limits.disk_scope = DiskScope::exclusive;
    const auto made = fixture.engine().create(spec, [](const auto&) {});
    if (!made) FAIL(made.error().text);
    spec.handle = Handle("neighbour");
    const auto neighbour = fixture.engine().create(spec, [](const auto&) {});
    if (!neighbour) FAIL(neighbour.error().text);
    CHECK(write_mib(fixture, *made, "/tmp/nine", 9).exit_code == 0);
    const auto refused = write_mib(fixture, *made, "/tmp/more", 2);
    CHECK(refused.exit_code != 0);
    const bool says = refused.err.find("No space left") != std::string::npos ||
                      refused.err.find("quota exceeded") != std::string::npos;
    CHECK(says);
    CHECK(write_mib(fixture, *neighbour, "/tmp/nine", 9).exit_code == 0);
    fixture.restart();
    CHECK(write_mib(fixture, *made, "/tmp/again", 2).exit_code != 0);
    const auto metrics = fixture.engine().metrics(*made);
    REQUIRE(metrics);
    CHECK(metrics->disk.exclusive_bytes >= 9 * kMiB);
    CHECK(metrics->disk.exclusive_bytes <= 11 * kMiB);
    CHECK(metrics->disk.total_bytes > metrics->disk.exclusive_bytes);
    CHECK(fixture.findings().empty());
    REQUIRE(fixture.engine().destroy(*made));
    CHECK(fixture.findings().empty());
}

TEST_CASE("an image larger than the disk limit is refused and leaves nothing") {
    NEEDS(root, userns, nft, loop);
    EngineFixture fixture;
    auto spec = fixture.spec("too-small");
    spec.limits.disk_bytes = 100'000;
    spec.limits.disk_scope = DiskScope::total;
    const auto refused = fixture.engine().create(spec, [](const auto&) {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find("100000 bytes") != std::string::npos);
    CHECK(fixture.engine().list({}).empty());
    CHECK(fixture.findings().empty());
}

TEST_CASE("without a quota driver a disk limit is refused by name") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    fixture.config().quota_driver = "none";
    fixture.restart();
    auto spec = fixture.spec("limited");
    spec.limits.disk_bytes = 10 * kMiB;
    spec.limits.disk_scope = DiskScope::exclusive;
    const auto refused = fixture.engine().create(spec, [](const auto&) {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find("driver none") != std::string::npos);
    CHECK(fixture.engine().features_json().value().find("\"driver\": \"none\"") !=
          std::string::npos);
}
