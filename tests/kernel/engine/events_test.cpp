// OBS-04: what an engine does to containers is in its event log, with names for what it relaxed.
#include "engine_fixture.hpp"
#include "security/event_log_verify.hpp"
#include "tests/support/needs.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;

namespace {

std::vector<security::EventLine> events(EngineFixture& fixture) {
    fixture.engine().events().flush();
    const auto page = fixture.engine().events().read(0, 1000).value();
    std::vector<security::EventLine> out;
    for (const auto& line : page.lines) out.push_back(security::parse_event_line(line).value());
    return out;
}

const security::EventLine& find(
        const std::vector<security::EventLine>& all, const std::string& event) {
    const auto found = std::find_if(
            all.begin(), all.end(), [&](const auto& line) { return line.event == event; });
    REQUIRE(found != all.end());
    return *found;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("OBS-04 creates and destroys are in the event log with each relaxation by name") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto spec = fixture.spec("mighty");
    spec.container_class = ContainerClass::privileged;
    spec.bind_mounts.push_back(
            {.source = fixture.rootfs(), .destination = "/data", .writable = true});
    spec.limits.memory_bytes = 64 << 20;
    const auto handle = [&] {
        const security::ActorScope actor("uid=7 pid=8");
        return fixture.engine().create(std::move(spec), {}).value();
    }();
    CHECK(fixture.run(handle, {"true"}).exit_code == 0);
    fixture.engine().net_out(handle, {OutRuleSpec{.networks = {{.first = "10.0.0.1"}}}}).value();
    fixture.engine().destroy(handle).value();
    const auto all = events(fixture);
    CHECK(has(find(all, "gardend.start").details, "privileged_containers_allowed"));
    const auto& created = find(all, "container.create");
    CHECK(created.actor == "uid=7 pid=8");
    CHECK(created.handle == "mighty");
    CHECK(has(created.details, "\"privileged\""));
    CHECK(has(created.details, "\"writable_bind_mount:/data\""));
    CHECK(has(created.details, "\"no_process_limit\""));
    CHECK_FALSE(has(created.details, "no_memory_limit"));
    CHECK(find(all, "process.run").handle == "mighty");
    CHECK(has(find(all, "policy.net_out").details, "10.0.0.1"));
    CHECK(find(all, "container.destroy").actor == "gardend");

    fixture.restart();
    const auto directory = fixture.config().store_directory + "/audit";
    const auto verdict = security::verify_event_log_at(directory, "").value();
    CHECK_FALSE(verdict.fault);
    CHECK(verdict.sealed_seq >= all.back().seq);  // a stop seals
    CHECK(find(events(fixture), "gardend.stop").handle.empty());
}

TEST_CASE("OBS-04 changed limits are in the event log, with what they were") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto spec = fixture.spec("limited");
    spec.limits.memory_bytes = 64 << 20;
    spec.limits.pids = 100;
    const auto handle = fixture.engine().create(std::move(spec), {}).value();
    {
        const security::ActorScope actor("uid=7 pid=8");
        LimitsChange change;
        change.memory_bytes = 32 << 20;
        fixture.engine().change_limits(handle, change).value();
    }
    const auto changed = find(events(fixture), "policy.limits");
    CHECK(changed.actor == "uid=7 pid=8");
    CHECK(changed.handle == "limited");
    CHECK(has(changed.details, "\"memory_bytes\":33554432"));
    CHECK(has(changed.details, "\"memory_bytes_before\":67108864"));
    CHECK_FALSE(has(changed.details, "\"pids\""));
    LimitsChange change;
    change.pids = 0;
    fixture.engine().change_limits(handle, change).value();
    CHECK(has(events(fixture).back().details, "\"no_process_limit\""));
    fixture.engine().limit_bandwidth(handle, 1 << 20, 1 << 20).value();
    CHECK(has(events(fixture).back().details, "\"bandwidth_rate\":1048576"));
}

TEST_CASE("OBS-04 peas that may write files of the host are in the event log") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("plain");
    const auto run = [&](const std::string& id, bool writable) {
        auto process = EngineFixture::process({"true"});
        process.id = id;
        process.image.uri = fixture.rootfs();
        process.bind_mounts = {
                {.source = fixture.rootfs() + "/tmp",
                 .destination = "/data",
                 .writable = writable}};
        CHECK(fixture.finish(handle, fixture.engine().run(handle, process).value()).exit_code == 0);
    };
    run("reads", false);
    run("writes", true);
    const auto told = find(events(fixture), "process.run");
    CHECK(has(told.details, "\"process\":\"writes\""));
    CHECK(has(told.details, "\"pea\":\"yes\""));
    CHECK(has(told.details, "\"writable_bind_mount:/data\""));
    CHECK(has(told.details, fixture.rootfs()));
}

TEST_CASE("OBS-04 images that are refused, damaged or collected are in the event log") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    fixture.stop();
    const auto policy = fixture.config().state_directory + "/policy.json";
    std::ofstream(policy) << R"({"version":1,"default":[{"type":"reject"}],"local":"reject"})";
    fixture.config().images.policy_file = policy;
    int told_too = 0;
    fixture.config().images.on_decision = [&](const auto&) { ++told_too; };
    fixture.start();
    CHECK_FALSE(fixture.engine().create(fixture.spec("refused"), {}));
    const auto refused = find(events(fixture), "image.refused");
    CHECK(has(refused.details, fixture.rootfs()));
    CHECK(has(refused.details, "\"reason\":\""));
    CHECK(told_too == 1);
}
