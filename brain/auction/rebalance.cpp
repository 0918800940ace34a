#include "brain/auction/rebalance.hpp"

#include "brain/auction/cells.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

namespace brain::auction {

namespace {

using rep::api::CellState;
using rep::api::Lrp;

// What the planner knows of one process.
struct Spread {
    std::map<std::uint32_t, std::int64_t> cells;  // by rank
    std::map<std::uint32_t, std::int64_t> zones;
    std::int64_t running = 0;

    std::int64_t on(std::uint32_t rank) const {
        const auto at = cells.find(rank);
        return at == cells.end() ? 0 : at->second;
    }

    std::int64_t in(std::uint32_t zone) const {
        const auto at = zones.find(zone);
        return at == zones.end() ? 0 : at->second;
    }
};

struct Proposal {
    const Lrp* lrp = nullptr;
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    double gain = 0;
};

class Planner {
  public:
    Planner(const std::vector<CellState>& cells,
            const Settings& settings,
            const RebalanceSettings& rebalance)
        : settings_(settings), rebalance_(rebalance), table_(cells, settings) {
        for (std::uint32_t rank = 0; rank < table_.rows().size(); ++rank) count(rank);
    }

    std::vector<Move> run() {
        even_zones();
        even_cells();
        return std::move(moves_);
    }

  private:
    void count(std::uint32_t rank) {
        const auto& row = table_.rows()[rank];
        for (const auto& lrp : row.state->lrps) {
            if (lrp.state == rep::api::kShutdown || lrp.state == rep::api::kCrashed) continue;
            auto& spread = processes_[lrp.process_guid];
            ++spread.cells[rank];
            ++spread.zones[row.zone];
            ++spread.running;
        }
    }

    bool full() const { return moves_.size() >= rebalance_.max_moves; }

    double fullness(std::uint32_t rank) const {
        const auto& row = table_.rows()[rank];
        const auto& total = row.state->total_resources;
        return has_totals(total) ? used(row.free, total, settings_) : 1;
    }

    bool movable(const Lrp& lrp) {
        if (lrp.state != rep::api::kRunning || moved_.contains(lrp.process_guid)) return false;
        return rebalance_.move_only_instances || processes_[lrp.process_guid].running > 1;
    }

    // The emptiest cell that may take it: fewer instances there, zones not less even than before.
    std::optional<Proposal> best_target(const Lrp& lrp, std::uint32_t from, bool other_zone) {
        const auto& source = table_.rows()[from];
        const auto& spread = processes_[lrp.process_guid];
        const auto& verdict = table_.verdict(lrp.needs);
        std::optional<Proposal> best;
        for (std::uint32_t rank = 0; rank < table_.rows().size(); ++rank) {
            const auto& row = table_.rows()[rank];
            const auto& total = row.state->total_resources;
            const auto size = size_on(lrp.needs, false, row.state->proxy_memory_allocation_mb);
            const bool crosses = row.zone != source.zone;
            if (rank == from || (other_zone && !crosses) ||
                verdict.of_kind[row.kind] != Stage::fits ||
                !fits(size, row.free, total, settings_) || spread.on(rank) >= spread.on(from))
                continue;
            const auto needed = other_zone ? 2 : 1;  // moved one: the difference shrinks
            if (crosses && spread.in(row.zone) + needed > spread.in(source.zone)) continue;
            const auto gain = fullness(from) - (fullness(rank) + share(size, total, settings_));
            if (!best || gain > best->gain)
                best = {.lrp = &lrp, .from = from, .to = rank, .gain = gain};
        }
        return best;
    }

    void accept(const Proposal& proposal, bool between_zones) {
        const auto& lrp = *proposal.lrp;
        auto& from = table_.row(proposal.from);
        auto& to = table_.row(proposal.to);
        moves_.push_back(
                {.key = {.process_guid = lrp.process_guid,
                         .index = lrp.index,
                         .domain = lrp.domain},
                 .instance_guid = lrp.instance_guid,
                 .from = from.state->cell_id,
                 .to = to.state->cell_id,
                 .gain = proposal.gain,
                 .between_zones = between_zones});
        moved_.insert(lrp.process_guid);
        take(from, lrp, -1);
        take(to, lrp, 1);
    }

    static void take(CellRow& row, const Lrp& lrp, std::int64_t times) {
        const auto size = size_on(lrp.needs, false, row.state->proxy_memory_allocation_mb);
        row.free.memory_mb -= times * size.memory_mb;
        row.free.disk_mb -= times * size.disk_mb;
        row.free.containers -= times;
        row.free.cpu_millis -= times * size.cpu_millis;
    }

    bool uneven(const Spread& spread, std::uint32_t zone) const {
        for (std::uint32_t other = 0; other < table_.zones(); ++other)
            if (spread.in(zone) >= spread.in(other) + 2) return true;
        return false;
    }

    // Zones fail as a whole: their balance comes before that of cells, whatever is gained.
    void even_zones() {
        if (table_.zones() < 2) return;
        for (std::uint32_t rank = 0; rank < table_.rows().size() && !full(); ++rank)
            for (const auto& lrp : table_.rows()[rank].state->lrps) {
                if (full()) return;
                if (!movable(lrp)) continue;
                if (!uneven(processes_[lrp.process_guid], table_.rows()[rank].zone)) continue;
                if (const auto target = best_target(lrp, rank, true)) accept(*target, true);
            }
    }

    void even_cells() {
        std::set<std::uint32_t> done;  // nothing on it can be moved with a gain
        while (!full() && done.size() < table_.rows().size()) {
            std::optional<std::uint32_t> fullest;
            for (std::uint32_t rank = 0; rank < table_.rows().size(); ++rank)
                if (!done.contains(rank) && (!fullest || fullness(rank) > fullness(*fullest)))
                    fullest = rank;
            std::optional<Proposal> best;
            for (const auto& lrp : table_.rows()[*fullest].state->lrps) {
                if (!movable(lrp)) continue;
                const auto target = best_target(lrp, *fullest, false);
                if (target && target->gain >= rebalance_.least_gain &&
                    (!best || target->gain > best->gain))
                    best = target;
            }
            if (best)
                accept(*best, false);
            else
                done.insert(*fullest);
        }
    }

    const Settings& settings_;
    const RebalanceSettings& rebalance_;
    CellTable table_;
    std::unordered_map<std::string_view, Spread> processes_;
    std::set<std::string_view> moved_;
    std::vector<Move> moves_;
};

}  // namespace

std::vector<Move> plan_moves(
        const std::vector<CellState>& cells,
        const Settings& settings,
        const RebalanceSettings& rebalance) {
    return Planner(cells, settings, rebalance).run();
}

}  // namespace brain::auction
