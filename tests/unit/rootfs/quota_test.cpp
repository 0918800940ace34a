#include "rootfs/volume/loop_template.hpp"
#include "rootfs/volume/volume_record.hpp"

#include <catch2/catch.hpp>

using base::Errc;
using rootfs::image_geometry;
using rootfs::QuotaScope;
using rootfs::writable_limit;

TEST_CASE("scope exclusive gives the whole limit, scope total what the image leaves") {
    CHECK(*writable_limit(100, QuotaScope::exclusive, 300) == 100);
    CHECK(*writable_limit(400, QuotaScope::total, 300) == 100);
    CHECK(*writable_limit(0, QuotaScope::total, 300) == 0);
    for (const std::uint64_t limit : {1U, 299U, 300U}) {
        const auto refused = writable_limit(limit, QuotaScope::total, 300);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind == Errc::exhausted);
        CHECK(refused.error().text.find(std::to_string(limit)) != std::string::npos);
        CHECK(refused.error().text.find("300") != std::string::npos);
    }
}

TEST_CASE("an image is as large as its limit and little more, and never shrinks") {
    std::uint64_t before = 0;
    for (std::uint64_t limit = 1; limit <= rootfs::kMaxImageLimit; limit = limit * 5 / 4 + 1) {
        const auto geometry = image_geometry(limit);
        const std::uint64_t bytes = geometry.blocks * rootfs::kImageBlock;
        CHECK(bytes > limit);
        CHECK(bytes < limit + limit / 12 + (4U << 20));
        CHECK(bytes >= before);
        CHECK(geometry.inodes >= 1024 + limit / 8192);
        CHECK(geometry.inodes < 0xffffffffU);
        before = bytes;
    }
}

TEST_CASE("equal limits share an image, also when they differ by less than a block") {
    CHECK(image_geometry(10'000'000).blocks == image_geometry(10'000'001).blocks);
    CHECK(image_geometry(10'000'000).inodes == image_geometry(10'000'001).inodes);
}
