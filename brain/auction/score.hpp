// Scores of cells (auction §6), as arithmetic only. The scheduler's search prunes by bounds made of
// the same steps in the same order: each step is monotone also when it rounds, so what it leaves
// out cannot win. Used by brain/auction and by the oracle of its tests.
#pragma once

#include "brain/auction/settings.hpp"
#include "rep/api/types.hpp"

#include <algorithm>
#include <cstdint>

namespace brain::auction {

inline constexpr double kLocality = 1'000;  // an instance of the same process outweighs all else
inline constexpr double kWorst = 1e20;      // nothing as bad as this wins

// The terms of one score; the lowest total wins.
struct Terms {
    double resource = 0;  // how full the cell would be, 0 to 1
    double starting = 0;
    double locality = 0;  // instances of the same process, or tasks, on the cell
    double index = 0;     // first fit
    double image = 0;
    double total = 0;
};

using Room = rep::api::Resources;

struct Size {
    std::int64_t memory_mb = 0;
    std::int64_t disk_mb = 0;
    std::int64_t cpu_millis = 0;
};

// What it takes of a cell. Memory 0 is no limit and a proxy would make it one: the rep does the
// same.
inline Size size_on(const rep::api::Needs& needs, bool task, std::int64_t proxy_mb) {
    const bool proxy = !task && needs.memory_mb > 0;
    return {.memory_mb = needs.memory_mb + (proxy ? proxy_mb : 0),
            .disk_mb = needs.disk_mb,
            .cpu_millis = needs.cpu_millis};
}

// Division by a total of 0 has no meaning: such a cell takes nothing.
inline bool has_totals(const Room& total) {
    return total.memory_mb > 0 && total.disk_mb > 0 && total.containers > 0;
}

inline bool counts_cpu(const Room& total, const Settings& settings) {
    return settings.count_cpu && total.cpu_millis > 0;
}

inline double part(std::int64_t of, std::int64_t total) {
    return static_cast<double>(of) / static_cast<double>(total);
}

// How full the cell is.
inline double used(const Room& free, const Room& total, const Settings& settings) {
    const double three = (1 - part(free.memory_mb, total.memory_mb)) +
                         (1 - part(free.disk_mb, total.disk_mb)) +
                         (1 - part(free.containers, total.containers));
    if (!counts_cpu(total, settings)) return three / 3;
    return (three + (1 - part(free.cpu_millis, total.cpu_millis))) / 4;
}

// How much fuller the work makes it.
inline double share(const Size& size, const Room& total, const Settings& settings) {
    const double three = part(size.memory_mb, total.memory_mb) + part(size.disk_mb, total.disk_mb) +
                         part(1, total.containers);
    if (!counts_cpu(total, settings)) return three / 3;
    return (three + part(size.cpu_millis, total.cpu_millis)) / 4;
}

// The part of a score that the cell has without the work; `first_fit` is 0 for tasks.
inline double load(double used, std::int64_t starting, double first_fit, const Settings& settings) {
    return (used + static_cast<double>(starting) * settings.starting_weight) + first_fit;
}

inline double score(double load, double share, std::int64_t same, double image) {
    return ((load + share) + kLocality * static_cast<double>(same)) + image;
}

inline bool fits(const Size& size, const Room& free, const Room& total, const Settings& settings) {
    return has_totals(total) && free.memory_mb >= size.memory_mb && free.disk_mb >= size.disk_mb &&
           free.containers >= 1 &&
           (!counts_cpu(total, settings) || free.cpu_millis >= size.cpu_millis);
}

}  // namespace brain::auction
