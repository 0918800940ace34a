#include "brain/auction/forest.hpp"

#include <algorithm>
#include <bit>

namespace brain::auction {

namespace {

constexpr std::int32_t kOutOfReach = std::numeric_limits<std::int32_t>::max();

}  // namespace

struct Forest::Search {
    const Tree& tree;
    const Query& query;
    double share = 0;  // of a uniform tree
};

Forest::Forest(const CellTable& table, const Settings& settings) : settings_(settings) {
    for (const auto& ranks : table.trees()) plant(table, ranks);
}

void Forest::plant(const CellTable& table, const std::vector<std::uint32_t>& ranks) {
    Tree tree{
            .offset = static_cast<std::uint32_t>(nodes_.size()),
            .leaves = std::bit_ceil(static_cast<std::uint32_t>(ranks.size()))};
    nodes_.resize(nodes_.size() + std::size_t{2} * tree.leaves);
    spans_.resize(nodes_.size());
    no_counts_.resize(nodes_.size(), kOutOfReach);
    const CellRow* model = nullptr;
    for (std::uint32_t i = 0; i < ranks.size(); ++i) {
        const auto& row = table.rows()[ranks[i]];
        const auto at = tree.offset + tree.leaves + i;
        const auto proxy = row.state->proxy_memory_allocation_mb;
        nodes_[at] = leaf_of(row);
        spans_[at].first = ranks[i];
        no_counts_[at] = 0;
        if (!has_totals(row.state->total_resources)) continue;  // takes nothing: bounds nothing
        spans_[at].total = row.state->total_resources;
        spans_[at].proxy_mb = proxy;
        if (model == nullptr) model = &row;
        tree.uniform &= model->state->total_resources == row.state->total_resources &&
                        model->state->proxy_memory_allocation_mb == proxy;
    }
    for (auto local = tree.leaves - 1; local >= 1; --local) {
        const auto at = tree.offset + local;
        const auto left = tree.offset + 2 * local;
        nodes_[at] = join(nodes_[left], nodes_[left + 1]);
        spans_[at] = join(spans_[left], spans_[left + 1]);
        no_counts_[at] = std::min(no_counts_[left], no_counts_[left + 1]);
    }
    trees_.push_back(tree);
}

Forest::Node Forest::leaf_of(const CellRow& row) const {
    const auto& total = row.state->total_resources;
    if (!has_totals(total)) return {};
    const bool waits =
            settings_.max_starting_per_cell > 0 && row.starting >= settings_.max_starting_per_cell;
    const auto fullness = used(row.free, total, settings_);
    return {.lrp_load = load(fullness, row.starting, row.first_fit, settings_),
            .task_load = load(fullness, row.starting, 0, settings_),
            .memory_mb = row.free.memory_mb,
            .lrp_memory_mb = row.free.memory_mb - row.state->proxy_memory_allocation_mb,
            .disk_mb = row.free.disk_mb,
            .containers = waits ? 0 : row.free.containers,
            .cpu_millis = counts_cpu(total, settings_) ? row.free.cpu_millis
                                                       : std::numeric_limits<std::int64_t>::max()};
}

Forest::Node Forest::join(const Node& a, const Node& b) {
    return {.lrp_load = std::min(a.lrp_load, b.lrp_load),
            .task_load = std::min(a.task_load, b.task_load),
            .memory_mb = std::max(a.memory_mb, b.memory_mb),
            .lrp_memory_mb = std::max(a.lrp_memory_mb, b.lrp_memory_mb),
            .disk_mb = std::max(a.disk_mb, b.disk_mb),
            .containers = std::max(a.containers, b.containers),
            .cpu_millis = std::max(a.cpu_millis, b.cpu_millis)};
}

Forest::Span Forest::join(const Span& a, const Span& b) {
    Span out{.total = {}, .proxy_mb = std::min(a.proxy_mb, b.proxy_mb)};
    out.total.memory_mb = std::max(a.total.memory_mb, b.total.memory_mb);
    out.total.disk_mb = std::max(a.total.disk_mb, b.total.disk_mb);
    out.total.containers = std::max(a.total.containers, b.total.containers);
    out.total.cpu_millis = std::max(a.total.cpu_millis, b.total.cpu_millis);
    out.first = std::min(a.first, b.first);
    return out;
}

void Forest::refresh(const CellRow& row) {
    const auto& tree = trees_[row.tree];
    auto local = tree.leaves + row.leaf;
    nodes_[tree.offset + local] = leaf_of(row);
    for (local /= 2; local >= 1; local /= 2)
        nodes_[tree.offset + local] =
                join(nodes_[tree.offset + 2 * local], nodes_[tree.offset + 2 * local + 1]);
}

void Forest::add_count(
        std::vector<std::int32_t>& counts, const CellRow& row, std::int32_t by) const {
    const auto& tree = trees_[row.tree];
    auto local = tree.leaves + row.leaf;
    counts[tree.offset + local] += by;
    for (local /= 2; local >= 1; local /= 2)
        counts[tree.offset + local] =
                std::min(counts[tree.offset + 2 * local], counts[tree.offset + 2 * local + 1]);
}

std::int32_t Forest::count(const std::vector<std::int32_t>& counts, const CellRow& row) const {
    const auto& tree = trees_[row.tree];
    return counts[tree.offset + tree.leaves + row.leaf];
}

double Forest::share_bound(const Search& search, std::uint32_t local) const {
    if (search.tree.uniform) return search.share;
    const auto& span = spans_[search.tree.offset + local];
    const auto size = size_on(*search.query.needs, search.query.task, span.proxy_mb);
    const auto with_cpu = share(size, span.total, settings_);
    if (!counts_cpu(span.total, settings_) || local >= search.tree.leaves) return with_cpu;
    // Some below may not know their processors: theirs is a mean of three.
    auto without = span.total;
    without.cpu_millis = 0;
    return std::min(with_cpu, share(size, without, settings_));
}

double Forest::bound(const Search& search, std::uint32_t local) const {
    const auto& node = nodes_[search.tree.offset + local];
    const auto& needs = *search.query.needs;
    const bool task = search.query.task;
    const auto memory = task || needs.memory_mb <= 0 ? node.memory_mb : node.lrp_memory_mb;
    if (memory < needs.memory_mb || node.disk_mb < needs.disk_mb || node.containers < 1 ||
        node.cpu_millis < needs.cpu_millis)
        return kWorst;
    std::int64_t same = 0;
    if (search.query.same.by_node != nullptr)
        same = search.query.same.by_node[search.tree.offset + local];
    else if (search.query.same.by_rank != nullptr && local >= search.tree.leaves)
        same = search.query.same.by_rank[spans_[search.tree.offset + local].first];
    return score(
            task ? node.task_load : node.lrp_load, share_bound(search, local), same,
            search.query.image);
}

void Forest::visit(const Search& search, std::uint32_t local, Best& best) const {
    if (local >= search.tree.leaves) return;
    const auto* spans = &spans_[search.tree.offset];
    auto near = 2 * local;
    auto far = near + 1;
    auto near_bound = bound(search, near);
    auto far_bound = bound(search, far);
    if (far_bound < near_bound) {
        std::swap(near, far);
        std::swap(near_bound, far_bound);
    }
    for (const auto& [child, least] : {std::pair(near, near_bound), std::pair(far, far_bound)}) {
        if (least >= kWorst || !best.beaten_by(least, spans[child].first)) continue;
        if (child >= search.tree.leaves)
            best = {.score = least, .rank = spans[child].first};  // a leaf's bound is its score
        else
            visit(search, child, best);
    }
}

void Forest::search(std::uint32_t tree, const Query& query, Best& best) const {
    Search search{.tree = trees_[tree], .query = query};
    const auto& root = spans_[search.tree.offset + 1];
    if (search.tree.uniform && has_totals(root.total))
        search.share =
                share(size_on(*query.needs, query.task, root.proxy_mb), root.total, settings_);
    const auto least = bound(search, 1);
    if (least >= kWorst || !best.beaten_by(least, root.first)) return;
    if (search.tree.leaves == 1)
        best = {.score = least, .rank = root.first};
    else
        visit(search, 1, best);
}

}  // namespace brain::auction
