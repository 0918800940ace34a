#include "invariants.hpp"
#include "records.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace test;

namespace model = brain::model;

namespace {

// Whether `broken_change` ends the program, as a broken invariant must.
template <class F>
bool dies(const F& broken_change) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(STDERR_FILENO);
        (void)::signal(SIGABRT, SIG_DFL);
        broken_change();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace

TEST_CASE("an empty world has nothing and says so") {
    const World world;
    CHECK(world.desired("a") == nullptr);
    CHECK(world.task("a") == nullptr);
    CHECK(world.domain("a") == nullptr);
    CHECK(world.cell("a") == nullptr);
    CHECK(world.group("a", 0).ordinary == nullptr);
    CHECK(world.processes("", 10).empty());
    CHECK(world.version("a") == 0);
    CHECK(world.counts() == model::Counts());
    CHECK(world.digest("c1") == brain::api::digest("c1", {}, {}));
    CHECK(broken(world).empty());
}

TEST_CASE("every index follows a row from cell to cell and away") {
    World world;
    put(world, desired("p", 2));
    const auto unclaimed = put(world, actual("p", 0, LrpState::unclaimed));
    CHECK(world.counts().unclaimed == 1);
    put(world, actual("p", 0, LrpState::claimed, "c1"));
    CHECK(world.actuals_on("c1").size() == 1);
    const auto version = world.version("p");
    const auto running = put(world, actual("p", 0, LrpState::running, "c2"));
    CHECK(world.version("p") > version);
    CHECK(world.cells_with_rows() == std::vector<std::string>{"c2"});
    CHECK(world.digest("c2") == brain::api::digest("c2", {*running}, {}));
    CHECK(broken(world).empty());

    auto moved = *running;
    moved.presence = Presence::suspect;
    const auto suspect = std::make_shared<const ActualLrp>(moved);
    world.apply(Changed<ActualPtr>{.before = running, .after = suspect});
    CHECK(world.group("p", 0).ordinary == nullptr);
    CHECK(world.group("p", 0).suspect == suspect);
    CHECK(world.counts().suspect_running == 1);
    CHECK(world.counts().running == 0);
    CHECK(broken(world).empty());

    world.apply(Changed<ActualPtr>{.before = suspect, .after = nullptr});
    CHECK(world.cells_with_rows().empty());
    world.apply(Changed<DesiredPtr>{.before = world.desired("p"), .after = nullptr});
    CHECK(world.processes("", 10).empty());
    CHECK(world.version("p") == 0);
    CHECK(broken(world).empty());
}

TEST_CASE("a process that returns has a higher version than before") {
    World world;
    put(world, desired("p", 1));
    const auto version = world.version("p");
    world.apply(Changed<DesiredPtr>{.before = world.desired("p"), .after = nullptr});
    put(world, desired("p", 1));
    CHECK(world.version("p") > version);
}

TEST_CASE("processes are listed page by page in order of guid") {
    World world;
    for (const auto* guid : {"d", "a", "c"}) put(world, desired(guid, 1));
    put(world, actual("b", 3, LrpState::unclaimed));
    put(world, actual("b", 1, LrpState::running, "c1"));
    const auto first = world.processes("", 2);
    REQUIRE(first.size() == 2);
    CHECK(first[0].process_guid == "a");
    CHECK(first[1].process_guid == "b");
    CHECK(first[1].desired == nullptr);
    REQUIRE(first[1].rows.size() == 2);
    CHECK(first[1].rows[0]->key.index == 1);
    const auto second = world.processes("b", 10);
    REQUIRE(second.size() == 2);
    CHECK(second[1].process_guid == "d");
}

TEST_CASE("a task is found by its cell also when it does not run there any more") {
    World world;
    put(world, task("t", TaskState::running, "c1"));
    const auto digest = world.digest("c1");
    put(world, task("t", TaskState::pending, "c1"));  // rejected: the cell stays named
    CHECK(world.tasks_on("c1").size() == 1);
    CHECK(world.digest("c1") != digest);
    CHECK(broken(world).empty());
    put(world, task("t", TaskState::completed));
    CHECK(world.cells_with_rows().empty());
    CHECK(broken(world).empty());
}

TEST_CASE("cells and domains are kept by name") {
    World world;
    put_cell(world, "c2");
    put_cell(world, "c1");
    put_domain(world, "d", 7);
    CHECK(world.cells().front()->presence.cell_id == "c1");
    CHECK(world.domain("d")->expires_at == 7);
    CHECK(world.counts().cells == 2);
    remove_cell(world, "c2");
    CHECK(world.cell("c2") == nullptr);
    CHECK(world.counts().cells == 1);
}

TEST_CASE("a change of what is not there ends the program") {
    World world;
    const auto row = put(world, actual("p", 0, LrpState::running, "c1"));
    auto other = *row;
    other.since = 5;
    const auto wrong = std::make_shared<const ActualLrp>(other);
    CHECK_FALSE(dies([&] {
        world.apply(Changed<ActualPtr>{
                .before = std::make_shared<const ActualLrp>(*row), .after = wrong});
    }));
    CHECK(dies([&] { world.apply(Changed<ActualPtr>{.before = wrong, .after = nullptr}); }));
    CHECK(dies([&] { world.apply(Changed<ActualPtr>{.before = nullptr, .after = wrong}); }));
    CHECK(dies([&] { world.apply(Changed<ActualPtr>{}); }));
    CHECK(dies([&] {
        world.apply(Changed<DesiredPtr>{
                .before = std::make_shared<const DesiredLrp>(desired("p", 1)), .after = nullptr});
    }));
    const auto suspect = put(world, actual("p", 0, LrpState::running, "c2", Presence::suspect));
    auto moved = *suspect;
    moved.presence = Presence::ordinary;
    CHECK(dies([&] {
        world.apply(Changed<ActualPtr>{
                .before = suspect, .after = std::make_shared<const ActualLrp>(moved)});
    }));
}
