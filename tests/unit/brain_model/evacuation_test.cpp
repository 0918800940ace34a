// lifecycle §6.
#include "stage.hpp"

#include <catch2/catch.hpp>

using namespace test;

namespace api = brain::api;
namespace model = brain::model;

TEST_CASE("an evacuating cell's claimed, crashed and stopped instances go as the table says") {
    struct Case {
        std::string operation;
        std::string target;  // "" none
        std::string told;
        std::string ordinary;  // afterwards
    };

    const auto c = GENERATE(values<Case>({
            {"claimed", "ordinary", "created removed; offer p/0", "UNCLAIMED"},
            {"claimed", "evacuating", "removed", ""},
            {"claimed", "suspect", "removed", ""},
            {"claimed", "", "ResourceNotFound", ""},
            {"crashed", "ordinary", "crashed created removed", "UNCLAIMED"},
            {"crashed", "evacuating", "removed", ""},
            {"crashed", "suspect", "removed", ""},
            {"crashed", "", "ResourceNotFound", ""},
            {"stopped", "ordinary", "removed", ""},
            {"stopped", "evacuating", "removed", ""},
            {"stopped", "suspect", "removed", ""},
            {"stopped", "", "ResourceNotFound", ""},
            {"remove", "ordinary", "ResourceNotFound", "CLAIMED c1"},
            {"remove", "evacuating", "removed", ""},
            {"remove", "suspect", "ResourceNotFound", ""},
            {"remove", "", "ResourceNotFound", ""},
    }));
    INFO(c.operation << " " << c.target);
    Stage stage;
    put(stage.world, desired("p", 1));
    if (c.target == "ordinary") put(stage.world, actual("p", 0, LrpState::claimed, "c1"));
    if (c.target == "evacuating")
        put(stage.world, actual("p", 0, LrpState::running, "c1", Presence::evacuating));
    if (c.target == "suspect")
        put(stage.world, actual("p", 0, LrpState::running, "c1", Presence::suspect));
    const auto key = key_of("p", 0);
    const auto instance = instance_on("c1");
    stage.answer = false;
    std::string told;
    if (c.operation == "claimed")
        told = stage.take(model::evacuate_claimed_lrp(stage.ctx(), key, instance));
    if (c.operation == "crashed")
        told = stage.take(model::evacuate_crashed_lrp(stage.ctx(), key, instance, "r"));
    if (c.operation == "stopped")
        told = stage.take(model::evacuate_stopped_lrp(stage.ctx(), key, instance));
    if (c.operation == "remove")
        told = stage.take(model::remove_evacuating_lrp(stage.ctx(), key, instance));
    CHECK(told == c.told);
    CHECK_FALSE(stage.answer);
    CHECK(stage.row() == c.ordinary);
    if (told == "removed") CHECK(stage.world.group("p", 0).evacuating == nullptr);
    if (told == "removed") CHECK(stage.world.group("p", 0).suspect == nullptr);
}

TEST_CASE("a running instance of an evacuating cell is kept or not in the order of the rules") {
    struct Case {
        std::string name;
        std::string ordinary;  // "STATE cell"
        std::string evacuating, suspect;
        bool desired, recreate;
        std::string told;
        bool keep;
        std::string ordinary_after, evacuating_after;
    };

    const auto c = GENERATE(values<Case>({
            {"1 no rows", "", "", "", true, false, "", false, "", ""},
            {"2 no ordinary row", "", "c1", "", true, false, "removed", false, "", ""},
            {"2 no ordinary row, suspect", "", "", "c1", true, false, "", false, "", ""},
            {"2 another runs", "R c2", "c1", "", true, false, "removed", false, "RUNNING c2", ""},
            {"2 another runs, unknown", "R c2", "", "", true, false, "", false, "RUNNING c2", ""},
            {"2 crashed", "X", "c1", "", true, false, "removed", false, "CRASHED", ""},
            {"3 not desired", "U", "c1", "", false, false, "removed", false, "UNCLAIMED", ""},
            {"3 not desired, own", "R c1", "", "", false, false, "", false, "RUNNING c1", ""},
            {"4 recreate, unknown", "U", "", "", true, true, "", false, "UNCLAIMED", ""},
            {"4 recreate, evacuating", "U", "c1", "", true, true, "removed", false, "UNCLAIMED",
             ""},
            {"4 recreate, suspect", "U", "", "c1", true, true, "removed", false, "UNCLAIMED", ""},
            {"4 recreate, all run", "R c1", "", "", true, true, "created removed; offer p/0", false,
             "UNCLAIMED", ""},
            {"4 recreate, not all run", "C c1", "", "", true, true, "", true, "CLAIMED c1", ""},
            {"5 unknown", "U", "", "", true, false, "created", true, "UNCLAIMED", "RUNNING c1"},
            {"5 unknown, slot taken", "U", "c3", "", true, false, "", false, "UNCLAIMED",
             "RUNNING c3"},
            {"5 evacuating", "U", "c1", "", true, false, "", true, "UNCLAIMED", "RUNNING c1"},
            {"5 evacuating, claimed", "C c2", "c1", "", true, false, "", true, "CLAIMED c2",
             "RUNNING c1"},
            {"6 running", "R c1", "", "", true, false, "changed created; offer p/0", true,
             "UNCLAIMED", "RUNNING c1"},
            {"6 claimed", "C c1", "", "", true, false, "changed created; offer p/0", true,
             "UNCLAIMED", "RUNNING c1"},
            {"6 suspect", "U", "", "c1", true, false, "changed", true, "UNCLAIMED", "RUNNING c1"},
            {"6 the slot of another", "R c1", "c3", "", true, false,
             "changed removed created; offer p/0", true, "UNCLAIMED", "RUNNING c1"},
    }));
    INFO(c.name);
    Stage stage;
    if (c.desired) {
        auto lrp = desired("p", 1);
        if (c.recreate) lrp.update_strategy = api::UpdateStrategy::recreate;
        put(stage.world, lrp);
    }
    const std::map<char, LrpState> states = {
            {'U', LrpState::unclaimed},
            {'C', LrpState::claimed},
            {'R', LrpState::running},
            {'X', LrpState::crashed}};
    auto routable = [](ActualLrp row) {
        row.routable = true;
        return row;
    };
    if (!c.ordinary.empty())
        put(stage.world, routable(
                                 actual("p", 0, states.at(c.ordinary[0]),
                                        c.ordinary.size() > 2 ? c.ordinary.substr(2) : "")));
    if (!c.evacuating.empty())
        put(stage.world,
            routable(actual("p", 0, LrpState::running, c.evacuating, Presence::evacuating)));
    if (!c.suspect.empty())
        put(stage.world, routable(actual("p", 0, LrpState::running, c.suspect, Presence::suspect)));
    CHECK(stage.take(model::evacuate_running_lrp(stage.ctx(), running_on("c1"))) == c.told);
    CHECK(stage.answer == c.keep);
    CHECK(stage.row() == c.ordinary_after);
    CHECK(stage.row(Presence::evacuating) == c.evacuating_after);
}

TEST_CASE("an evacuating copy has an epoch of its own and its index keeps the old one") {
    Stage stage;
    put(stage.world, desired("p", 1));
    auto row = actual("p", 0, LrpState::running, "c1");
    row.crash_count = 2;
    put(stage.world, row);
    (void)stage.take(model::evacuate_running_lrp(stage.ctx(), running_on("c1")));
    const auto copy = stage.get(Presence::evacuating);
    CHECK(copy->modification_tag == api::ModificationTag{.epoch = "new-0", .index = 0});
    CHECK(stage.get()->modification_tag == api::ModificationTag{.epoch = "e-p", .index = 2});
    CHECK(stage.get()->crash_count == 2);
    // The replacement starts: the copy goes behind its event.
    CHECK(stage.take(model::start_lrp(stage.ctx(), running_on("c2"))) == "changed removed");
    CHECK(stage.row(Presence::evacuating) == "");
}

TEST_CASE("recreate keeps an instance while another index does not run") {
    Stage stage;
    auto lrp = desired("p", 2);
    lrp.update_strategy = api::UpdateStrategy::recreate;
    put(stage.world, lrp);
    put(stage.world, actual("p", 0, LrpState::running, "c1"));
    put(stage.world, actual("p", 1, LrpState::claimed, "c2"));
    CHECK(stage.take(model::evacuate_running_lrp(stage.ctx(), running_on("c1"))) == "");
    CHECK(stage.answer);
    put(stage.world, actual("p", 1, LrpState::running, "c2"));
    CHECK(stage.take(model::evacuate_running_lrp(stage.ctx(), running_on("c1"))) ==
          "created removed; offer p/0");
    CHECK_FALSE(stage.answer);
}
