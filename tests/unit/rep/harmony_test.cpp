// From any two worlds to harmony: random containers and records, the plan, and the digest that says
// the same as the plan.
#include "brain/api/digest.hpp"
#include "rep/core/applier.hpp"
#include "tests/unit/rep/flaky_brain.hpp"
#include "tests/unit/rep/worlds.hpp"

#include <random>

#include <catch2/catch.hpp>

using namespace test;
using brain::api::LrpState;
using brain::api::Presence;
using brain::api::TaskState;

namespace {

constexpr int kApps = 6;
constexpr int kTasks = 6;

struct Worlds {
    std::mt19937 random;
    base::ManualClock clock;
    rep::core::MemoryBrain memory{clock};
    FlakyBrain brain{memory};
    FakeExecutor executor;
    std::atomic<bool> evacuating = false;
    rep::core::Config config = test::config();
    rep::core::Applier applier{config, executor, brain, evacuating};

    explicit Worlds(unsigned seed) : random(seed) {
        REQUIRE(memory.desire_lrp(desired("app", 0)));
        for (int i = 0; i < kApps; ++i) make_app(i);
        for (int i = 0; i < kTasks; ++i) make_task("task-" + std::to_string(i));
    }

    int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random); }

    State state() {
        static const State kStates[] = {
                State::reserved, State::initializing, State::created, State::running,
                State::completed};
        return kStates[pick(5)];
    }

    void finish(Container& c) {
        if (c.state != State::completed) return;
        c.run_result.failed = pick(2) == 0;
        c.run_result.stopped = pick(2) == 0;
        c.run_result.retryable = pick(4) == 0;
        c.run_result.failure_reason = "because";
    }

    // Up to two containers of one index on this cell, and records of every presence, which name
    // one of them, or an instance elsewhere, or nobody.
    void make_app(int index) {
        const auto of = key("app", index);
        std::vector<std::string> instances;
        for (int i = 0; i < pick(3); ++i) {
            instances.push_back("i-" + std::to_string(index) + "-" + std::to_string(i));
            auto c = lrp_container(instances.back(), state(), of);
            finish(c);
            executor.put(c);
        }
        instances.push_back("lost-" + std::to_string(index));
        for (const auto presence : {Presence::ordinary, Presence::evacuating, Presence::suspect}) {
            if (pick(3) == 0) continue;
            static const LrpState kStates[] = {
                    LrpState::unclaimed, LrpState::crashed, LrpState::claimed, LrpState::running};
            const auto state = presence == Presence::ordinary     ? kStates[pick(4)]
                               : presence == Presence::evacuating ? LrpState::running
                                                                  : kStates[2 + pick(2)];
            const bool elsewhere = pick(3) == 0;
            const auto& name =
                    instances[static_cast<std::size_t>(pick(static_cast<int>(instances.size())))];
            auto row = record(
                    elsewhere ? "elsewhere" : name, state, elsewhere ? "cell-2" : kCell, presence);
            row.key = of;
            memory.put(row);
        }
    }

    void make_task(const std::string& guid) {
        if (pick(3) != 0) {
            auto c = task_container(guid, state());
            finish(c);
            executor.put(c);
        }
        if (pick(4) == 0) return;
        auto task = test::task(guid);
        static const TaskState kStates[] = {
                TaskState::pending, TaskState::running, TaskState::running, TaskState::completed};
        task.state = kStates[pick(4)];
        if (task.state == TaskState::running) task.cell_id = pick(3) == 0 ? "cell-2" : kCell;
        memory.put(task);
    }

    rep::plan::World world() {
        rep::plan::World out;
        out.containers = executor.list().value();
        out.lrps = memory.actual_lrps(kCell).value();
        out.tasks = memory.tasks(kCell).value();
        return out;
    }

    std::vector<rep::plan::Operation> plan() {
        return rep::plan::plan(world(), config.cell, evacuating);
    }

    // In any order, as the queue does.
    void round() {
        auto operations = plan();
        std::shuffle(operations.begin(), operations.end(), random);
        for (const auto& operation : operations) (void)applier.apply(operation);
    }

    bool suspects() {
        const auto ours = memory.actual_lrps(kCell).value();
        for (const auto& lrp : ours)
            if (lrp.presence == Presence::suspect) return true;
        return false;
    }

    std::string picture() {
        base::json::Writer w;
        w.begin_array();
        const auto containers = executor.list().value();
        for (const auto& c : containers) w.value(c.guid).value(to_string(c.state));
        for (const auto& lrp : memory.all_lrps())
            w.value(lrp.key).value(lrp.instance).value(lrp.state).value(lrp.presence);
        for (const auto& task : memory.all_tasks()) w.value(task.task_guid).value(task.state);
        w.end_array();
        return w.take();
    }
};

}  // namespace

TEST_CASE("from any pair of worlds the plan leads to harmony and then plans nothing") {
    for (unsigned seed = 1; seed <= 400; ++seed) {
        INFO("seed " << seed);
        Worlds worlds(seed);
        int rounds = 0;
        while (!worlds.plan().empty() && rounds < 10) {
            worlds.round();
            ++rounds;
        }
        CHECK(rounds <= 4);
        CHECK(worlds.plan().empty());
        if (worlds.suspects()) continue;  // known to the brain only; it resolves them
        const auto digest = rep::plan::expected_digest(
                worlds.executor.list().value(), worlds.config.cell, false);
        const auto answer = worlds.brain.sync(kCell, digest);
        REQUIRE(answer);
        CHECK(answer->unchanged);
    }
}

TEST_CASE("a brain that fails every third call only makes it take longer") {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        INFO("seed " << seed);
        Worlds worlds(seed);
        worlds.brain.fail_one_in = 3;
        int rounds = 0;
        while (!worlds.plan().empty() && rounds < 60) {
            worlds.round();
            ++rounds;
        }
        CHECK(worlds.plan().empty());
        // And it is the same harmony: nothing of the records was lost on the way.
        Worlds smooth(seed);
        for (int i = 0; i < 10; ++i) smooth.round();
        CHECK(smooth.plan().empty());
    }
}

TEST_CASE("an evacuating cell reaches a state that another round does not change") {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        INFO("seed " << seed);
        Worlds worlds(seed);
        worlds.evacuating = true;
        for (int i = 0; i < 6; ++i) worlds.round();
        const auto before = worlds.picture();
        worlds.round();
        CHECK(worlds.picture() == before);
        // Only what serves, and tasks, are still there.
        const auto containers = worlds.executor.list().value();
        for (const auto& c : containers)
            if (rep::plan::lifecycle_of(c) == rep::plan::Lifecycle::lrp)
                CHECK(c.state == State::running);
    }
}

TEST_CASE("equal digests mean an empty plan, and a changed detail changes the digest") {
    std::vector<Container> containers;
    std::vector<brain::api::ActualLrp> lrps;
    for (int i = 0; i < 250; ++i) {
        const auto guid = "i-" + std::to_string(i);
        containers.push_back(lrp_container(guid, State::running, key("app", i)));
        lrps.push_back(record(guid, LrpState::running));
        lrps.back().key.index = i;
    }
    const auto ours = rep::plan::expected_digest(containers, cell(), false);
    CHECK(ours == brain::api::digest(kCell, lrps, {}));
    CHECK(rep::plan::plan({.containers = containers, .lrps = lrps, .tasks = {}}, cell(), false)
                  .empty());

    auto changed = lrps;
    SECTION("an address") {
        changed[7].net_info.address = "10.0.0.9";
    }
    SECTION("a port") {
        changed[7].net_info.ports = {{.container_port = 8080}};
    }
    SECTION("routable") {
        changed[7].routable = false;
    }
    SECTION("a metric tag") {
        changed[7].metric_tags["a"] = "b";
    }
    SECTION("an internal route") {
        changed[7].internal_routes = {{.hostname = "a.internal"}};
    }
    SECTION("the state") {
        changed[7].state = LrpState::claimed;
    }
    SECTION("the presence") {
        changed[7].presence = Presence::suspect;
    }
    SECTION("one record more") {
        changed.push_back(record("x", LrpState::running));
    }
    SECTION("one record less") {
        changed.pop_back();
    }
    CHECK(ours != brain::api::digest(kCell, changed, {}));
}

TEST_CASE("a digest kept up record by record is that of the whole") {
    brain::api::Digest kept;
    auto a = record("a", LrpState::running);
    auto b = record("b", LrpState::claimed);
    auto t = test::task("t");
    kept.add(a);
    kept.add(b);
    kept.add(t);
    kept.remove(a);
    brain::api::Digest whole;
    whole.add(t);
    whole.add(b);
    CHECK(kept == whole);
    CHECK(kept.text() == whole.text());
    CHECK(brain::api::Digest().text() == "1:0:00000000000000000000000000000000");
}

TEST_CASE("records of other cells and without a place do not count") {
    CHECK(brain::api::digest(
                  kCell,
                  {record("a", LrpState::running, "cell-2"), record("", LrpState::unclaimed)},
                  {test::task("pending")}) == brain::api::Digest().text());
}
