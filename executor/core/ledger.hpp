// Ledger: what the cell has and what is promised to containers (executor-rep §8). Pure; the owner
// locks. Used by executor/core.
#pragma once

#include "executor/api/types.hpp"

#include <cstdint>

namespace executor {

class Ledger {
  public:
    explicit Ledger(api::Resources total) : total_(total), remaining_(total) {}

    // InsufficientResourcesAvailable names what is short; then nothing is taken. A container of
    // memory 0 takes none.
    base::Result<void> take(const api::Container& container);
    void give_back(const api::Container& container);
    // Of a container that exists already: after a restart with a smaller total the rest may be
    // negative, and nothing new fits until it is not.
    void adopt(const api::Container& container);

    const api::Resources& total() const { return total_; }

    const api::Resources& remaining() const { return remaining_; }

  private:
    api::Resources total_;
    api::Resources remaining_;
};

}  // namespace executor
