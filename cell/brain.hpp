// Which brain a cell has, from the setting `brain.endpoint`: the one place that knows every kind.
// Used by the settings (to check the value) and by cell/main.cpp (to make it).
//
//   none     no brain: the rep serves its API and decides nothing
//   memory   in this process, gone with it: for development and tests
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "brain/api/brain.hpp"

#include <memory>
#include <string>

namespace cell {

enum class BrainKind : std::uint8_t { none, memory };

base::Result<BrainKind> parse_brain(const std::string& text);

// Null for a cell without a brain. `clock` outlives it.
std::unique_ptr<brain::api::Brain> make_brain(BrainKind kind, const base::Clock& clock);

}  // namespace cell
