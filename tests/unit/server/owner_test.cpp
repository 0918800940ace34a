// A tag belongs to one depot as long as that has containers.
#include "garden/server/owner.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

namespace {

namespace fs = std::filesystem;
using garden::server::claim_tag;
using garden::server::Owner;
using garden::server::release_tag;

struct Host {
    fs::path root = fs::temp_directory_path() / ("cloche-owner-" + std::to_string(::getpid()));
    std::string record = (root / "gardend-zz.owner").string();

    Host() { fs::create_directories(root); }

    ~Host() { fs::remove_all(root); }

    Owner owner(const std::string& name, bool containers = true) const {
        fs::create_directories(root / name / "depot");
        if (containers) fs::create_directories(root / name / "depot/web-1");
        return {.depot = (root / name).string(), .store = (root / (name + "-store")).string()};
    }
};

}  // namespace

TEST_CASE("the depot that has a tag's containers keeps the tag") {
    const Host host;
    const auto first = host.owner("first");
    const auto second = host.owner("second");
    REQUIRE(claim_tag(host.record, first, false));
    REQUIRE(claim_tag(host.record, first, false));
    const auto refused = claim_tag(host.record, second, false);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == base::Errc::conflict);
    for (const auto& words : {first.depot, second.depot, first.store, std::string("--take-over")})
        CHECK(refused.error().text.find(words) != std::string::npos);
    REQUIRE(claim_tag(host.record, first, false));  // a refusal changes nothing
    REQUIRE(claim_tag(host.record, second, true));
    CHECK_FALSE(claim_tag(host.record, first, false));
}

TEST_CASE("a depot that is gone or empty has no claim on its tag") {
    const Host host;
    const auto first = host.owner("first");
    REQUIRE(claim_tag(host.record, first, false));
    fs::remove_all(first.depot);
    REQUIRE(claim_tag(host.record, host.owner("second", false), false));
    REQUIRE(claim_tag(host.record, host.owner("third"), false));
    CHECK_FALSE(claim_tag(host.record, host.owner("second"), false));
    REQUIRE(release_tag(host.record));
    REQUIRE(release_tag(host.record));
    REQUIRE(claim_tag(host.record, host.owner("second"), false));
}

TEST_CASE("a depot reached through a link is the same depot") {
    const Host host;
    auto owner = host.owner("first");
    REQUIRE(claim_tag(host.record, owner, false));
    fs::create_directory_symlink(host.root / "first", host.root / "link");
    owner.depot = (host.root / "link").string();
    CHECK(claim_tag(host.record, owner, false));
}

TEST_CASE("a record that says nothing is written anew") {
    const Host host;
    for (const auto* text : {"", "{", "[]", R"({"depot":7})"}) {
        std::ofstream(host.record) << text;
        CHECK(claim_tag(host.record, host.owner("first"), false));
    }
    std::ifstream written(host.record);
    std::stringstream text;
    text << written.rdbuf();
    CHECK(text.str().find("\"depot\":\"" + host.owner("first").depot) != std::string::npos);
}
