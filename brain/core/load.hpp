// Reads a whole world from a store, and writes the version of the schema into a new one. Used by
// Reign when a brain begins to lead.
#pragma once

#include "base/result.hpp"
#include "brain/model/world.hpp"
#include "brain/store/store.hpp"

#include <cstdint>

namespace brain::core {

// Times of the future (the wall clock has been set back since) become `now`, so that every age
// counts from there. Errc::unsupported: written by a newer version; Errc::corrupt names the record.
base::Result<model::World> load(store::Store& store, store::Term term, std::int64_t now);

}  // namespace brain::core
