// Moves that are proposed after maintenance: few, useful, and never at the cost of spreading.
#include "brain/auction/rebalance.hpp"

#include "tests/unit/brain_auction/worlds.hpp"

#include <set>

#include <catch2/catch.hpp>

using namespace test;
using brain::auction::Move;
using brain::auction::plan_moves;
using brain::auction::RebalanceSettings;

namespace {

// Three cells in each zone with 60 instances each, one instance of a process on a cell; then the
// last cell of each zone comes back empty.
Cells after_maintenance() {
    auto cells = make_cells(8);
    for (std::size_t i = 0; i < 6; ++i)
        for (int n = 0; n < 60; ++n)
            preload(cells[i], "app-" + std::to_string(n), static_cast<std::int32_t>(i));
    return cells;
}

}  // namespace

TEST_CASE("instances move from full cells to empty ones") {
    const auto cells = after_maintenance();
    const auto moves = plan_moves(cells, {}, {});
    REQUIRE(moves.size() == 10);
    std::set<std::string> processes;
    for (const auto& move : moves) {
        CHECK((move.to == "cell-0006" || move.to == "cell-0007"));
        CHECK(move.from < "cell-0006");
        CHECK(move.gain >= 0.1);
        CHECK_FALSE(move.between_zones);
        processes.insert(move.key.process_guid);
    }
    CHECK(processes.size() == moves.size());
    CHECK(plan_moves(cells, {}, {.max_moves = 3}).size() == 3);
    CHECK(plan_moves(cells, {}, {.max_moves = 0}).empty());
}

TEST_CASE("even cells are left alone") {
    auto cells = make_cells(6);
    for (std::size_t i = 0; i < cells.size(); ++i)
        for (int n = 0; n < 40 + static_cast<int>(i); ++n)
            preload(cells[i], "app-" + std::to_string(n), static_cast<std::int32_t>(i));
    CHECK(plan_moves(cells, {}, {}).empty());
    CHECK(plan_moves({}, {}, {}).empty());
}

TEST_CASE("a process with one instance stays unless told otherwise") {
    auto cells = make_cells(2);
    cells[1].zone = cells[0].zone;
    preload_unique(cells[0], 50);
    CHECK(plan_moves(cells, {}, {}).empty());
    CHECK(plan_moves(cells, {}, {.move_only_instances = true}).size() == 10);
}

TEST_CASE("zones are evened out before cells") {
    auto cells = make_cells(4);
    preload_unique(cells[1], 50);
    preload_unique(cells[3], 50);
    preload(cells[0], "app", 0);
    preload(cells[2], "app", 1);
    auto moves = plan_moves(cells, {}, {});
    REQUIRE(moves.size() == 1);
    CHECK(moves[0].between_zones);
    CHECK(moves[0].key.process_guid == "app");
    CHECK(moves[0].to == "cell-0001");
}

TEST_CASE("nothing moves to a cell that must not have it") {
    auto cells = after_maintenance();
    cells[6].placement_tags = {"gpu"};
    cells[7].evacuating = true;
    CHECK(plan_moves(cells, {}, {}).empty());
}
