#include "security/capabilities.hpp"

#include <catch2/catch.hpp>

using security::capability_sets;
using security::CapabilityPolicy;
using security::Class;

namespace {

constexpr std::uint64_t kNoSysResource =
        0x1fffeffffff;  // what the daemon of the reference machine holds

}  // namespace

TEST_CASE("CAP-01 root of an unprivileged container has 14 capabilities") {
    const auto sets = capability_sets({.container_class = Class::unprivileged}, 0);
    CHECK(sets.bounding == 0xa80425fb);
    CHECK(sets.permitted == 0xa80425fb);
    CHECK(sets.effective == 0xa80425fb);
    CHECK(security::capability_names(sets.bounding).size() == 14);
}

TEST_CASE("CAP-02 privileged root has Garden's 38 as far as the daemon holds them") {
    CHECK(capability_sets({.container_class = Class::privileged}, 0).permitted == 0x3fffffffff);
    const auto sets =
            capability_sets({.container_class = Class::privileged, .available = kNoSysResource}, 0);
    CHECK(sets.bounding == 0x3ffeffffff);
    CHECK(sets.effective == 0x3ffeffffff);
}

TEST_CASE("a user namespace gives every capability, whatever the daemon holds") {
    CHECK(capability_sets({.container_class = Class::privileged_in_userns, .available = 0}, 0)
                  .permitted == 0x1ffffffffff);
}

TEST_CASE("CAP-03 the uid decides: others have bounding sets only") {
    for (const auto c : {Class::unprivileged, Class::privileged, Class::privileged_in_userns}) {
        const auto sets = capability_sets({.container_class = c}, 1000);
        CHECK(sets.bounding == (c == Class::unprivileged ? 0xa80425fbU : 0xa82425fbU));
        CHECK(sets.permitted == 0);
        CHECK(sets.effective == 0);
    }
}

TEST_CASE("CAP-04 the ambient set is empty") {
    for (const std::uint32_t uid : {0U, 1U}) {
        CHECK(capability_sets(
                      {.container_class = Class::privileged, .garden_inheritable = true}, uid)
                      .ambient == 0);
    }
}

TEST_CASE("CAP-05 inheritable is empty, or equals bounding for Garden") {
    for (const std::uint32_t uid : {0U, 1000U}) {
        CHECK(capability_sets({}, uid).inheritable == 0);
        const auto sets = capability_sets({.garden_inheritable = true}, uid);
        CHECK(sets.inheritable == sets.bounding);
    }
}

TEST_CASE("CAP-07 strict drops five more") {
    const auto sets = capability_sets({.strict = true}, 0);
    CHECK(security::capability_names(sets.bounding) ==
          std::vector<std::string>{
                  "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
                  "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE"});
}

TEST_CASE("CAP-08 a request reduces and never adds; unknown names are errors") {
    const auto keep = security::parse_capabilities({"CAP_CHOWN", "sys_admin"}).value();
    CHECK(keep == ((1ULL << 0) | (1ULL << 21)));
    CHECK(capability_sets({.keep = keep}, 0).permitted == 1);
    for (const auto* name : {"CAP_FLY", "", "CAP_", "CAP_CAP_CHOWN", "CHOWN "}) {
        const auto parsed = security::parse_capabilities({"CAP_KILL", name});
        REQUIRE(!parsed);
        CHECK(parsed.error().kind == base::Errc::invalid);
    }
}

TEST_CASE("capability names round trip") {
    const auto names = security::capability_names(0x1ffffffffff);
    CHECK(names.size() == 41);
    CHECK(names.back() == "CAP_CHECKPOINT_RESTORE");
    CHECK(security::parse_capabilities(names).value() == 0x1ffffffffff);
    CHECK(security::capability_names(1ULL << 50) == std::vector<std::string>{"CAP_50"});
}
