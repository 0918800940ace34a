// What celld tells Prometheus of its executor (executor-rep §11). Used by cell/main.cpp.
#pragma once

#include "base/metrics.hpp"
#include "executor/core/local_executor.hpp"
#include "executor/logs/hub.hpp"

namespace cell {

// All of them outlive the registry's last text().
void add_metrics(
        base::metrics::Registry& metrics,
        executor::LocalExecutor& executor,
        executor::LogHub& logs);

}  // namespace cell
