#include "brain/auction/explain.hpp"

#include "base/fail.hpp"
#include "brain/auction/texts.hpp"

#include <algorithm>

namespace brain::auction {

namespace {

class Notes {
  public:
    explicit Notes(Explanation& out) : out_(out) {}

    void refuse(Cause cause, const std::string& cell_id) {
        auto at = std::ranges::find(out_.refusals, cause, &Refusal::cause);
        if (at == out_.refusals.end())
            at = out_.refusals.insert(at, {.cause = cause, .cells = 0, .examples = {}});
        ++at->cells;
        if (at->examples.size() < kMaxExamples) at->examples.push_back(cell_id);
    }

    void offer(const CellRow& row) {
        if (!out_.largest_cell.empty() && row.free.memory_mb <= out_.largest_free.memory_mb) return;
        out_.largest_cell = row.state->cell_id;
        out_.largest_free = row.free;
    }

  private:
    Explanation& out_;
};

// False: something is lacking, and noted.
bool has_room(
        const CellRow& row, const Question& question, const Settings& settings, Notes& notes) {
    const auto& total = row.state->total_resources;
    const auto size = size_on(question.needs, question.task, row.state->proxy_memory_allocation_mb);
    if (fits(size, row.free, total, settings)) return true;
    const auto& id = row.state->cell_id;
    if (row.free.containers < 1 || total.containers <= 0) notes.refuse(Cause::containers, id);
    if (counts_cpu(total, settings) && row.free.cpu_millis < size.cpu_millis)
        notes.refuse(Cause::cpu, id);
    if (row.free.disk_mb < size.disk_mb || total.disk_mb <= 0) notes.refuse(Cause::disk, id);
    if (row.free.memory_mb < size.memory_mb || total.memory_mb <= 0)
        notes.refuse(Cause::memory, id);
    return false;
}

struct Ranked {
    std::uint32_t rank = 0;
    Terms terms;
};

void keep_best(std::vector<Ranked>& best, const Ranked& one) {
    const auto at = std::ranges::find_if(
            best, [&](const Ranked& other) { return one.terms.total < other.terms.total; });
    if (at == best.end() && best.size() >= kMaxCandidates) return;
    best.insert(at, one);
    if (best.size() > kMaxCandidates) best.pop_back();
}

}  // namespace

std::string_view to_string(Cause cause) {
    switch (cause) {
        case Cause::rootfs:
            return "rootfs";
        case Cause::drivers:
            return "volume drivers";
        case Cause::tags:
            return "placement tags";
        case Cause::containers:
            return "containers";
        case Cause::cpu:
            return "cpu";
        case Cause::disk:
            return "disk";
        case Cause::memory:
            return "memory";
        case Cause::starting:
            return "start limit";
        case Cause::fuller_zone:
            return "zone with more instances";
    }
    return "";
}

std::shared_ptr<Explanation> explain(
        const CellTable& table,
        const Census& census,
        const Settings& settings,
        const Question& question) {
    auto out = std::make_shared<Explanation>();
    out->cells = table.rows().size();
    Notes notes(*out);
    std::vector<Ranked> best;
    for (std::uint32_t rank = 0; rank < table.rows().size(); ++rank) {
        const auto& row = table.rows()[rank];
        const auto stage = question.verdict.of_kind[row.kind];
        if (stage != Stage::fits) {
            notes.refuse(static_cast<Cause>(stage), row.state->cell_id);
            continue;
        }
        notes.offer(row);
        if (!has_room(row, question, settings, notes)) continue;
        if (settings.max_starting_per_cell > 0 && row.starting >= settings.max_starting_per_cell) {
            notes.refuse(Cause::starting, row.state->cell_id);
        } else if (!question.task && census.in_zone(row.zone) > question.last_group) {
            notes.refuse(Cause::fuller_zone, row.state->cell_id);
        } else {
            ++out->fitting;
            keep_best(best, {.rank = rank, .terms = question.terms(rank)});
        }
    }
    for (const auto& [rank, terms] : best) {
        const auto& row = table.rows()[rank];
        out->best.push_back(
                {.cell_id = row.state->cell_id, .zone = row.state->zone, .terms = terms});
    }
    std::ranges::sort(out->refusals, {}, &Refusal::cause);
    return out;
}

std::string placement_error(
        const Explanation& why, const Verdict& verdict, const rep::api::Needs& needs) {
    switch (verdict.furthest) {
        case Stage::rootfs:
            return std::string(kNoRootfs);
        case Stage::drivers:
            return std::string(kNoDrivers);
        case Stage::tags:
            return no_tags(needs.placement_tags);
        case Stage::fits:
            break;
    }
    // There is room: it is only a matter of time.
    if (why.find(Cause::starting) != nullptr) return std::string(kInFlight);
    std::size_t candidates = why.cells;
    for (const auto cause : {Cause::rootfs, Cause::drivers, Cause::tags})
        if (const auto* refusal = why.find(cause)) candidates -= refusal->cells;
    std::vector<std::string_view> common;
    for (const auto cause : {Cause::containers, Cause::cpu, Cause::disk, Cause::memory})
        if (const auto* refusal = why.find(cause); refusal != nullptr)
            if (refusal->cells == candidates) common.push_back(to_string(cause));
    return insufficient(common);
}

const Refusal* Explanation::find(Cause cause) const {
    const auto at = std::ranges::find(refusals, cause, &Refusal::cause);
    return at == refusals.end() ? nullptr : &*at;
}

std::string Explanation::text() const {
    auto out = base::format("{} of {} cells fit", fitting, cells);
    if (!complete) out += " by kind";
    for (const auto& refusal : refusals) {
        out += base::format("; {} refused for {} (", refusal.cells, to_string(refusal.cause));
        for (std::size_t i = 0; i < refusal.examples.size(); ++i)
            out.append(i == 0 ? "" : ", ").append(refusal.examples[i]);
        out += refusal.cells > refusal.examples.size() ? ", …)" : ")";
    }
    if (!largest_cell.empty())
        out += base::format(
                "; most free memory: {} MB, with {} MB disk and {} containers, on {}",
                largest_free.memory_mb, largest_free.disk_mb, largest_free.containers,
                largest_cell);
    for (const auto& one : best)
        out += base::format(
                "; {} scores {:.4f} (resources {:.4f}, starting {:.2f}, locality {:.0f})",
                one.cell_id, one.terms.total, one.terms.resource, one.terms.starting,
                one.terms.locality);
    return out;
}

}  // namespace brain::auction
