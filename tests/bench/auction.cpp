// bench-auction: what a round of the auction costs without any cell being called. Prints
// placements, cells, seconds, score (standard deviation of memory over its mean), instances per
// cell as a table or, with --json, one object per line.
#include "tests/unit/brain_auction/worlds.hpp"

#include <chrono>
#include <cstdio>
#include <cstring>

namespace {

using test::Batch;
using test::Cells;

struct Case {
    const char* name;
    std::size_t placements;
    std::size_t cells;
    std::size_t preloaded;  // instances on each cell before
    std::size_t processes;  // 0: one for each instance
    bool unlike;            // cells of many sizes
};

// Apps of 1, 2 and 4 units as in auction §13; cells large enough to be three quarters full.
Batch batch_of(const Case& what, std::int64_t& memory) {
    std::mt19937_64 engine(42);
    std::map<std::string, std::int32_t> indices;
    Batch out;
    for (std::size_t i = 0; i < what.placements; ++i) {
        const auto process = what.processes == 0 ? i : engine() % what.processes;
        const auto kind = process % 41;
        const std::int64_t mb = kind < 36 ? 1 : kind < 40 ? 2 : 4;
        const auto guid = "process-" + std::to_string(process);
        out.lrps.push_back(test::make_lrp(guid, indices[guid]++, mb, mb));
        memory += mb;
    }
    return out;
}

Cells cells_of(const Case& what, std::int64_t memory) {
    const auto each = static_cast<std::int64_t>(what.preloaded) +
                      memory * 4 / 3 / static_cast<std::int64_t>(what.cells) + 1;
    auto out = test::make_cells(what.cells, each);
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (what.unlike) {
            out[i].total_resources.memory_mb += static_cast<std::int64_t>(i);
            out[i].available_resources = out[i].total_resources;
        }
        test::preload_unique(out[i], what.preloaded);
    }
    return out;
}

int measure(const Case& what, bool json) {
    std::int64_t memory = 0;
    const auto batch = batch_of(what, memory);
    const auto cells = cells_of(what, memory);
    double best = 1e9;
    test::Results results;
    for (int run = 0; run < 3; ++run) {
        const auto begin = std::chrono::steady_clock::now();
        results = brain::auction::schedule(cells, batch);
        best = std::min(
                best,
                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    std::vector<std::size_t> counts;
    for (const auto& work : results.work) counts.push_back(work.lrps.size());
    counts.resize(cells.size(), 0);
    const auto [least, most] = std::ranges::minmax(counts);
    std::printf(
            json ? "{\"case\": \"%s\", \"placements\": %zu, \"of\": %zu, \"cells\": %zu, "
                   "\"seconds\": %.4f, \"score\": %.4f, \"min\": %zu, \"max\": %zu}\n"
                 : "%-34s %8zu of %-8zu %6zu %10.4f %9.4f %6zu %6zu\n",
            what.name, results.placed, batch.size(), cells.size(), best,
            test::distribution(cells, results), least, most);
    std::fflush(stdout);
    return results.placed == batch.size() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const bool json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
    if (!json)
        std::printf(
                "%-34s %8s    %-8s %6s %10s %9s %6s %6s\n", "case", "placed", "asked", "cells",
                "seconds", "score", "min", "max");
    int bad = 0;
    for (const auto& what :
         {Case{"unique apps", 25'200, 400, 0, 0, false},
          Case{"apps of about 10 instances", 25'200, 400, 0, 2'520, false},
          Case{"one app", 25'200, 400, 0, 1, false},
          Case{"unique apps, unlike cells", 25'200, 400, 0, 0, true},
          Case{"unique apps", 250'000, 1'000, 0, 0, false},
          Case{"apps of about 10 instances", 250'000, 1'000, 0, 25'000, false},
          Case{"apps of about 250 instances", 250'000, 1'000, 0, 1'000, false},
          Case{"one app", 250'000, 1'000, 0, 1, false},
          Case{"apps of about 10, unlike cells", 250'000, 1'000, 0, 25'000, true},
          Case{"1,000 more on loaded cells", 1'000, 1'000, 250, 100, false}})
        bad |= measure(what, json);
    return bad;
}
