#include "brain/auction/schedule.hpp"

#include "brain/auction/explain.hpp"
#include "brain/auction/texts.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

namespace brain::auction {

namespace {

using rep::api::CellState;
using rep::api::Needs;

// Failures of the same needs have the same answer until something is placed.
using NeedKey = std::tuple<std::uint64_t, std::int64_t, std::int64_t, std::int64_t, bool>;

struct Failed {
    std::size_t placed = 0;  // when it was found out
    std::string error;
    ExplanationPtr why;
};

class Round {
  public:
    Round(const std::vector<CellState>& cells, const Batch& batch, const Settings& settings)
        : settings_(settings),
          batch_(batch),
          table_(cells, settings),
          forest_(table_, settings),
          census_(table_, forest_, batch, settings),
          in_flight_(table_.starting()),
          budget_(settings.explain_budget) {
        work_.resize(table_.rows().size());
        if (settings.missing_image_weight > 0) note_images();
    }

    Results run();

  private:
    struct Winner {
        Best best;
        std::int64_t group = 0;  // instances in its zone
    };

    void note_images();
    void place_lrp(std::size_t position);
    void place_task(std::size_t position);
    bool reached_cap() const;
    void search_cached(
            const Verdict& verdict, const Query& query, std::int64_t group, Best& best) const;
    Winner find_for_lrp(const Verdict& verdict, const Needs& needs, const Same& same) const;
    Best find_for_task(const Verdict& verdict, const Needs& needs) const;
    bool has_image(std::uint32_t rank, const Needs& needs) const;
    Terms terms(std::uint32_t rank, const Needs& needs, bool task) const;
    void fail(Decision& decision, const Verdict& verdict, const Needs& needs, bool task);
    void win(
            Decision& decision,
            const Verdict& verdict,
            const Needs& needs,
            bool task,
            const Winner& winner);

    const Settings& settings_;
    const Batch& batch_;
    CellTable table_;
    Forest forest_;
    Census census_;
    std::int64_t in_flight_;
    std::uint64_t budget_;
    std::unordered_map<std::string_view, std::vector<std::uint32_t>> images_;  // ranks, ascending
    std::map<NeedKey, Failed> failures_;
    std::vector<rep::api::Work> work_;  // by rank
    Results results_;
};

void Round::note_images() {
    for (std::uint32_t rank = 0; rank < table_.rows().size(); ++rank)
        for (const auto& image : table_.rows()[rank].state->cached_images) {
            auto& ranks = images_[image];
            if (ranks.empty() || ranks.back() != rank) ranks.push_back(rank);
        }
}

bool Round::has_image(std::uint32_t rank, const Needs& needs) const {
    const auto known = images_.find(needs.rootfs);
    return known != images_.end() && std::ranges::binary_search(known->second, rank);
}

bool Round::reached_cap() const {
    return settings_.max_starting > 0 && in_flight_ >= settings_.max_starting;
}

Terms Round::terms(std::uint32_t rank, const Needs& needs, bool task) const {
    const auto& row = table_.rows()[rank];
    const auto& total = row.state->total_resources;
    const auto size = size_on(needs, task, row.state->proxy_memory_allocation_mb);
    const auto fullness = used(row.free, total, settings_);
    const auto more = share(size, total, settings_);
    const auto same = task ? census_.tasks_on(rank) : census_.on_cell(rank);
    Terms out;
    out.index = task ? 0 : row.first_fit;
    out.image = settings_.missing_image_weight > 0 && !has_image(rank, needs)
                        ? settings_.missing_image_weight
                        : 0;
    out.resource = fullness + more;
    out.starting = static_cast<double>(row.starting) * settings_.starting_weight;
    out.locality = kLocality * static_cast<double>(same);
    out.total = score(load(fullness, row.starting, out.index, settings_), more, same, out.image);
    return out;
}

// Cells that have the image are scored one by one: in the trees all count as not having it.
void Round::search_cached(
        const Verdict& verdict, const Query& query, std::int64_t group, Best& best) const {
    const auto known = images_.find(query.needs->rootfs);
    if (known == images_.end()) return;
    for (const auto rank : known->second) {
        const auto& row = table_.rows()[rank];
        const auto size = size_on(*query.needs, query.task, row.state->proxy_memory_allocation_mb);
        if (verdict.of_kind[row.kind] != Stage::fits ||
            (!query.task && census_.in_zone(row.zone) != group) ||
            (settings_.max_starting_per_cell > 0 &&
             row.starting >= settings_.max_starting_per_cell) ||
            !fits(size, row.free, row.state->total_resources, settings_))
            continue;
        const auto total = terms(rank, *query.needs, query.task).total;
        if (best.beaten_by(total, rank)) best = {.score = total, .rank = rank};
    }
}

// Zones with the fewest instances of the process first; those with as many compete (auction §7).
Round::Winner Round::find_for_lrp(
        const Verdict& verdict, const Needs& needs, const Same& same) const {
    const Query query{
            .needs = &needs, .task = false, .same = same, .image = settings_.missing_image_weight};
    std::int64_t last = -1;
    while (true) {
        auto group = std::numeric_limits<std::int64_t>::max();
        for (const auto& zone : verdict.zones)
            if (const auto count = census_.in_zone(zone.zone); count > last)
                group = std::min(group, count);
        Winner winner{.best = {}, .group = group};
        if (group == std::numeric_limits<std::int64_t>::max()) return winner;
        search_cached(verdict, query, group, winner.best);
        for (const auto& zone : verdict.zones)
            if (census_.in_zone(zone.zone) == group)
                for (const auto tree : zone.trees) forest_.search(tree, query, winner.best);
        if (winner.best.rank != kNobody) return winner;
        last = group;
    }
}

Best Round::find_for_task(const Verdict& verdict, const Needs& needs) const {
    const Query query{
            .needs = &needs,
            .task = true,
            .same = census_.tasks(),
            .image = settings_.missing_image_weight};
    Best best;
    search_cached(verdict, query, 0, best);
    for (const auto& zone : verdict.zones)
        for (const auto tree : zone.trees) forest_.search(tree, query, best);
    return best;
}

void Round::fail(Decision& decision, const Verdict& verdict, const Needs& needs, bool task) {
    ++results_.failed;
    const NeedKey key{verdict.id, needs.memory_mb, needs.disk_mb, needs.cpu_millis, task};
    auto& known = failures_[key];
    if (!known.why || known.placed != results_.placed) {
        known.placed = results_.placed;
        const Question question{
                .needs = needs, .verdict = verdict, .task = task, .terms = [&](std::uint32_t rank) {
                    return terms(rank, needs, task);
                }};
        auto why = explain(table_, census_, settings_, question);
        known.error = placement_error(*why, verdict, needs);
        known.why = std::move(why);
    }
    decision.error = known.error;
    decision.why = known.why;
}

void Round::win(
        Decision& decision,
        const Verdict& verdict,
        const Needs& needs,
        bool task,
        const Winner& winner) {
    auto& row = table_.row(winner.best.rank);
    decision.cell_id = row.state->cell_id;
    decision.terms = terms(winner.best.rank, needs, task);
    decision.why = verdict.brief;
    if (budget_ >= table_.rows().size()) {
        budget_ -= table_.rows().size();
        decision.why =
                explain(table_, census_, settings_,
                        {.needs = needs,
                         .verdict = verdict,
                         .task = task,
                         .last_group = winner.group,
                         .terms = [&](std::uint32_t rank) { return terms(rank, needs, task); }});
    }
    const auto size = size_on(needs, task, row.state->proxy_memory_allocation_mb);
    row.free.memory_mb -= size.memory_mb;
    row.free.disk_mb -= size.disk_mb;
    row.free.containers -= 1;
    row.free.cpu_millis -= size.cpu_millis;
    ++row.starting;
    forest_.refresh(row);
    ++in_flight_;
    ++results_.placed;
}

void Round::place_lrp(std::size_t position) {
    const auto& item = batch_.lrps[position];
    auto& decision = results_.lrps.emplace_back();
    decision.position = position;
    const auto& verdict = table_.verdict(item.needs);
    if (reached_cap()) {
        ++results_.failed;
        decision.error = kInFlight;
        decision.why = verdict.brief;
        return;
    }
    const auto same = census_.same(item.key.process_guid);
    const auto winner = find_for_lrp(verdict, item.needs, same);
    if (winner.best.rank == kNobody) return fail(decision, verdict, item.needs, false);
    win(decision, verdict, item.needs, false, winner);
    census_.placed(winner.best.rank);
    work_[winner.best.rank].lrps.push_back(
            {.instance_guid = {},
             .process_guid = item.key.process_guid,
             .index = item.key.index,
             .domain = item.key.domain,
             .needs = item.needs,
             .state = {},
             .refusal = {}});
}

void Round::place_task(std::size_t position) {
    const auto& item = batch_.tasks[position];
    auto& decision = results_.tasks.emplace_back();
    decision.position = position;
    const auto& verdict = table_.verdict(item.needs);
    if (reached_cap()) {
        ++results_.failed;
        decision.error = kInFlight;
        decision.why = verdict.brief;
        return;
    }
    const auto best = find_for_task(verdict, item.needs);
    if (best.rank == kNobody) return fail(decision, verdict, item.needs, true);
    win(decision, verdict, item.needs, true, {.best = best});
    census_.placed_task(best.rank);
    rep::api::Task task;
    task.task_guid = item.guid;
    task.domain = item.domain;
    task.needs = item.needs;
    work_[best.rank].tasks.push_back(std::move(task));
}

Results Round::run() {
    for (const auto& item : order_of_work(batch_, settings_))
        item.task ? place_task(item.position) : place_lrp(item.position);
    for (std::uint32_t rank = 0; rank < work_.size(); ++rank)
        if (!work_[rank].empty()) {
            work_[rank].cell_id = table_.rows()[rank].state->cell_id;
            results_.work.push_back(std::move(work_[rank]));
        }
    return std::move(results_);
}

Results nobody(const Batch& batch, const Settings& settings) {
    Results out;
    for (const auto& item : order_of_work(batch, settings)) {
        Decision decision{.position = item.position, .error = std::string(kNoCells)};
        decision.why = std::make_shared<Explanation>();
        (item.task ? out.tasks : out.lrps).push_back(std::move(decision));
    }
    out.failed = batch.size();
    return out;
}

}  // namespace

Results schedule(
        const std::vector<CellState>& cells, const Batch& batch, const Settings& settings) {
    if (std::ranges::all_of(cells, &CellState::evacuating)) return nobody(batch, settings);
    return Round(cells, batch, settings).run();
}

}  // namespace brain::auction
