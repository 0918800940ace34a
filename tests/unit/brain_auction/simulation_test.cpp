// The scenarios of auction §13 with fixed seeds, and the figures of §14.
#include "tests/unit/brain_auction/worlds.hpp"

#include <catch2/catch.hpp>

using namespace test;
using Counts = std::vector<std::size_t>;

namespace {

struct Size {
    std::size_t apps;
    std::size_t cells;
};

const std::vector<Size> kSizes{{8, 4}, {40, 10}, {200, 20}, {800, 40}};

Settings packing(double weight) {
    return {.starting_weight = 0.5, .bin_pack_first_fit_weight = weight};
}

// Half unique, half of four guids of the class, shuffled.
Batch large_cold_start(std::size_t times, std::uint64_t seed) {
    std::mt19937_64 engine(seed);
    Batch out;
    int next = 0;
    const auto add = [&](std::size_t count, std::int64_t mb) {
        std::map<std::string, std::int32_t> indices;
        for (std::size_t i = 0; i < count; ++i) {
            std::string guid = "unique-" + std::to_string(next++);
            if (i % 2 == 1)
                guid = "class-" + std::to_string(mb) + "-" + std::to_string(engine() % 4);
            out.lrps.push_back(make_lrp(guid, indices[guid]++, mb, mb));
        }
    };
    add(1'800 * times, 1);
    add(200 * times, 2);
    add(50 * times, 4);
    std::shuffle(out.lrps.begin(), out.lrps.end(), engine);
    return out;
}

Counts zone_counts(const Cells& cells, const Results& results, const std::string& zone) {
    Counts out;
    for (const auto& cell : cells)
        if (cell.zone == zone) out.push_back(auctioned(results, cell.cell_id));
    return out;
}

std::size_t sum(const Counts& counts) {
    std::size_t out = 0;
    for (const auto count : counts) out += count;
    return out;
}

bool near_mean(const Counts& counts, double tolerance) {
    const auto mean = static_cast<double>(sum(counts)) / static_cast<double>(counts.size());
    return std::ranges::all_of(counts, [&](std::size_t count) {
        return std::abs(static_cast<double>(count) - mean) <= tolerance;
    });
}

}  // namespace

TEST_CASE("scenario 1: a small cold start of unique apps is perfectly even") {
    for (const auto& [apps, size] : kSizes) {
        const auto cells = make_cells(size);
        const auto results = schedule(cells, unique_apps(apps));
        CAPTURE(apps);
        CHECK(results.placed == apps);
        CHECK(distribution(cells, results) == Approx(0).margin(1e-9));
    }
}

TEST_CASE("scenario 2a: bin packing fills each zone in order of index") {
    for (const double weight : {0.25, 0.5, 0.75})
        for (const auto& [apps, size] : kSizes) {
            const auto cells = make_cells(size);
            const auto results = schedule(cells, unique_apps(apps), packing(weight));
            CAPTURE(weight, apps);
            CHECK(results.placed == apps);
            Counts sums;
            for (const auto* zone : {"z0", "z1"}) {
                const auto counts = zone_counts(cells, results, zone);
                CHECK(std::ranges::is_sorted(counts, std::greater<>()));
                sums.push_back(sum(counts));
            }
            CHECK(spread(sums) <= 1);
        }
}

TEST_CASE("scenario 2a gives the counts of the reference") {
    struct Row {
        double weight;
        Size size;
        Counts zone;  // or its first and last
        double score;
    };

    const std::vector<Row> rows{
            {0.25, {40, 10}, {5, 4, 4, 4, 3}, 0.158},
            {0.25, {200, 20}, {12, 8}, 0.141},
            {0.25, {800, 40}, {25, 15}, 0.146},
            {0.5, {40, 10}, {6, 5, 4, 3, 2}, 0.354},
            {0.5, {200, 20}, {14, 6}, 0.245},
            {0.5, {800, 40}, {29, 11}, 0.267},
            {0.75, {8, 4}, {3, 1}, 0.5},
            {0.75, {40, 10}, {7, 5, 4, 3, 1}, 0.5},
            {0.75, {200, 20}, {17, 3}, 0.436},
            {0.75, {800, 40}, {34, 6}, 0.43}};
    for (const auto& row : rows) {
        const auto cells = make_cells(row.size.cells);
        const auto results = schedule(cells, unique_apps(row.size.apps), packing(row.weight));
        auto counts = zone_counts(cells, results, "z0");
        CAPTURE(row.weight, row.size.apps, counts);
        CHECK(distribution(cells, results) == Approx(row.score).margin(0.006));
        if (row.zone.size() == 2) counts = {counts.front(), counts.back()};
        CHECK(counts == row.zone);
    }
}

TEST_CASE("scenario 2b: instances of one app are spread even when packing") {
    for (const double weight : {0.25, 0.5, 0.75})
        for (const auto& [apps, size] : kSizes) {
            const auto cells = make_cells(size);
            const auto results = schedule(cells, one_app(apps), packing(weight));
            CHECK(distribution(cells, results) == Approx(0).margin(1e-9));
        }
}

TEST_CASE("scenario 3: a large cold start is even") {
    struct Row {
        std::size_t cells, times, least, most;
    };

    for (const auto& row : {Row{25, 1, 78, 86}, Row{100, 4, 75, 86}})
        for (std::uint64_t seed = 1; seed <= 4; ++seed) {
            const auto cells = make_cells(row.cells);
            const auto results = schedule(cells, large_cold_start(row.times, seed));
            const auto counts = test::counts(cells, results);
            CAPTURE(row.cells, seed, counts, distribution(cells, results));
            CHECK(results.placed == 2'050 * row.times);
            CHECK(distribution(cells, results) <= 0.031);
            CHECK(std::ranges::min(counts) >= row.least);
            CHECK(std::ranges::max(counts) <= row.most);
            CHECK(near_mean(counts, 10));
        }
}

TEST_CASE("scenario 4: empty cells do not swallow everything") {
    struct Row {
        std::size_t full, apps, on_empty, least, most;
        double score;
    };

    for (const auto& row : {Row{95, 500, 6, 4, 5, 0.203}, Row{99, 100, 2, 0, 1, 0.0965}}) {
        auto cells = make_cells(100);
        for (std::size_t i = 0; i < row.full; ++i) preload_unique(cells[i], 50);
        const auto results = schedule(cells, unique_apps(row.apps));
        const auto counts = test::counts(cells, results);
        CAPTURE(counts);
        CHECK(results.placed == row.apps);
        for (std::size_t i = 0; i < counts.size(); ++i)
            if (i >= row.full) {
                CHECK(counts[i] == row.on_empty);
            } else {
                CHECK(counts[i] >= row.least);
                CHECK(counts[i] <= row.most);
            }
        CHECK(distribution(cells, results) == Approx(row.score).margin(0.002));
    }
}

TEST_CASE("scenario 5: a loaded zone gets as many instances as an empty one") {
    Cells cells{make_cell(0, "z0"), make_cell(1, "z1"), make_cell(2, "z0")};
    preload_unique(cells[1], 50);
    const auto results = schedule(cells, one_app(40));
    CHECK(counts(cells, results) == Counts{10, 20, 10});
}

TEST_CASE("scenario 6: one app is even on loaded cells") {
    struct Row {
        std::size_t cells, apps;
    };

    for (const auto& row : {Row{10, 80}, Row{30, 200}, Row{100, 400}})
        for (std::uint64_t seed = 1; seed <= 4; ++seed) {
            std::mt19937_64 engine(seed);
            auto cells = make_cells(row.cells);
            for (auto& cell : cells) preload_unique(cell, 78 + engine() % 3);
            const auto results = schedule(cells, one_app(row.apps));
            const auto counts = test::counts(cells, results);
            CHECK(results.placed == row.apps);
            CHECK(near_mean(counts, 1));
            CHECK(distribution(cells, results) <= 0.0115);
        }
}

TEST_CASE("scenario 7: the first boulder wins against pebbles and the second loses") {
    const Cells cells{make_cell(0, "z0")};
    Batch batch;
    for (int i = 0; i < 80; ++i) batch.lrps.push_back(make_lrp("pebble-" + std::to_string(i), 0));
    batch.lrps.push_back(make_lrp("boulder", 0, 50));
    batch.lrps.push_back(make_lrp("boulder", 1, 50));
    const auto results = schedule(cells, batch);
    CHECK(results.placed == 51);
    CHECK(results.failed == 31);
    CHECK(decision_of(batch, results, "boulder", 0).placed());
    CHECK(decision_of(batch, results, "boulder", 1).error == "insufficient resources: memory");
}
