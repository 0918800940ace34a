// The settings of instance identity (executor-rep §13). Used by cell/settings.cpp.
#pragma once

#include "cell/settings.hpp"

namespace cell {

void declare_identity(base::config::Schema& schema, Settings& settings);
base::Result<void> settle_identity(Settings& settings);

}  // namespace cell
