// Stop reaches the peas of a container, wherever their group is.
#include "base/clock.hpp"
#include "engine_fixture.hpp"
#include "tests/support/needs.hpp"

#include <signal.h>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;

namespace {

Attachment start(
        EngineFixture& fixture, const Handle& handle, bool limited, const std::string& script) {
    auto pea = EngineFixture::process({"sh", "-c", script});
    pea.image.uri = fixture.rootfs();
    if (limited) pea.limits.emplace().memory_bytes = 64 << 20;
    auto started = fixture.engine().run(handle, std::move(pea));
    if (!started) FAIL(started.error().text);
    return std::move(*started);
}

// The traps are set before anything sleeps.
void wait_for_sleepers(EngineFixture& fixture, const Handle& handle, const std::string& count) {
    for (int i = 0; i < 500; ++i) {
        const std::vector<std::string> look{
                "sh", "-c", "busybox ps | busybox grep -c '[s]leep 600$'"};
        if (fixture.run(handle, look).out == count + "\n") return;
        base::pause_for(std::chrono::milliseconds(20));
    }
    FAIL("not started");
}

}  // namespace

TEST_CASE("stop sends TERM to peas with and without limits of their own") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    const auto limited = start(fixture, handle, true, "trap 'exit 42' TERM; sleep 600 & wait");
    const auto plain = start(fixture, handle, false, "trap 'exit 43' TERM; sleep 600 & wait");
    wait_for_sleepers(fixture, handle, "2");
    fixture.engine().stop(handle, false).value();
    CHECK(fixture.wait(handle, limited.process_id) == 42);
    CHECK(fixture.wait(handle, plain.process_id) == 43);
    // Stopped is not dead, and what is run afterwards is left alone.
    const auto later = start(fixture, handle, true, "echo later");
    CHECK(fixture.finish(handle, later).out == "later\n");
}

TEST_CASE("stop with kill ends peas with limits of their own, also after a restart") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("sandbox");
    const auto limited = start(fixture, handle, true, "trap '' TERM; sleep 600 & wait; wait");
    wait_for_sleepers(fixture, handle, "1");
    fixture.restart();
    fixture.engine().stop(handle, true).value();
    CHECK(fixture.wait(handle, limited.process_id) == 137);
    CHECK(fixture.engine().info(handle).value().state == "stopped");
}
