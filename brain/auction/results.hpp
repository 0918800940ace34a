// Results of a round of the auction: work per cell, and for every item who won or what was in the
// way, and why. Used by the auctioneer, by `explain` and tests.
#pragma once

#include "brain/auction/batch.hpp"
#include "brain/auction/score.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace brain::auction {

inline constexpr std::size_t kMaxCandidates = 3;  // with their scores, in an explanation
inline constexpr std::size_t kMaxExamples = 3;    // cells by name, of one cause

enum class Cause : std::uint8_t {
    rootfs,
    drivers,
    tags,
    containers,
    cpu,
    disk,
    memory,
    starting,     // its limit of containers that start
    fuller_zone,  // a zone with fewer instances of the process had room
};

std::string_view to_string(Cause cause);

// A cell counts for its first cause of kind, or for each resource that it lacks.
struct Refusal {
    Cause cause = Cause::rootfs;
    std::size_t cells = 0;
    std::vector<std::string> examples;
};

struct Candidate {
    std::string cell_id;
    std::string zone;
    Terms terms;
};

struct Explanation {
    std::size_t cells = 0;  // in the round
    std::size_t fitting = 0;
    std::vector<Refusal> refusals;
    // The most free memory among cells that fit by kind, with what else that cell has.
    std::string largest_cell;
    Room largest_free;
    std::vector<Candidate> best;  // the winner first
    bool complete = true;         // false: resources, zones and scores were not looked at again

    const Refusal* find(Cause cause) const;
    std::string text() const;  // for people, one line
};

// Many items have one explanation; the last of them goes with it.
using ExplanationPtr = std::shared_ptr<const Explanation>;

struct Decision {
    std::size_t position = 0;  // in its list of the batch
    std::string cell_id;       // empty: not placed
    std::string error;         // auction §9; empty: placed
    Terms terms;               // of the winner
    ExplanationPtr why;

    bool placed() const { return error.empty(); }
};

struct Results {
    std::vector<rep::api::Work> work;  // by cell id; those that got some
    std::vector<Decision> lrps;        // in the order in which they were looked at
    std::vector<Decision> tasks;
    std::size_t placed = 0;
    std::size_t failed = 0;
};

}  // namespace brain::auction
