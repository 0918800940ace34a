// schedule: the auction itself, a pure function from the states of cells and a batch to who gets
// what (auction §5-9, with the corrections that README.md lists). Used by the auctioneer.
#pragma once

#include "brain/auction/results.hpp"

#include <vector>

namespace brain::auction {

// The order of `cells` does not matter: ties go to the cell whose id sorts first. Evacuating cells
// take nothing. Duplicates in the batch are the caller's to remove.
Results schedule(
        const std::vector<rep::api::CellState>& cells,
        const Batch& batch,
        const Settings& settings = {});

}  // namespace brain::auction
