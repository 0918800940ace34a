// The setting of the brain. Used by cell/settings.cpp.
#pragma once

#include "cell/settings.hpp"

namespace cell {

void declare_brain(base::config::Schema& schema, Settings& settings);
base::Result<void> settle_brain(Settings& settings);

}  // namespace cell
