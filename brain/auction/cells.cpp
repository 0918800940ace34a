#include "brain/auction/cells.hpp"

#include "rep/plan/placement.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

namespace brain::auction {

namespace {

using rep::api::CellState;
using rep::api::Needs;

constexpr std::size_t kMaxVerdicts = 10'000;  // remembered; each has an entry per kind of cell

// Length in front: no list looks like another one.
void add_word(std::string& key, std::string_view word) {
    key.append(std::to_string(word.size())).append(":").append(word);
}

void add_list(std::string& key, const std::vector<std::string>& words) {
    for (const auto& word : words) add_word(key, word);
    key += ';';
}

std::string kind_of(const CellState& state) {
    std::string key;
    for (const auto& [scheme, provider] : state.rootfs_providers) {
        add_word(key, scheme);
        if (provider.arbitrary) key += '*';
        for (const auto& name : provider.names) add_word(key, name);
        key += ';';
    }
    key += '|';
    add_list(key, state.volume_drivers);
    add_list(key, state.placement_tags);
    add_list(key, state.optional_placement_tags);
    return key;
}

Stage stage_of(const CellState& cell, const Needs& needs) {
    if (!rep::plan::rootfs_matches(cell.rootfs_providers, needs.rootfs)) return Stage::rootfs;
    if (!rep::plan::drivers_match(cell.volume_drivers, needs.volume_drivers)) return Stage::drivers;
    if (!rep::plan::tags_match(
                cell.placement_tags, cell.optional_placement_tags, needs.placement_tags))
        return Stage::tags;
    return Stage::fits;
}

template <class Key>
std::uint32_t number_of(std::map<Key, std::uint32_t>& known, const Key& key) {
    return known.try_emplace(key, static_cast<std::uint32_t>(known.size())).first->second;
}

}  // namespace

CellTable::CellTable(const std::vector<CellState>& cells, const Settings& settings) {
    std::vector<const CellState*> sorted;
    for (const auto& cell : cells)
        if (!cell.evacuating) sorted.push_back(&cell);
    std::ranges::stable_sort(
            sorted, [](const auto* a, const auto* b) { return a->cell_id < b->cell_id; });
    std::map<std::string, std::uint32_t> zones;
    std::map<std::string, std::uint32_t> kinds;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> trees;
    for (const auto* cell : sorted) {
        const auto rank = static_cast<std::uint32_t>(rows_.size());
        CellRow row{.state = cell, .free = cell->available_resources};
        row.starting = cell->starting_container_count;
        row.zone = number_of(zones, cell->zone);
        row.kind = number_of(kinds, kind_of(*cell));
        row.tree = number_of(trees, std::pair(row.zone, row.kind));
        if (row.zone == zones_.size()) zones_.push_back(cell->zone);
        if (row.kind == kinds_.size()) kinds_.push_back({.like = cell, .cells = {}});
        if (row.tree == trees_.size()) {
            trees_.emplace_back();
            tree_keys_.push_back({.zone = row.zone, .kind = row.kind});
        }
        row.leaf = static_cast<std::uint32_t>(trees_[row.tree].size());
        trees_[row.tree].push_back(rank);
        kinds_[row.kind].cells.push_back(rank);
        for (const auto& [scheme, provider] : cell->rootfs_providers)
            if (!provider.arbitrary)
                arbitrary_[scheme] = false;
            else
                (void)arbitrary_.try_emplace(scheme, true);
        rows_.push_back(row);
    }
    if (settings.bin_pack_first_fit_weight > 0) index_first_fit(settings.bin_pack_first_fit_weight);
}

// Renumbered within the zone: index ranges may begin anywhere.
void CellTable::index_first_fit(double weight) {
    std::vector<std::uint32_t> ranks(rows_.size());
    std::iota(ranks.begin(), ranks.end(), std::uint32_t{0});
    std::ranges::stable_sort(ranks, [&](auto a, auto b) {
        return rows_[a].state->cell_index < rows_[b].state->cell_index;
    });
    std::vector<std::int64_t> next(zones_.size(), 0);
    for (const auto rank : ranks)
        rows_[rank].first_fit = static_cast<double>(next[rows_[rank].zone]++) * weight;
}

std::int64_t CellTable::starting() const {
    std::int64_t sum = 0;
    for (const auto& row : rows_) sum += row.starting;
    return sum;
}

// Images differ from app to app; where every cell takes any of a scheme they are one.
std::string CellTable::signature(const Needs& needs) const {
    std::string key;
    const auto scheme = needs.rootfs.substr(0, needs.rootfs.find(':'));
    const auto known = arbitrary_.find(scheme);
    const bool any =
            scheme.size() < needs.rootfs.size() && known != arbitrary_.end() && known->second;
    add_word(key, any ? scheme : needs.rootfs);
    add_list(key, needs.volume_drivers);
    add_list(key, needs.placement_tags);
    return key;
}

Verdict CellTable::judge(const Needs& needs) const {
    Verdict out;
    auto brief = std::make_shared<Explanation>();
    brief->cells = rows_.size();
    brief->complete = false;
    std::map<Cause, Refusal> refused;
    for (const auto& kind : kinds_) {
        const auto stage = stage_of(*kind.like, needs);
        out.of_kind.push_back(stage);
        out.furthest = std::max(out.furthest, stage);
        if (stage == Stage::fits) {
            brief->fitting += kind.cells.size();
            continue;
        }
        const auto cause = static_cast<Cause>(stage);  // the same words in the same order
        auto& refusal = refused[cause];
        refusal.cause = cause;
        refusal.cells += kind.cells.size();
        for (const auto rank : kind.cells)
            if (refusal.examples.size() < kMaxExamples)
                refusal.examples.push_back(rows_[rank].state->cell_id);
    }
    for (auto& [cause, refusal] : refused) brief->refusals.push_back(std::move(refusal));
    out.brief = std::move(brief);
    std::map<std::uint32_t, std::vector<std::uint32_t>> zones;
    for (std::uint32_t tree = 0; tree < tree_keys_.size(); ++tree)
        if (out.of_kind[tree_keys_[tree].kind] == Stage::fits)
            zones[tree_keys_[tree].zone].push_back(tree);
    for (auto& [zone, trees] : zones) out.zones.push_back({.zone = zone, .trees = trees});
    return out;
}

const Verdict& CellTable::verdict(const Needs& needs) {
    auto key = signature(needs);
    if (const auto known = verdicts_.find(key); known != verdicts_.end()) return known->second;
    if (verdicts_.size() >= kMaxVerdicts) verdicts_.clear();
    auto& out = verdicts_.emplace(std::move(key), judge(needs)).first->second;
    out.id = ++judged_;
    return out;
}

static_assert(static_cast<Cause>(Stage::rootfs) == Cause::rootfs);
static_assert(static_cast<Cause>(Stage::drivers) == Cause::drivers);
static_assert(static_cast<Cause>(Stage::tags) == Cause::tags);

}  // namespace brain::auction
