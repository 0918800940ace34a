// lifecycle §4.
#include "stage.hpp"

#include <catch2/catch.hpp>

using namespace test;

namespace api = brain::api;
namespace model = brain::model;

namespace {

constexpr auto kUnclaimed = LrpState::unclaimed;
constexpr auto kClaimed = LrpState::claimed;
constexpr auto kRunning = LrpState::running;
constexpr auto kCrashed = LrpState::crashed;

// A desired process, present cells c1 and c2, and its row: on c1 when its state has a cell.
void set(Stage& stage, LrpState state) {
    put(stage.world, desired("p", 1));
    put_cell(stage.world, "c1");
    put_cell(stage.world, "c2");
    if (state == LrpState::invalid) return;
    const bool placed = state == kClaimed || state == kRunning;
    auto row = actual("p", 0, state, placed ? "c1" : "");
    row.since = stage.now;
    put(stage.world, row);
}

}  // namespace

TEST_CASE("the guard lets pass what the table of transitions says") {
    struct Case {
        LrpState from, to;
        bool empty, same, other;  // the key that is given
    };

    const auto c = GENERATE(values<Case>(
            {{kUnclaimed, kUnclaimed, true, true, true},
             {kUnclaimed, kClaimed, true, true, true},
             {kUnclaimed, kRunning, true, true, true},
             {kUnclaimed, kCrashed, false, false, false},
             {kClaimed, kUnclaimed, true, false, false},
             {kClaimed, kClaimed, false, true, false},
             {kClaimed, kRunning, true, true, true},
             {kClaimed, kCrashed, false, true, false},
             {kRunning, kUnclaimed, true, false, false},
             {kRunning, kClaimed, false, true, false},
             {kRunning, kRunning, false, true, false},
             {kRunning, kCrashed, false, true, false},
             // What crashed has no key: only an empty one equals it.
             {kCrashed, kUnclaimed, true, true, false},
             {kCrashed, kClaimed, true, true, false},
             {kCrashed, kRunning, true, true, false},
             {kCrashed, kCrashed, false, false, false}}));
    const bool placed = c.from == kClaimed || c.from == kRunning;
    const auto row = actual("p", 0, c.from, placed ? "c1" : "");
    INFO(api::to_string(c.from) << " to " << api::to_string(c.to));
    CHECK(model::may_become(row, {}, c.to) == c.empty);
    CHECK(model::may_become(row, row.instance, c.to) == (c.from == kUnclaimed ? c.empty : c.same));
    CHECK(model::may_become(row, instance_on("c2"), c.to) == c.other);
}

TEST_CASE("claim, start, crash, fail, remove and retire do what the tables say") {
    struct Case {
        LrpState from;
        std::string operation, cell, told, row;
    };

    const auto c = GENERATE(values<Case>({
            {LrpState::invalid, "claim", "c1", "ResourceNotFound", ""},
            {kUnclaimed, "claim", "c1", "changed", "CLAIMED c1"},
            {kClaimed, "claim", "c1", "", "CLAIMED c1"},
            {kClaimed, "claim", "c2", "ActualLRPCannotBeClaimed", "CLAIMED c1"},
            {kRunning, "claim", "c1", "changed", "CLAIMED c1"},
            {kRunning, "claim", "c2", "ActualLRPCannotBeClaimed", "RUNNING c1"},
            {kCrashed, "claim", "c1", "ActualLRPCannotBeClaimed", "CRASHED"},
            {LrpState::invalid, "start", "c1", "created", "RUNNING c1"},
            {kUnclaimed, "start", "c1", "changed", "RUNNING c1"},
            {kClaimed, "start", "c1", "changed", "RUNNING c1"},
            {kClaimed, "start", "c2", "changed", "RUNNING c2"},
            {kRunning, "start", "c1", "", "RUNNING c1"},
            {kRunning, "start elsewhere", "c1", "changed", "RUNNING c1"},
            {kRunning, "start", "c2", "ActualLRPCannotBeStarted", "RUNNING c1"},
            {kCrashed, "start", "c1", "ActualLRPCannotBeStarted", "CRASHED"},
            {LrpState::invalid, "crash", "c1", "ResourceNotFound", ""},
            {kUnclaimed, "crash", "c1", "ActualLRPCannotBeCrashed", "UNCLAIMED"},
            {kClaimed, "crash", "c1", "crashed created removed; offer p/0", "UNCLAIMED"},
            {kClaimed, "crash", "c2", "ActualLRPCannotBeCrashed", "CLAIMED c1"},
            {kRunning, "crash", "c1", "crashed created removed; offer p/0", "UNCLAIMED"},
            {kRunning, "crash", "c2", "ActualLRPCannotBeCrashed", "RUNNING c1"},
            {kCrashed, "crash", "c1", "ActualLRPCannotBeCrashed", "CRASHED"},
            {LrpState::invalid, "fail", "", "ResourceNotFound", ""},
            {kUnclaimed, "fail", "", "changed", "UNCLAIMED"},
            {kClaimed, "fail", "", "ActualLRPCannotBeFailed", "CLAIMED c1"},
            {kRunning, "fail", "", "ActualLRPCannotBeFailed", "RUNNING c1"},
            {kCrashed, "fail", "", "ActualLRPCannotBeFailed", "CRASHED"},
            {LrpState::invalid, "remove", "c1", "ResourceNotFound", ""},
            {kRunning, "remove", "c1", "removed", ""},
            {kRunning, "remove", "", "removed", ""},
            {kRunning, "remove", "c2", "ResourceNotFound", "RUNNING c1"},
            {kUnclaimed, "remove", "c1", "ResourceNotFound", "UNCLAIMED"},
            {kUnclaimed, "remove", "", "removed", ""},
            {LrpState::invalid, "retire", "", "ResourceNotFound", ""},
            {kUnclaimed, "retire", "", "removed", ""},
            {kCrashed, "retire", "", "removed", ""},
            {kClaimed, "retire", "", "stop p/0 on c1", "CLAIMED c1"},
            {kRunning, "retire", "", "stop p/0 on c1", "RUNNING c1"},
            {kRunning, "retire without cell", "", "removed", ""},
    }));
    Stage stage;
    set(stage, c.from);
    INFO(c.operation << " by " << c.cell << " of " << api::to_string(c.from));
    const auto key = key_of("p", 0);
    const auto instance = c.cell.empty() ? api::InstanceKey() : instance_on(c.cell);
    auto running = running_on(c.cell);
    if (c.operation == "start elsewhere") running.net_info.address = "10.0.0.2";
    if (c.operation == "retire without cell") remove_cell(stage.world, "c1");
    std::string told;
    if (c.operation == "claim") told = stage.take(model::claim_lrp(stage.ctx(), key, instance));
    if (c.operation.starts_with("start")) told = stage.take(model::start_lrp(stage.ctx(), running));
    if (c.operation == "crash")
        told = stage.take(model::crash_lrp(stage.ctx(), key, instance, "r"));
    if (c.operation == "fail") told = stage.take(model::fail_lrp(stage.ctx(), key, "no place"));
    if (c.operation == "remove") told = stage.take(model::remove_lrp(stage.ctx(), key, instance));
    if (c.operation.starts_with("retire"))
        told = stage.take(model::retire_lrp(stage.ctx(), "p", 0));
    CHECK(told == c.told);
    CHECK(stage.row() == c.row);
}

TEST_CASE("a claim forgets the failed placement and the address and counts the tag up") {
    Stage stage;
    auto row = actual("p", 0, kUnclaimed);
    row.placement_error = "no place";
    row.crash_count = 2;
    put(stage.world, row);
    CHECK(stage.take(model::claim_lrp(stage.ctx(), row.key, instance_on("c1"))) == "changed");
    const auto after = stage.get();
    CHECK(after->placement_error.empty());
    CHECK(after->net_info.empty());
    CHECK(after->since == stage.now);
    CHECK(after->crash_count == 2);
    CHECK(after->modification_tag == api::ModificationTag{.epoch = "e-p", .index = 2});
}

TEST_CASE("a running instance whose address changes keeps the time since which it runs") {
    Stage stage;
    set(stage, kRunning);
    const auto since = stage.get()->since;
    stage.now += 10 * kSecond;
    auto running = running_on("c1");
    running.routable = false;
    CHECK(stage.take(model::start_lrp(stage.ctx(), running)) == "changed");
    CHECK(stage.get()->since == since);
    CHECK(stage.get()->routable == false);
    CHECK(stage.get()->modification_tag.index == 2);
    CHECK(stage.take(model::start_lrp(stage.ctx(), running)) == "");
    CHECK(stage.get()->modification_tag.index == 2);
}

TEST_CASE("a start removes what was suspect or evacuating, behind its own event") {
    Stage stage;
    set(stage, kClaimed);
    put(stage.world, actual("p", 0, kRunning, "c3", Presence::suspect));
    put(stage.world, actual("p", 0, kRunning, "c4", Presence::evacuating));
    CHECK(stage.take(model::start_lrp(stage.ctx(), running_on("c1"))) == "changed removed removed");
    CHECK(stage.row(Presence::suspect) == "");
    CHECK(stage.row(Presence::evacuating) == "");
    // Also when it has nothing new to say itself.
    put(stage.world, actual("p", 0, kRunning, "c3", Presence::suspect));
    CHECK(stage.take(model::start_lrp(stage.ctx(), running_on("c1"))) == "removed");
}

TEST_CASE("what a suspect says itself is taken and ignored, but its crash removes it") {
    Stage stage;
    set(stage, kUnclaimed);
    put(stage.world, actual("p", 0, kRunning, "c3", Presence::suspect));
    const auto key = key_of("p", 0);
    CHECK(stage.take(model::claim_lrp(stage.ctx(), key, instance_on("c3"))) == "");
    CHECK(stage.take(model::start_lrp(stage.ctx(), running_on("c3"))) == "");
    CHECK(stage.row(Presence::suspect) == "RUNNING c3");
    CHECK(stage.row() == "UNCLAIMED");
    CHECK(stage.take(model::crash_lrp(stage.ctx(), key, instance_on("c3"), "r")) == "removed");
    CHECK(stage.row(Presence::suspect) == "");
    CHECK(stage.row() == "UNCLAIMED");
}

TEST_CASE("the count of crashes decides between a restart, a wait and giving up") {
    struct Case {
        std::int32_t before, after;
        std::int64_t wait_seconds;  // 0: at once, -1: never
    };

    const auto c = GENERATE(values<Case>(
            {{0, 1, 0},
             {1, 2, 0},
             {2, 3, 30},
             {3, 4, 60},
             {4, 5, 120},
             {5, 6, 240},
             {6, 7, 480},
             {7, 8, 960},
             {50, 51, 960},
             {198, 199, 960},
             {199, 200, -1},
             {250, 251, -1}}));
    Stage stage;
    set(stage, kRunning);
    auto row = *stage.get();
    row.crash_count = c.before;
    put(stage.world, row);
    INFO(c.before << " crashes before");
    const auto told = stage.take(model::crash_lrp(stage.ctx(), row.key, row.instance, "why"));
    CHECK(stage.get()->crash_count == c.after);
    CHECK(stage.get()->crash_reason == "why");
    CHECK(stage.get()->instance.empty());
    CHECK(stage.get()->net_info.empty());
    CHECK(stage.get()->modification_tag.epoch == row.modification_tag.epoch);
    CHECK(stage.get()->modification_tag.index == row.modification_tag.index + 1);
    if (c.wait_seconds == 0) {
        CHECK(told == "crashed created removed; offer p/0");
        return;
    }
    CHECK(told == "crashed changed");
    CHECK(stage.row() == "CRASHED");
    const auto around = model::survey(stage.world, stage.now);
    const auto due = model::next_due(stage.world.process("p"), around, stage.limits);
    if (c.wait_seconds < 0) {
        CHECK_FALSE(due);
        stage.now += 100'000 * kSecond;
        CHECK(stage.converge() == "");
        return;
    }
    CHECK(due == stage.now + c.wait_seconds * kSecond);
    stage.now += c.wait_seconds * kSecond - 1;
    CHECK(stage.converge() == "");
    stage.now += 1;
    CHECK(stage.converge() == "changed; offer p/0");
    CHECK(stage.row() == "UNCLAIMED");
    CHECK(stage.get()->crash_count == c.after);
}

TEST_CASE("only running for more than five minutes makes good for earlier crashes") {
    struct Case {
        LrpState state;
        std::int64_t nanoseconds;
        std::int32_t count;
    };

    const auto c = GENERATE(values<Case>(
            {{kRunning, 300 * kSecond, 6},
             {kRunning, 300 * kSecond + 1, 1},
             {kClaimed, 3'000 * kSecond, 6}}));
    Stage stage;
    set(stage, c.state);
    auto row = *stage.get();
    row.crash_count = 5;
    put(stage.world, row);
    stage.now += c.nanoseconds;
    (void)stage.take(model::crash_lrp(stage.ctx(), row.key, row.instance, "r"));
    CHECK(stage.get()->crash_count == c.count);
}

TEST_CASE("a crash without a desired process waits unclaimed for the rule of orphans") {
    Stage stage;
    put(stage.world, actual("p", 0, kRunning, "c1"));
    CHECK(stage.take(model::crash_lrp(stage.ctx(), key_of("p", 0), instance_on("c1"), "r")) ==
          "crashed created removed");
    CHECK(stage.row() == "UNCLAIMED");
    put_domain(stage.world, "d", 0);
    CHECK(stage.converge() == "removed");
}

TEST_CASE("a reason is cut to its bound and not within a character") {
    CHECK(model::truncated("short") == "short");
    CHECK(model::truncated(std::string(1'024, 'x')).size() == 1'024);
    const auto cut = model::truncated(std::string(1'025, 'x'));
    CHECK(cut.size() == 1'024);
    CHECK(cut.ends_with("x(truncated)"));
    std::string wide;
    for (int i = 0; i < 600; ++i) wide += "\xc3\xa9";
    const auto even = model::truncated("x" + wide);
    CHECK(even.size() <= 1'024);
    CHECK(static_cast<unsigned char>(even[even.size() - 12]) == 0xa9);
}

TEST_CASE("a key or an instance that cannot be is refused by the name of its field") {
    Stage stage;
    const auto key = key_of("p", 0);
    const auto says = [](const auto& result, const std::string& words) {
        REQUIRE_FALSE(result);
        CHECK(api::error_number(result.error()) == 4);
        CHECK(result.error().text.find(words) != std::string::npos);
    };
    says(model::claim_lrp(stage.ctx(), key, {}), "instance_guid");
    says(model::claim_lrp(stage.ctx(), key, {.instance_guid = "i", .cell_id = ""}), "cell_id");
    says(model::evacuate_claimed_lrp(stage.ctx(), key, {}), "instance_guid");
    auto running = running_on("c1");
    running.key.index = stage.limits.max_instances;
    says(model::start_lrp(stage.ctx(), running), "index: 100000 is not in 0..99999");
    running.key = key_of(std::string(256, 'p'), 0);
    says(model::start_lrp(stage.ctx(), running), "process_guid: 256 bytes exceed the limit of 255");
}

TEST_CASE("another domain is another key") {
    Stage stage;
    set(stage, kUnclaimed);
    auto key = key_of("p", 0);
    key.domain = "other";
    auto running = running_on("c1");
    running.key = key;
    CHECK(stage.take(model::claim_lrp(stage.ctx(), key, instance_on("c1"))) ==
          "ActualLRPCannotBeClaimed");
    CHECK(stage.take(model::start_lrp(stage.ctx(), running)) == "ActualLRPCannotBeStarted");
    CHECK(stage.take(model::fail_lrp(stage.ctx(), key, "")) == "ActualLRPCannotBeFailed");
}
