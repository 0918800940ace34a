// The cell's gauges (executor-rep §11): capacity, what is left of it, what containers use. Read
// from the executor when somebody asks, not more often than each 10 s. Used by the class Rep.
#pragma once

#include "base/metrics.hpp"
#include "executor/api/executor.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace rep::core {

class CellMetrics : public std::enable_shared_from_this<CellMetrics> {
  public:
    explicit CellMetrics(executor::api::Executor& executor) : executor_(&executor) {}

    // Owners: the rep, and the registry's questions, which may outlive it.
    void publish(base::metrics::Registry& registry, const std::string& zone);
    void close();  // the executor is not asked any more; every value is -1

  private:
    struct Sample {
        std::optional<executor::api::Resources> total;
        std::optional<executor::api::Resources> remaining;
        std::optional<std::uint64_t> memory_bytes;
        std::optional<std::uint64_t> disk_bytes;
        std::optional<std::size_t> containers;
        std::optional<std::int64_t> starting;
    };

    using Read = double (*)(const Sample&);

    struct Gauge {
        const char* name;
        const char* help;
        Read read;
    };

    static const std::vector<Gauge>& gauges();
    double value(Read read);
    void take();

    std::mutex mutex_;
    executor::api::Executor* executor_;  // null once closed
    Sample sample_;
    std::optional<std::chrono::steady_clock::time_point> taken_;
};

}  // namespace rep::core
