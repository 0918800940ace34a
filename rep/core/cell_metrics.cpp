#include "rep/core/cell_metrics.hpp"

#include "rep/plan/cell.hpp"

namespace rep::core {

namespace {

constexpr std::chrono::seconds kFresh{10};
constexpr double kUnreadable = -1;  // executor-rep §11
constexpr double kMegabyte = 1024.0 * 1024.0;

template <class T>
double number(const std::optional<T>& value) {
    return value ? static_cast<double>(*value) : kUnreadable;
}

template <class T>
std::optional<T> taken(base::Result<T> result) {
    if (!result) return std::nullopt;
    return std::move(*result);
}

}  // namespace

const std::vector<CellMetrics::Gauge>& CellMetrics::gauges() {
    static const std::vector<Gauge> kGauges = {
            {"CapacityTotalMemory", "Memory of the cell in MB.",
             [](const Sample& s) {
                 return s.total ? number(std::optional(s.total->memory_mb)) : kUnreadable;
             }},
            {"CapacityTotalDisk", "Disk of the cell in MB.",
             [](const Sample& s) {
                 return s.total ? number(std::optional(s.total->disk_mb)) : kUnreadable;
             }},
            {"CapacityTotalContainers", "Containers that the cell takes.",
             [](const Sample& s) {
                 return s.total ? number(std::optional(s.total->containers)) : kUnreadable;
             }},
            {"CapacityRemainingMemory", "Memory not reserved in MB.",
             [](const Sample& s) {
                 return s.remaining ? number(std::optional(s.remaining->memory_mb)) : kUnreadable;
             }},
            {"CapacityRemainingDisk", "Disk not reserved in MB.",
             [](const Sample& s) {
                 return s.remaining ? number(std::optional(s.remaining->disk_mb)) : kUnreadable;
             }},
            {"CapacityRemainingContainers", "Containers that still fit.",
             [](const Sample& s) {
                 return s.remaining ? number(std::optional(s.remaining->containers)) : kUnreadable;
             }},
            {"CapacityAllocatedMemory", "Memory reserved in MB.",
             [](const Sample& s) {
                 return s.total && s.remaining
                                ? static_cast<double>(s.total->memory_mb - s.remaining->memory_mb)
                                : kUnreadable;
             }},
            {"CapacityAllocatedDisk", "Disk reserved in MB.",
             [](const Sample& s) {
                 return s.total && s.remaining
                                ? static_cast<double>(s.total->disk_mb - s.remaining->disk_mb)
                                : kUnreadable;
             }},
            {"ContainerUsageMemory", "Memory that containers use in MB.",
             [](const Sample& s) {
                 return s.memory_bytes ? static_cast<double>(*s.memory_bytes) / kMegabyte
                                       : kUnreadable;
             }},
            {"ContainerUsageDisk", "Disk that containers use in MB.",
             [](const Sample& s) {
                 return s.disk_bytes ? static_cast<double>(*s.disk_bytes) / kMegabyte : kUnreadable;
             }},
            {"ContainerCount", "Containers.", [](const Sample& s) { return number(s.containers); }},
            {"StartingContainerCount", "Containers reserved, initializing or created.",
             [](const Sample& s) { return number(s.starting); }},
    };
    return kGauges;
}

void CellMetrics::publish(base::metrics::Registry& registry, const std::string& zone) {
    for (const auto& gauge : gauges())
        registry.ask(
                gauge.name, gauge.help, {{"zone", zone}}, false,
                [self = shared_from_this(), read = gauge.read] { return self->value(read); });
}

void CellMetrics::close() {
    const std::lock_guard lock(mutex_);
    executor_ = nullptr;
    sample_ = {};
}

double CellMetrics::value(Read read) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (executor_ != nullptr && (!taken_ || now - *taken_ >= kFresh)) {
        take();
        taken_ = now;
    }
    return read(sample_);
}

void CellMetrics::take() {
    sample_ = {};
    sample_.total = taken(executor_->total_resources());
    sample_.remaining = taken(executor_->remaining_resources());
    if (const auto containers = executor_->list(); containers) {
        sample_.containers = containers->size();
        sample_.starting = plan::starting(*containers);
    }
    if (const auto metrics = executor_->metrics(); metrics) {
        sample_.memory_bytes = 0;
        sample_.disk_bytes = 0;
        for (const auto& [guid, m] : *metrics) {
            *sample_.memory_bytes += m.memory_usage_in_bytes;
            *sample_.disk_bytes += m.disk_usage_in_bytes;
        }
    }
}

}  // namespace rep::core
