// A container as the engine makes it has no finding; looking at it leaves nothing behind.
#include "audit_fixture.hpp"
#include "tests/support/needs.hpp"

#include <algorithm>
#include <chrono>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;
using test::findings_of;

namespace {

std::size_t count(const api::AuditSubject& subject, api::AuditResult result) {
    return static_cast<std::size_t>(std::count_if(
            subject.checks.begin(), subject.checks.end(),
            [&](const auto& check) { return check.result == result; }));
}

}  // namespace

TEST_CASE("OBS-01: a default container has no finding and most checks really looked") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("clean");
    const auto busy = fixture.engine().run(handle, EngineFixture::process({"sleep", "60"})).value();
    const auto subject = fixture.engine().audit(handle).value().subject;
    CHECK(findings_of(subject).empty());
    for (const auto& line : findings_of(subject)) WARN(line);
    CHECK(subject.container_class == "unprivileged");
    CHECK(subject.settings_sha256.starts_with("sha256:"));
    CHECK(count(subject, api::AuditResult::pass) > 50);
    CHECK(subject.duration_ms < 2'000);
    CHECK(subject.relaxations ==
          std::vector<std::string>{
                  "egress_allow_public", "no_disk_limit", "no_memory_limit", "no_process_limit"});
}
