// lifecycle §5.
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

ActualLrp at_now(const Stage& stage, ActualLrp row) {
    row.since = stage.now;
    return row;
}

}  // namespace

TEST_CASE("one index gets what its rows, its cells and its domain ask for") {
    struct Case {
        std::string name;
        // "U", "C here", "R lost", "X", …; of index 0
        std::string ordinary, evacuating, suspect;
        int instances;  // -1: not desired
        bool fresh;
        std::string told;
        std::string ordinary_after, suspect_after;
    };

    const auto c = GENERATE(values<Case>({
            {"2 evacuating on a lost cell", "R here", "R lost", "", 1, false, "removed",
             "RUNNING here", ""},
            {"2 evacuating on a present cell", "R here", "R here", "", 1, false, "", "RUNNING here",
             ""},
            {"4 unclaimed, young", "U", "", "", 1, false, "", "UNCLAIMED", ""},
            {"4 unclaimed, stale", "U old", "", "", 1, false, "offer p/0", "UNCLAIMED", ""},
            {"4 unclaimed, stale, orphan", "U old", "", "", -1, false, "", "UNCLAIMED", ""},
            {"5 claimed, lost", "C lost", "", "", 1, false, "changed created; offer p/0",
             "UNCLAIMED", "CLAIMED lost"},
            {"5 running, lost", "R lost", "", "", 1, false, "changed created; offer p/0",
             "UNCLAIMED", "RUNNING lost"},
            {"5 running, lost, orphan", "R lost", "", "", -1, false, "", "RUNNING lost", ""},
            {"5 replacement lost, too", "C lost", "", "R gone", 1, false, "created removed",
             "UNCLAIMED", "RUNNING gone"},
            {"6 missing", "", "", "", 1, false, "created; offer p/0", "UNCLAIMED", ""},
            {"6 missing beside an evacuating one", "", "R here", "", 1, false, "created; offer p/0",
             "UNCLAIMED", ""},
            {"6 extra, not fresh", "R here", "", "", 0, false, "", "RUNNING here", ""},
            {"6 extra, fresh", "R here", "", "", 0, true, "stop p/0 on here", "RUNNING here", ""},
            {"6 extra, fresh, unclaimed", "U", "", "", 0, true, "removed", "", ""},
            {"6 extra, fresh, crashed", "X", "", "", 0, true, "removed", "", ""},
            {"6 extra, fresh, lost", "R lost", "", "", 0, true, "removed", "", ""},
            {"6 extra suspect, lost", "", "", "R lost", 0, true, "removed", "", ""},
            {"6 extra suspect, back", "U", "", "R here", 0, true,
             "changed removed; stop p/0 on here", "RUNNING here", ""},
            {"7 orphan, fresh", "R here", "", "", -1, true, "stop p/0 on here", "RUNNING here", ""},
            {"7 orphan, fresh, lost", "R lost", "", "", -1, true, "removed", "", ""},
            {"7 orphan, not fresh", "R here", "", "", -1, false, "", "RUNNING here", ""},
            {"8 orphan suspect, fresh", "", "", "R lost", -1, true, "removed", "", ""},
            {"8 orphan suspect, not fresh", "", "", "R lost", -1, false, "", "", "RUNNING lost"},
            {"9 both run", "R here", "", "R lost", 1, false, "removed", "RUNNING here", ""},
            {"9 both run, suspect back", "R here", "", "R there", 1, false, "removed",
             "RUNNING here", ""},
            {"10 suspect back", "U", "", "R here", 1, false, "changed removed", "RUNNING here", ""},
            {"10 suspect back, replacement claimed", "C there", "", "C here", 1, false,
             "removed changed", "CLAIMED here", ""},
            {"10 suspect back, nothing else", "", "", "R here", 1, false, "changed", "RUNNING here",
             ""},
            {"11 suspect lost, replacement waits", "U", "", "R lost", 1, false, "", "UNCLAIMED",
             "RUNNING lost"},
            {"11 suspect lost, no replacement", "", "", "R lost", 1, false, "created; offer p/0",
             "UNCLAIMED", "RUNNING lost"},
            {"12 crashed, past its wait", "X old", "", "", 1, false, "changed; offer p/0",
             "UNCLAIMED", ""},
            {"12 crashed, within its wait", "X", "", "", 1, false, "", "CRASHED", ""},
            {"12 crashed, orphan", "X old", "", "", -1, false, "", "CRASHED", ""},
            {"harmony", "R here", "", "", 1, true, "", "RUNNING here", ""},
    }));
    INFO(c.name);
    Stage stage;
    put_cell(stage.world, "here");
    put_cell(stage.world, "there");
    if (c.fresh) put_domain(stage.world, "d", 0);
    if (c.instances >= 0) put(stage.world, desired("p", c.instances));
    const std::map<char, LrpState> states = {
            {'U', kUnclaimed}, {'C', kClaimed}, {'R', kRunning}, {'X', kCrashed}};
    const auto set = [&](const std::string& what, Presence presence) {
        if (what.empty()) return;
        const auto rest = what.size() > 2 ? what.substr(2) : "";
        auto row = actual("p", 0, states.at(what[0]), rest == "old" ? "" : rest, presence);
        row.since = rest == "old" ? stage.now - 30 * kSecond - 1 : stage.now;
        if (row.state == kCrashed) row.crash_count = 3;
        put(stage.world, row);
    };
    set(c.ordinary, Presence::ordinary);
    set(c.evacuating, Presence::evacuating);
    set(c.suspect, Presence::suspect);
    const auto view = stage.world.process("p");
    const auto around = model::survey(stage.world, stage.now);
    CHECK(model::in_harmony(view, around, stage.limits) == c.told.empty());
    const auto epoch = stage.get(Presence::suspect) ? stage.get(Presence::suspect)->modification_tag
                                                    : api::ModificationTag();
    CHECK(stage.converge() == c.told);
    CHECK(stage.row() == c.ordinary_after);
    CHECK(stage.row(Presence::suspect) == c.suspect_after);
    // A change of presence is no new tag.
    if (c.name.starts_with("10")) CHECK(stage.get()->modification_tag == epoch);
}

TEST_CASE("indices are compared and not counts") {
    Stage stage;
    put_cell(stage.world, "c1");
    put_domain(stage.world, "d", 0);
    put(stage.world, desired("p", 2));
    put(stage.world, actual("p", 0, kRunning, "c1"));
    put(stage.world, actual("p", 2, kRunning, "c1"));
    model::Findings findings;
    const auto out = model::plan_process(
            stage.ctx(), stage.world.process("p"), model::survey(stage.world, stage.now), findings);
    CHECK(told(out) == "created; offer p/1; stop p/2 on c1");
    CHECK(findings.missing == 1);
    CHECK(findings.extra == 1);
    CHECK(findings.missing_cells.empty());
}

TEST_CASE("a replacement has an epoch of its own and the suspect keeps its own") {
    Stage stage;
    put(stage.world, desired("p", 1));
    put(stage.world, at_now(stage, actual("p", 0, kRunning, "c1")));
    model::Findings findings;
    (void)model::plan_process(
            stage.ctx(), stage.world.process("p"), model::survey(stage.world, stage.now), findings);
    CHECK(findings.missing_cells.contains("c1"));
    (void)stage.converge();
    CHECK(stage.get(Presence::suspect)->modification_tag ==
          api::ModificationTag{.epoch = "e-p", .index = 1});
    CHECK(stage.get()->modification_tag.index == 0);
    CHECK(stage.get()->modification_tag.epoch.starts_with("new-"));
    // The replacement runs: its event, then the end of the suspect.
    CHECK(stage.take(model::start_lrp(stage.ctx(), running_on("c2"))) == "changed removed");
}

TEST_CASE("a replacement whose cell is lost, too, is offered as a stale one later") {
    Stage stage;
    put(stage.world, desired("p", 1));
    put(stage.world, actual("p", 0, kRunning, "c1", Presence::suspect));
    put(stage.world, actual("p", 0, kClaimed, "c2"));
    CHECK(stage.converge() == "created removed");
    stage.now += 30 * kSecond;
    CHECK(stage.converge() == "");
    stage.now += 1;
    CHECK(stage.converge() == "offer p/0");
}

TEST_CASE("routes and tags that differ are sent to an instance that runs on a present cell") {
    Stage stage;
    put_cell(stage.world, "c1");
    auto lrp = desired("p", 2);
    lrp.routes["internal-routes"] = R"([{"hostname":"a"},{"hostname":"b"}])";
    lrp.definition.metric_tags["i"].dynamic = api::DynamicTag::index;
    put(stage.world, lrp);
    auto row = actual("p", 0, kRunning, "c1");
    row.internal_routes = {{.hostname = "b"}, {.hostname = "a"}};
    row.metric_tags = {{"i", "0"}};
    put(stage.world, row);
    put(stage.world, actual("p", 1, kClaimed, "c1"));
    CHECK(stage.converge() == "");
    row.metric_tags = {{"i", "1"}};
    put(stage.world, row);
    CHECK(stage.converge() == "update p/0");
    CHECK(stage.last.updates[0].metric_tags == api::MetricTags{{"i", "0"}});
    row.metric_tags = {{"i", "0"}};
    row.internal_routes.pop_back();
    put(stage.world, row);
    CHECK(stage.converge() == "update p/0");
    const auto around = model::survey(stage.world, stage.now);
    CHECK(model::next_due(stage.world.process("p"), around, stage.limits) ==
          stage.now + stage.limits.stale_unclaimed_ns);
}

TEST_CASE("what waits for a place is offered once an interval however often it is planned") {
    Stage stage;
    put(stage.world, desired("p", 1));
    put(stage.world, at_now(stage, actual("p", 0, kUnclaimed)));
    auto around = model::survey(stage.world, stage.now);
    const auto start = stage.now;
    int offers = 0;
    for (; stage.now < start + 300 * kSecond; stage.now += kSecond) {
        around.previous = around.now;
        around.now = stage.now;
        model::Findings findings;
        const auto view = stage.world.process("p");
        const auto out = model::plan_process(stage.ctx(), view, around, findings);
        offers += static_cast<int>(out.starts.size());
        const auto due = model::next_due(view, around, stage.limits);
        REQUIRE(due);
        CHECK(*due > stage.now);
        CHECK((*due - start) % (30 * kSecond) == 1);
    }
    CHECK(offers == 9);
}

TEST_CASE("a row that was left by another domain's process of that name is made anew") {
    Stage stage;
    auto row = at_now(stage, actual("p", 0, kUnclaimed));
    row.key.domain = "former";
    put(stage.world, row);
    put(stage.world, desired("p", 1));
    CHECK(stage.converge() == "removed created; offer p/0");
    CHECK(stage.get()->key.domain == "d");
    CHECK(stage.take(model::claim_lrp(stage.ctx(), key_of("p", 0), instance_on("c1"))) ==
          "changed");
}

TEST_CASE("no cells at all means that every cell is lost") {
    Stage stage;
    put(stage.world, desired("p", 2));
    put(stage.world, actual("p", 0, kRunning, "c1"));
    put(stage.world, actual("p", 1, kClaimed, "c2"));
    CHECK(stage.converge() == "changed created changed created; offer p/0; offer p/1");
    CHECK(stage.world.counts().suspect_running == 1);
    CHECK(stage.world.counts().suspect_claimed == 1);
    CHECK(stage.world.counts().unclaimed == 2);
}
