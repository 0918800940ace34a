// What must be true of every world, computed again from its records. Used by the tests of
// brain/model.
#pragma once

#include "brain/model/world.hpp"

namespace test {

// All rows, in order.
std::vector<brain::model::ActualPtr> all_rows(const brain::model::World& world);
// The first thing that is not as the records say, as a sentence; "" when all is well.
std::string broken(const brain::model::World& world);

}  // namespace test
