// The digest of a cell's records: the rep computes it over what it expects, the brain over what it
// has; when both are equal no record travels. Used by brain and rep. A sum of hashes, so that the
// brain can keep it up to date record by record, in any order.
#pragma once

#include "brain/api/lrp.hpp"
#include "brain/api/task.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace brain::api {

// Whether a record counts for the cell: it names the cell as the place where something is.
bool counts_for(const ActualLrp& lrp, std::string_view cell_id);
bool counts_for(const Task& task, std::string_view cell_id);

class Digest {
  public:
    // Everything that the cell decides on: keys, state, presence and, once running, what
    // `start_actual_lrp` carries. Not: times, tags of modification, crash counts.
    void add(const ActualLrp& lrp);
    void remove(const ActualLrp& lrp);
    void add(const Task& task);
    void remove(const Task& task);
    // All records of another sum: who keeps that of one record need not hash it again to take it
    // away.
    void add(const Digest& other);
    void remove(const Digest& other);

    std::string text() const;  // "1:<records>:<32 hex digits>"

    bool operator==(const Digest&) const = default;

  private:
    void change(const std::string& canonical, bool adding);

    std::uint64_t records_ = 0;
    std::array<std::uint64_t, 2> sum_{};
};

// Of those that count for the cell.
std::string digest(
        std::string_view cell_id,
        const std::vector<ActualLrp>& lrps,
        const std::vector<Task>& tasks);

}  // namespace brain::api
