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

TEST_CASE("OBS-01: privileged classes have their class as a relaxation and no other finding") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    for (const auto container_class :
         {ContainerClass::privileged, ContainerClass::privileged_in_userns}) {
        auto spec = fixture.spec(
                container_class == ContainerClass::privileged ? "real-root" : "own-root");
        spec.container_class = container_class;
        const auto handle = fixture.engine().create(std::move(spec), {}).value();
        const auto subject = fixture.engine().audit(handle).value().subject;
        for (const auto& line : findings_of(subject)) {
            INFO(line);
            CHECK(line.starts_with("CL-03/"));
        }
        CHECK(count(subject, api::AuditResult::pass) > 35);
    }
}

TEST_CASE("OBS-03: an audit leaves no process and no file in the container") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("traces");
    const std::vector<std::string> look{
            "sh", "-c", "ls -A /dev/shm /tmp /root; ls /dev; ps -o comm"};
    const auto before = fixture.run(handle, look).out;
    REQUIRE(fixture.engine().audit(handle));
    CHECK(fixture.run(handle, look).out == before);
    CHECK(fixture.engine().processes(handle).value().size() == 2);  // the two looks
}

TEST_CASE("OBS-08: two containers made alike have one hash of settings, another one has another") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto hash = [&](const Handle& handle) {
        return fixture.engine().audit(handle).value().subject.settings_sha256;
    };
    auto limited = fixture.spec("limited");
    limited.limits.pids = 50;
    const auto first = fixture.create("one");
    const auto second = fixture.create("two");
    CHECK(hash(first) == hash(second));
    CHECK(hash(first) != hash(fixture.engine().create(std::move(limited), {}).value()));
}

TEST_CASE("OBS-01: containers share nothing, and the audit of all proves it") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    std::vector<audit::Belongings> all;
    for (const char* name : {"a", "b", "c"}) {
        const auto handle = fixture.create(name);
        (void)test::sleeper(fixture, handle);
        all.push_back(fixture.engine().audit(handle).value().belongings);
        CHECK(all.back().namespaces.size() >= 7);
        CHECK_FALSE(all.back().cgroups.empty());
        CHECK_FALSE(all.back().writable.empty());
        CHECK_FALSE(all.back().descriptors.empty());
    }
    const auto subject = audit::audit_pairs(all);
    CHECK(findings_of(subject).empty());
    for (const auto& line : findings_of(subject)) WARN(line);
}
