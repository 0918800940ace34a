// lifecycle §2.
#include "stage.hpp"

#include <catch2/catch.hpp>

using namespace test;

namespace api = brain::api;
namespace model = brain::model;

namespace {

constexpr auto kNone = TaskState::invalid;

std::string state(const Stage& stage) {
    const auto task = stage.world.task("t");
    return task ? std::string(api::to_string(task->state)) : "";
}

// Task t, running or having run on c1, as of now.
void set(Stage& stage, TaskState state) {
    put_cell(stage.world, "c1");
    if (state == kNone) return;
    auto given = task("t", state, state == TaskState::running ? "c1" : "");
    given.created_at = given.updated_at = stage.now;
    if (state == TaskState::completed || state == TaskState::resolving)
        given.first_completed_at = stage.now;
    put(stage.world, given);
}

std::string operate(Stage& stage, const std::string& operation, const std::string& cell) {
    const auto ctx = stage.ctx();
    if (operation == "desire") return stage.take(model::desire_task(ctx, task("t", kNone)));
    if (operation == "start") return stage.take(model::start_task(ctx, "t", cell));
    if (operation == "complete")
        return stage.take(model::complete_task(
                ctx, {.task_guid = "t",
                      .cell_id = cell,
                      .failed = false,
                      .failure_reason = "",
                      .result = "42"}));
    if (operation == "cancel") return stage.take(model::cancel_task(ctx, "t"));
    if (operation == "fail") return stage.take(model::fail_task(ctx, "t", "why"));
    if (operation == "reject") return stage.take(model::reject_task(ctx, "t", "no place"));
    if (operation == "resolve") return stage.take(model::resolve_task(ctx, "t"));
    return stage.take(model::delete_task(ctx, "t"));
}

}  // namespace

TEST_CASE("tasks change their state as the table says") {
    struct Case {
        std::string operation;
        TaskState from;
        std::string told, after;
    };

    constexpr auto kPending = TaskState::pending;
    constexpr auto kRunning = TaskState::running;
    constexpr auto kCompleted = TaskState::completed;
    constexpr auto kResolving = TaskState::resolving;
    const std::string no_transition = "InvalidStateTransition";
    const std::string not_found = "ResourceNotFound";
    const auto c = GENERATE_COPY(values<Case>({
            {"desire", kNone, "created; offer t", "Pending"},
            {"desire", kPending, "ResourceExists", "Pending"},
            {"desire", kResolving, "ResourceExists", "Resolving"},
            {"start", kNone, not_found, ""},
            {"start", kPending, "changed", "Running"},
            {"start", kRunning, "", "Running"},
            {"start", kCompleted, no_transition, "Completed"},
            {"start", kResolving, no_transition, "Resolving"},
            {"complete", kNone, not_found, ""},
            {"complete", kPending, no_transition, "Pending"},
            {"complete", kRunning, "changed; tell t", "Completed"},
            {"complete", kCompleted, no_transition, "Completed"},
            {"complete", kResolving, no_transition, "Resolving"},
            {"cancel", kNone, not_found, ""},
            {"cancel", kPending, "changed; tell t", "Completed"},
            {"cancel", kRunning, "changed; cancel on c1; tell t", "Completed"},
            {"cancel", kCompleted, no_transition, "Completed"},
            {"cancel", kResolving, no_transition, "Resolving"},
            {"fail", kNone, not_found, ""},
            {"fail", kPending, "changed; tell t", "Completed"},
            {"fail", kRunning, "changed; tell t", "Completed"},
            {"fail", kCompleted, no_transition, "Completed"},
            {"reject", kNone, not_found, ""},
            {"reject", kPending, "changed", "Pending"},
            {"reject", kRunning, "changed", "Pending"},
            {"reject", kCompleted, "InvalidRequest", "Completed"},
            {"reject", kResolving, "InvalidRequest", "Resolving"},
            {"resolve", kNone, not_found, ""},
            {"resolve", kPending, no_transition, "Pending"},
            {"resolve", kRunning, no_transition, "Running"},
            {"resolve", kCompleted, "changed", "Resolving"},
            {"resolve", kResolving, no_transition, "Resolving"},
            {"delete", kNone, not_found, ""},
            {"delete", kPending, no_transition, "Pending"},
            {"delete", kRunning, no_transition, "Running"},
            {"delete", kCompleted, no_transition, "Completed"},
            {"delete", kResolving, "removed", ""},
    }));
    Stage stage;
    set(stage, c.from);
    INFO(c.operation << " from " << api::to_string(c.from));
    CHECK(operate(stage, c.operation, "c1") == c.told);
    CHECK(state(stage) == c.after);
}

TEST_CASE("a task is started once and the same cell may ask again") {
    Stage stage;
    set(stage, TaskState::pending);
    CHECK(operate(stage, "start", "c1") == "changed");
    CHECK(stage.answer);
    CHECK(operate(stage, "start", "c1") == "");
    CHECK_FALSE(stage.answer);
    const auto refused = model::start_task(stage.ctx(), "t", "c2");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text == "Cannot transition from Running to Running");
    const auto elsewhere = model::complete_task(stage.ctx(), {.task_guid = "t", .cell_id = "c2"});
    REQUIRE_FALSE(elsewhere);
    CHECK(elsewhere.error().text == "Running on cell c1 not c2");
    CHECK(api::error_number(elsewhere.error()) == 24);
    CHECK(api::error_name(model::start_task(stage.ctx(), "t", "").error()) == "InvalidRequest");
}

TEST_CASE("every way to completion sets the times and clears the cell") {
    const auto operation = GENERATE(values<std::string>({"complete", "cancel", "fail"}));
    Stage stage;
    set(stage, TaskState::running);
    stage.now += 5 * kSecond;
    (void)operate(stage, operation, "c1");
    const auto done = stage.world.task("t");
    CHECK(done->cell_id.empty());
    CHECK(done->first_completed_at == stage.now);
    CHECK(done->updated_at == stage.now);
    CHECK(done->failed == (operation != "complete"));
    CHECK(done->result == (operation == "complete" ? "42" : ""));
    if (operation == "cancel") CHECK(done->failure_reason == "task was cancelled");
}

TEST_CASE("without an address nobody is told of a completion") {
    Stage stage;
    auto given = task("t", TaskState::running, "c1");
    given.task_definition.completion_callback_url.clear();
    put(stage.world, given);
    CHECK(operate(stage, "complete", "c1") == "changed");
}

TEST_CASE("the fourth rejection is fatal with the default") {
    Stage stage;
    set(stage, TaskState::pending);
    for (int i = 1; i <= 3; ++i) {
        CHECK(operate(stage, "reject", "") == "changed");
        CHECK(stage.world.task("t")->rejection_count == i);
        CHECK(stage.world.task("t")->rejection_reason == "no place");
        CHECK(state(stage) == "Pending");
    }
    CHECK(operate(stage, "reject", "") == "changed; tell t");
    CHECK(state(stage) == "Completed");
    CHECK(stage.world.task("t")->failed);
    CHECK(stage.world.task("t")->failure_reason == "no place");
    CHECK(stage.world.task("t")->rejection_count == 4);
}

TEST_CASE("a rejected task keeps its cell's name until another starts it") {
    Stage stage;
    set(stage, TaskState::running);
    CHECK(operate(stage, "reject", "") == "changed");
    CHECK(stage.world.task("t")->cell_id == "c1");
    CHECK(operate(stage, "start", "c2") == "changed");
    CHECK(stage.world.task("t")->cell_id == "c2");
}

TEST_CASE("what a client put into the brain's fields of a task is not taken") {
    Stage stage;
    auto given = task("t", TaskState::completed, "c9");
    given.failed = true;
    given.rejection_count = 3;
    given.first_completed_at = 7;
    (void)stage.take(model::desire_task(stage.ctx(), given));
    const auto made = stage.world.task("t");
    CHECK(made->state == TaskState::pending);
    CHECK(made->cell_id.empty());
    CHECK_FALSE(made->failed);
    CHECK(made->rejection_count == 0);
    CHECK(made->first_completed_at == 0);
    CHECK(made->created_at == stage.now);
}

TEST_CASE("a result over its bound is refused with both numbers") {
    Stage stage;
    set(stage, TaskState::running);
    const auto refused = model::complete_task(
            stage.ctx(), {.task_guid = "t",
                          .cell_id = "c1",
                          .failed = false,
                          .failure_reason = "",
                          .result = std::string(51'201, 'x')});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find("result: 51201 bytes exceed the limit of 51200") !=
          std::string::npos);
}

TEST_CASE("convergence does to a task what its state and age ask for") {
    struct Case {
        TaskState from;
        std::int64_t age;  // ns
        bool cell_lost;
        std::string told, after;
    };

    const auto c = GENERATE(values<Case>({
            {TaskState::pending, 30 * kSecond, false, "", "Pending"},
            {TaskState::pending, 30 * kSecond + 1, false, "offer t", "Pending"},
            {TaskState::pending, 1'800 * kSecond, false, "offer t", "Pending"},
            {TaskState::pending, 1'800 * kSecond + 1, false, "changed", "Completed"},
            {TaskState::running, 9'000 * kSecond, false, "", "Running"},
            {TaskState::running, 0, true, "changed", "Completed"},
            {TaskState::resolving, 30 * kSecond, false, "", "Resolving"},
            {TaskState::resolving, 30 * kSecond + 1, false, "changed; tell t", "Completed"},
            {TaskState::resolving, 120 * kSecond + 1, false, "changed removed", ""},
            {TaskState::completed, 30 * kSecond, false, "", "Completed"},
            {TaskState::completed, 30 * kSecond + 1, false, "tell t", "Completed"},
            {TaskState::completed, 120 * kSecond, false, "tell t", "Completed"},
            {TaskState::completed, 120 * kSecond + 1, false, "removed", ""},
    }));
    Stage stage;
    set(stage, c.from);
    if (c.cell_lost) remove_cell(stage.world, "c1");
    INFO(api::to_string(c.from) << " after " << c.age);
    // Due exactly when there is something to do, and not before.
    const auto due = model::next_due(*stage.world.task("t"), stage.limits, stage.now + c.age - 1);
    stage.now += c.age;
    const auto before = stage.world.task("t");
    CHECK(stage.converge_task() == c.told);
    CHECK(state(stage) == c.after);
    if (!c.cell_lost) CHECK((due && *due <= stage.now) == (c.age % kSecond == 1));
    const auto after = stage.world.task("t");
    if (c.from == TaskState::pending && c.after == "Completed")
        CHECK(after->failure_reason == "not started within time limit");
    if (c.cell_lost) {
        CHECK(after->failure_reason == "cell disappeared before completion");
        CHECK(after->cell_id == "c1");
        CHECK(after->first_completed_at == stage.now);
    }
    if (c.from == TaskState::resolving && after) CHECK(after->updated_at == before->updated_at);
}

TEST_CASE("an unplaceable task is offered once a kick however often it is looked at") {
    Stage stage;
    set(stage, TaskState::pending);
    auto around = model::survey(stage.world, stage.now);
    const auto start = stage.now;
    int offers = 0;
    for (; stage.now < start + 300 * kSecond; stage.now += kSecond) {
        around.previous = around.now;
        around.now = stage.now;
        offers += static_cast<int>(
                model::plan_task(stage.ctx(), stage.world.task("t"), around).task_starts.size());
    }
    CHECK(offers == 9);
}
