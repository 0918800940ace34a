#include "brain/auction/batch.hpp"

#include <algorithm>
#include <tuple>

namespace brain::auction {

namespace {

void sort_lrps(std::vector<Item>& items, const Batch& batch) {
    std::ranges::sort(items, [&](const Item& a, const Item& b) {
        const auto& x = batch.lrps[a.position];
        const auto& y = batch.lrps[b.position];
        if (x.key.index != y.key.index) return x.key.index < y.key.index;
        if (x.needs.memory_mb != y.needs.memory_mb) return x.needs.memory_mb > y.needs.memory_mb;
        // Ours: the same batch has the same order whenever it comes.
        const auto guids = x.key.process_guid.compare(y.key.process_guid);
        return guids != 0 ? guids < 0 : a.position < b.position;
    });
}

void sort_tasks(std::vector<Item>& items, const Batch& batch) {
    std::ranges::sort(items, [&](const Item& a, const Item& b) {
        const auto& x = batch.tasks[a.position];
        const auto& y = batch.tasks[b.position];
        if (x.needs.memory_mb != y.needs.memory_mb) return x.needs.memory_mb > y.needs.memory_mb;
        const auto guids = x.guid.compare(y.guid);
        return guids != 0 ? guids < 0 : a.position < b.position;
    });
}

std::vector<Item> all(bool task, std::size_t count) {
    std::vector<Item> out(count);
    for (std::size_t i = 0; i < count; ++i) out[i] = {.task = task, .position = i};
    return out;
}

}  // namespace

std::vector<Item> order_of_work(const Batch& batch, const Settings& settings) {
    auto lrps = all(false, batch.lrps.size());
    auto tasks = all(true, batch.tasks.size());
    sort_lrps(lrps, batch);
    sort_tasks(tasks, batch);
    auto first = std::ranges::find_if(
            lrps, [&](const Item& item) { return batch.lrps[item.position].key.index > 0; });
    // Diego's: nothing above 0 makes the first part empty.
    if (first == lrps.end() && !settings.first_index_first) first = lrps.begin();
    std::vector<Item> out;
    out.reserve(batch.size());
    out.insert(out.end(), lrps.begin(), first);
    out.insert(out.end(), tasks.begin(), tasks.end());
    out.insert(out.end(), first, lrps.end());
    return out;
}

}  // namespace brain::auction
