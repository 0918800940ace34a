// Forest: one tournament tree for each kind of cell in each zone. A node knows the least load and
// the most room below it, so that the cell with the best score is found in about the logarithm of
// their number. Private to brain/auction.
//
//              [load 0.1, room 60]              a node is left out when even its least load with
//              |                 |              the least share, or its most room, cannot beat
//   [load 0.1, room 40]   [load 0.3, room 60]   the best so far
//      |        |              |       |
//    a 0.1    b 0.2          c 0.3   d 0.4      leaves: cells by rank, so that ties are settled
#pragma once

#include "brain/auction/cells.hpp"

#include <cstdint>
#include <limits>
#include <vector>

namespace brain::auction {

inline constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();

// Who leads so far; a tie goes to the lower rank.
struct Best {
    double score = kWorst;
    std::uint32_t rank = kNobody;

    bool beaten_by(double other, std::uint32_t other_rank) const {
        return other < score || (other == score && other_rank < rank);
    }
};

// How many of the same process (or tasks) cells have: by rank for few, for many as the least of
// each node.
struct Same {
    const std::int32_t* by_rank = nullptr;
    const std::int32_t* by_node = nullptr;
};

struct Query {
    const rep::api::Needs* needs = nullptr;
    bool task = false;
    Same same;
    double image = 0;  // of every cell
};

class Forest {
  public:
    Forest(const CellTable& table, const Settings& settings);

    void search(std::uint32_t tree, const Query& query, Best& best) const;
    void refresh(const CellRow& row);  // its load or room has changed

    // A tree of counts beside the nodes: all 0, places without a cell out of reach.
    const std::vector<std::int32_t>& no_counts() const { return no_counts_; }

    void add_count(std::vector<std::int32_t>& counts, const CellRow& row, std::int32_t by) const;
    std::int32_t count(const std::vector<std::int32_t>& counts, const CellRow& row) const;

  private:
    struct Node {
        double lrp_load = kWorst;
        double task_load = kWorst;
        std::int64_t memory_mb = kFull;
        std::int64_t lrp_memory_mb = kFull;  // without the proxy's
        std::int64_t disk_mb = kFull;
        std::int64_t containers = kFull;
        std::int64_t cpu_millis = kFull;
    };

    // What does not change: the most of each total, the least proxy, the first cell.
    struct Span {
        Room total;
        std::int64_t proxy_mb = std::numeric_limits<std::int64_t>::max();
        std::uint32_t first = kNobody;
    };

    struct Tree {
        std::uint32_t offset = 0;  // of its nodes; the root is 1, children of n are 2n and 2n+1
        std::uint32_t leaves = 1;  // a power of two
        bool uniform = true;       // all totals and proxies are equal
    };

    struct Search;

    static constexpr std::int64_t kFull = std::numeric_limits<std::int64_t>::min();

    Node leaf_of(const CellRow& row) const;
    static Node join(const Node& a, const Node& b);
    static Span join(const Span& a, const Span& b);
    void plant(const CellTable& table, const std::vector<std::uint32_t>& ranks);
    double share_bound(const Search& search, std::uint32_t local) const;
    // kWorst and more: nothing below it takes the work.
    double bound(const Search& search, std::uint32_t local) const;
    void visit(const Search& search, std::uint32_t local, Best& best) const;

    const Settings& settings_;
    std::vector<Tree> trees_;
    std::vector<Node> nodes_;
    std::vector<Span> spans_;
    std::vector<std::int32_t> no_counts_;
};

}  // namespace brain::auction
