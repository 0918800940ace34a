// Every cell of the tables 17.4, 17.5 and 17.6 of executor-rep: a container in one state, a record
// in another, one operation, and what is left of both.
#include "rep/core/applier.hpp"
#include "tests/unit/rep/flaky_brain.hpp"
#include "tests/unit/rep/worlds.hpp"

#include <catch2/catch.hpp>

using namespace test;
using brain::api::ActualLrp;
using brain::api::LrpState;
using brain::api::Presence;
using brain::api::TaskState;

namespace {

enum class Row { reserved, initializing, created, running, crashed, stopped, none };
enum class Column {
    none,
    unclaimed,
    claimed_own,
    claimed_other,
    running_own,
    running_other,
    crashed
};

const auto kOwn = "own-instance";
const auto kOther = "other-instance";

struct Bench {
    base::ManualClock clock;
    rep::core::MemoryBrain memory{clock};
    FlakyBrain brain{memory};
    FakeExecutor executor;
    std::atomic<bool> evacuating = false;
    rep::core::Config config = test::config();
    rep::core::Applier applier{config, executor, brain, evacuating};

    void container(Row row, bool is_task = false) {
        const auto make = [&](State state) {
            return is_task ? task_container(kOwn, state) : lrp_container(kOwn, state);
        };
        switch (row) {
            case Row::reserved:
                executor.put(make(State::reserved));
                break;
            case Row::initializing:
                executor.put(make(State::initializing));
                break;
            case Row::created:
                executor.put(make(State::created));
                break;
            case Row::running:
                executor.put(make(State::running));
                break;
            case Row::crashed: {
                auto c = make(State::completed);
                c.run_result = {
                        .failed = true,
                        .failure_reason = "boom",
                        .retryable = false,
                        .stopped = false};
                executor.put(c);
                break;
            }
            case Row::stopped: {
                auto c = make(State::completed);
                c.run_result.stopped = true;
                executor.put(c);
                break;
            }
            case Row::none:
                break;
        }
    }

    void record(Column column) {
        switch (column) {
            case Column::none:
                break;
            case Column::unclaimed:
                memory.put(test::record("", LrpState::unclaimed));
                break;
            case Column::claimed_own:
                memory.put(test::record(kOwn, LrpState::claimed));
                break;
            case Column::claimed_other:
                memory.put(test::record(kOther, LrpState::claimed, "cell-2"));
                break;
            case Column::running_own:
                memory.put(test::record(kOwn, LrpState::running));
                break;
            case Column::running_other:
                memory.put(test::record(kOther, LrpState::running, "cell-2"));
                break;
            case Column::crashed:
                memory.put(test::record("", LrpState::crashed));
                break;
        }
    }

    // What a bulk round would do, to its end: as long as the plan has something.
    void settle() {
        for (int round = 0; round < 5; ++round) {
            rep::plan::World world;
            world.containers = executor.list().value();
            world.lrps = memory.actual_lrps(kCell).value();
            world.tasks = memory.tasks(kCell).value();
            const auto operations = rep::plan::plan(world, config.cell, evacuating);
            if (operations.empty()) return;
            for (const auto& operation : operations) (void)applier.apply(operation);
        }
    }

    // "" when the container is gone, else its state.
    std::string container_now() {
        const auto c = executor.get(kOwn);
        return c ? std::string(to_string(c->state)) : std::string();
    }

    std::string record_now(Presence presence = Presence::ordinary) {
        for (const auto& lrp : memory.all_lrps())
            if (lrp.presence == presence)
                return std::string(to_string(lrp.state)) +
                       (lrp.instance.instance_guid == kOwn     ? " own"
                        : lrp.instance.instance_guid == kOther ? " other"
                                                               : "");
        return "none";
    }
};

struct Case {
    Row row;
    Column column;
    const char* container;  // afterwards; "": gone
    const char* record;
};

using C = Column;
using R = Row;

// Table 17.4. Where the guard of the store (lifecycle §4.1) and the table disagree, the guard has
// the last word: a CRASHED record refuses to start.
const std::vector<Case> kLrp = {
        {R::reserved, C::none, "", "none"},
        {R::reserved, C::unclaimed, "initializing", "CLAIMED own"},
        {R::reserved, C::claimed_own, "initializing", "CLAIMED own"},
        {R::reserved, C::claimed_other, "", "CLAIMED other"},
        {R::reserved, C::running_own, "initializing", "CLAIMED own"},
        {R::reserved, C::running_other, "", "RUNNING other"},
        {R::reserved, C::crashed, "", "CRASHED"},
        {R::initializing, C::none, "", "none"},
        {R::initializing, C::unclaimed, "initializing", "CLAIMED own"},
        {R::initializing, C::claimed_own, "initializing", "CLAIMED own"},
        {R::initializing, C::claimed_other, "", "CLAIMED other"},
        {R::initializing, C::running_own, "initializing", "CLAIMED own"},
        {R::initializing, C::running_other, "", "RUNNING other"},
        {R::initializing, C::crashed, "", "CRASHED"},
        {R::created, C::none, "", "none"},
        {R::created, C::unclaimed, "created", "CLAIMED own"},
        {R::created, C::claimed_own, "created", "CLAIMED own"},
        {R::created, C::claimed_other, "", "CLAIMED other"},
        {R::created, C::running_own, "created", "CLAIMED own"},
        {R::created, C::running_other, "", "RUNNING other"},
        {R::created, C::crashed, "", "CRASHED"},
        {R::running, C::none, "running", "RUNNING own"},
        {R::running, C::unclaimed, "running", "RUNNING own"},
        {R::running, C::claimed_own, "running", "RUNNING own"},
        {R::running, C::claimed_other, "running", "RUNNING own"},
        {R::running, C::running_own, "running", "RUNNING own"},
        {R::running, C::running_other, "", "RUNNING other"},
        {R::running, C::crashed, "", "CRASHED"},
        {R::crashed, C::none, "", "none"},
        {R::crashed, C::unclaimed, "", "UNCLAIMED"},
        {R::crashed, C::claimed_own, "", "UNCLAIMED"},  // crashed once: again at once
        {R::crashed, C::claimed_other, "", "CLAIMED other"},
        {R::crashed, C::running_own, "", "UNCLAIMED"},
        {R::crashed, C::running_other, "", "RUNNING other"},
        {R::crashed, C::crashed, "", "CRASHED"},
        {R::stopped, C::none, "", "none"},
        {R::stopped, C::unclaimed, "", "UNCLAIMED"},
        {R::stopped, C::claimed_own, "", "none"},
        {R::stopped, C::claimed_other, "", "CLAIMED other"},
        {R::stopped, C::running_own, "", "none"},
        {R::stopped, C::running_other, "", "RUNNING other"},
        {R::stopped, C::crashed, "", "CRASHED"},
        {R::none, C::none, "", "none"},
        {R::none, C::unclaimed, "", "UNCLAIMED"},
        {R::none, C::claimed_own, "", "none"},
        {R::none, C::claimed_other, "", "CLAIMED other"},
        {R::none, C::running_own, "", "none"},
        {R::none, C::running_other, "", "RUNNING other"},
        {R::none, C::crashed, "", "CRASHED"},
};

}  // namespace

TEST_CASE("every cell of the table of LRPs ends as it says") {
    for (const auto& c : kLrp) {
        INFO("row " << static_cast<int>(c.row) << ", column " << static_cast<int>(c.column));
        Bench bench;
        REQUIRE(bench.memory.desire_lrp(desired("app", 0)));
        bench.container(c.row);
        bench.record(c.column);
        bench.settle();
        CHECK(bench.container_now() == c.container);
        CHECK(bench.record_now() == c.record);
    }
}

TEST_CASE("no operation changes anything while the brain is away, whatever the table says") {
    for (const auto& c : kLrp) {
        if (c.row == R::none) continue;
        INFO("row " << static_cast<int>(c.row) << ", column " << static_cast<int>(c.column));
        Bench bench;
        bench.container(c.row);
        bench.record(c.column);
        const auto container = bench.container_now();
        const auto record = bench.record_now();
        bench.brain.away = true;
        rep::plan::Operation operation;
        operation.guid = kOwn;
        CHECK_FALSE(bench.applier.apply(operation));
        CHECK(bench.container_now() == container);
        CHECK(bench.record_now() == record);
    }
}

namespace {

enum class TaskColumn { none, pending, running_own, running_other, completed, resolving };

struct TaskCase {
    Row row;
    TaskColumn column;
    const char* container;
    const char* task;
};

using T = TaskColumn;

const std::vector<TaskCase> kTasks = {
        {R::reserved, T::none, "", ""},
        {R::reserved, T::pending, "initializing", "Running"},
        // The table says "nothing" and so loses the task (its gap): ours goes on.
        {R::reserved, T::running_own, "initializing", "Running"},
        {R::reserved, T::running_other, "", "Running"},
        {R::reserved, T::completed, "", "Completed"},
        {R::reserved, T::resolving, "", "Resolving"},
        {R::initializing, T::none, "", ""},
        {R::initializing, T::pending, "initializing", "Running"},
        {R::initializing, T::running_own, "initializing", "Running"},
        {R::initializing, T::running_other, "", "Running"},
        {R::initializing, T::completed, "", "Completed"},
        {R::created, T::none, "", ""},
        {R::created, T::pending, "created", "Running"},
        {R::created, T::running_own, "created", "Running"},
        {R::created, T::running_other, "", "Running"},
        {R::created, T::resolving, "", "Resolving"},
        {R::running, T::none, "", ""},
        {R::running, T::pending, "running", "Running"},
        {R::running, T::running_own, "running", "Running"},
        {R::running, T::running_other, "", "Running"},
        {R::running, T::completed, "", "Completed"},
        {R::crashed, T::none, "", ""},
        // A store refuses to complete what never ran there (lifecycle §2).
        {R::crashed, T::pending, "", "Pending"},
        {R::crashed, T::running_own, "", "Completed failed boom"},
        {R::crashed, T::running_other, "", "Running"},
        {R::crashed, T::completed, "", "Completed"},
        {R::crashed, T::resolving, "", "Resolving"},
        {R::stopped, T::running_own, "", "Completed"},
        {R::none, T::none, "", ""},
        {R::none, T::pending, "", "Pending"},
        {R::none, T::running_own, "", "Completed failed task container does not exist"},
        {R::none, T::running_other, "", "Running"},
        {R::none, T::completed, "", "Completed"},
};

std::string task_now(Bench& bench) {
    const auto task = bench.memory.task(kOwn);
    if (!task) return {};
    auto out = std::string(to_string(task->state));
    if (task->failed) out += " failed " + task->failure_reason;
    return out;
}

void put_task(Bench& bench, TaskColumn column) {
    auto task = test::task(kOwn);
    switch (column) {
        case T::none:
            return;
        case T::pending:
            task.state = TaskState::pending;
            break;
        case T::running_own:
            task.state = TaskState::running;
            task.cell_id = kCell;
            break;
        case T::running_other:
            task.state = TaskState::running;
            task.cell_id = "cell-2";
            break;
        case T::completed:
            task.state = TaskState::completed;
            break;
        case T::resolving:
            task.state = TaskState::resolving;
            break;
    }
    bench.memory.put(task);
}

}  // namespace

TEST_CASE("every cell of the table of tasks ends as it says") {
    for (const auto& c : kTasks) {
        INFO("row " << static_cast<int>(c.row) << ", column " << static_cast<int>(c.column));
        Bench bench;
        bench.container(c.row, true);
        put_task(bench, c.column);
        bench.settle();
        CHECK(bench.container_now() == c.container);
        CHECK(task_now(bench) == c.task);
    }
}

namespace {

enum class Evacuating { none, own, other };

struct EvacuationCase {
    Column column;
    Evacuating evacuating;
    bool kept;
    const char* ordinary;
    const char* evacuating_after;
};

using E = Evacuating;

// Table 17.6 for running containers.
const std::vector<EvacuationCase> kEvacuation = {
        {C::unclaimed, E::none, true, "UNCLAIMED", "RUNNING own"},
        {C::unclaimed, E::own, true, "UNCLAIMED", "RUNNING own"},
        {C::unclaimed, E::other, false, "UNCLAIMED", "RUNNING other"},
        {C::claimed_own, E::none, true, "UNCLAIMED", "RUNNING own"},
        {C::claimed_own, E::other, true, "UNCLAIMED", "RUNNING own"},
        {C::running_own, E::none, true, "UNCLAIMED", "RUNNING own"},
        {C::running_own, E::own, true, "UNCLAIMED", "RUNNING own"},
        {C::running_own, E::other, true, "UNCLAIMED", "RUNNING own"},
        {C::claimed_other, E::none, true, "CLAIMED other", "RUNNING own"},
        {C::claimed_other, E::own, true, "CLAIMED other", "RUNNING own"},
        {C::claimed_other, E::other, false, "CLAIMED other", "RUNNING other"},
        {C::running_other, E::none, false, "RUNNING other", "none"},
        {C::running_other, E::own, false, "RUNNING other", "none"},
        {C::running_other, E::other, false, "RUNNING other", "RUNNING other"},
        {C::crashed, E::none, false, "CRASHED", "none"},
        {C::crashed, E::own, false, "CRASHED", "none"},
        {C::none, E::none, false, "none", "none"},
        {C::none, E::own, false, "none", "none"},
};

}  // namespace

TEST_CASE("every cell of the table of evacuation ends as it says") {
    for (const auto& c : kEvacuation) {
        INFO("column " << static_cast<int>(c.column) << ", evacuating "
                       << static_cast<int>(c.evacuating));
        Bench bench;
        REQUIRE(bench.memory.desire_lrp(desired("app", 0)));
        bench.evacuating = true;
        bench.container(Row::running);
        bench.record(c.column);
        if (c.evacuating != E::none)
            bench.memory.put(
                    record(c.evacuating == E::own ? kOwn : kOther, LrpState::running,
                           c.evacuating == E::own ? kCell : "cell-2", Presence::evacuating));
        bench.settle();
        CHECK(bench.container_now() == (c.kept ? "running" : ""));
        CHECK(bench.record_now() == c.ordinary);
        CHECK(bench.record_now(Presence::evacuating) == c.evacuating_after);
        CHECK(bench.executor.said() ==
              std::vector<std::string>{
                      "Cell cell-1 requesting replacement for instance own-instance"});
    }
}

TEST_CASE("an evacuating cell deletes what does not run, and tells the brain first") {
    for (const auto row : {R::reserved, R::initializing, R::created, R::crashed, R::stopped}) {
        INFO("row " << static_cast<int>(row));
        Bench bench;
        bench.evacuating = true;
        bench.container(row);
        bench.record(Column::claimed_own);
        bench.settle();
        CHECK(bench.container_now().empty());
        CHECK(bench.record_now() == (row == R::stopped ? "none" : "UNCLAIMED"));
    }
}

TEST_CASE("an evacuating cell keeps what runs when the brain is away") {
    Bench bench;
    bench.evacuating = true;
    bench.container(Row::running);
    bench.record(Column::running_own);
    bench.brain.away = true;
    bench.settle();
    CHECK(bench.container_now() == "running");
}

TEST_CASE("records without a container go, each of its presence's own way") {
    const auto presence = GENERATE(Presence::ordinary, Presence::evacuating, Presence::suspect);
    Bench bench;
    bench.memory.put(record(kOwn, LrpState::running, kCell, presence));
    bench.settle();
    CHECK(bench.memory.all_lrps().empty());
}

TEST_CASE("ordinary and evacuating records of one lost instance go together") {
    Bench bench;
    bench.memory.put(record(kOwn, LrpState::running));
    bench.memory.put(record(kOwn, LrpState::running, kCell, Presence::evacuating));
    bench.settle();
    CHECK(bench.memory.all_lrps().empty());
}

TEST_CASE("a residual operation spares a container that is there after all") {
    Bench bench;
    bench.container(Row::running);
    bench.record(Column::running_own);
    rep::plan::Operation operation;
    operation.kind = rep::plan::Operation::Kind::residual_lrp;
    operation.guid = kOwn;
    operation.key = key();
    operation.ordinary = true;
    CHECK(bench.applier.apply(operation));
    CHECK(bench.record_now() == "RUNNING own");
    CHECK(bench.container_now() == "running");
}

TEST_CASE("a suspect of ours that still runs is left to the brain") {
    Bench bench;
    bench.container(Row::running);
    bench.memory.put(record(kOwn, LrpState::running, kCell, Presence::suspect));
    bench.memory.put(record("", LrpState::unclaimed));
    bench.settle();
    CHECK(bench.container_now() == "running");
    CHECK(bench.record_now(Presence::suspect) == "RUNNING own");
    CHECK(bench.record_now() == "UNCLAIMED");
}

TEST_CASE("a container whose tags name no LRP is deleted") {
    Bench bench;
    auto c = lrp_container(kOwn, State::running);
    c.tags[std::string(rep::plan::kProcessIndexTag)] = "seven";
    bench.executor.put(c);
    bench.settle();
    CHECK(bench.container_now().empty());
}

TEST_CASE("containers of others are not touched") {
    Bench bench;
    Container c;
    c.guid = kOwn;
    c.state = State::running;
    c.tags["executor-healthcheck"] = "executor-healthcheck";
    bench.executor.put(c);
    bench.settle();
    CHECK(bench.container_now() == "running");
}
