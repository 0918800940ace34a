// CellTable: the cells of a round in compact form, by id, with zones, and with cells that are the
// same by kind (root filesystems, drivers, tags) put together. Private to brain/auction.
#pragma once

#include "brain/auction/results.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace brain::auction {

struct CellRow {
    const rep::api::CellState* state = nullptr;
    Room free;  // changes as work is placed
    std::int64_t starting = 0;
    double first_fit = 0;  // the index term, weight included
    std::uint32_t zone = 0;
    std::uint32_t kind = 0;
    std::uint32_t tree = 0;  // of the forest, and the place there
    std::uint32_t leaf = 0;
};

// How far a cell gets through the filters (auction §4); the furthest of all says the error.
enum class Stage : std::uint8_t { rootfs, drivers, tags, fits };

// What the filters say of one piece of work, and of all that needs the same.
struct Verdict {
    std::uint64_t id = 0;  // of the table's verdicts
    Stage furthest = Stage::rootfs;
    std::vector<Stage> of_kind;

    struct Zone {
        std::uint32_t zone = 0;
        std::vector<std::uint32_t> trees;
    };

    std::vector<Zone> zones;  // with cells that fit
    ExplanationPtr brief;
};

class CellTable {
  public:
    CellTable(const std::vector<rep::api::CellState>& cells, const Settings& settings);

    const std::vector<CellRow>& rows() const { return rows_; }

    CellRow& row(std::uint32_t rank) { return rows_[rank]; }

    const std::string& zone_name(std::uint32_t zone) const { return zones_[zone]; }

    std::size_t zones() const { return zones_.size(); }

    // Ranks of cells, by tree: one tree for each kind in each zone.
    const std::vector<std::vector<std::uint32_t>>& trees() const { return trees_; }

    std::int64_t starting() const;  // on all cells, as they said

    // Remembered for all work with the same needs; valid until the next call.
    const Verdict& verdict(const rep::api::Needs& needs);

  private:
    struct Kind {
        const rep::api::CellState* like = nullptr;
        std::vector<std::uint32_t> cells;
    };

    struct Tree {
        std::uint32_t zone = 0;
        std::uint32_t kind = 0;
    };

    void index_first_fit(double weight);
    std::string signature(const rep::api::Needs& needs) const;
    Verdict judge(const rep::api::Needs& needs) const;

    std::vector<CellRow> rows_;
    std::vector<std::string> zones_;
    std::vector<Kind> kinds_;
    std::vector<Tree> tree_keys_;
    std::vector<std::vector<std::uint32_t>> trees_;
    std::unordered_map<std::string, bool> arbitrary_;  // scheme -> all cells take any of it
    std::unordered_map<std::string, Verdict> verdicts_;
    std::uint64_t judged_ = 0;
};

}  // namespace brain::auction
