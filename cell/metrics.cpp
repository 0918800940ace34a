#include "cell/metrics.hpp"

namespace cell {

namespace {

using Figures = executor::LocalExecutor::Figures;

void add_capacity(base::metrics::Registry& metrics, executor::LocalExecutor& executor) {
    struct Row {
        const char* name;
        const char* help;
        std::int64_t executor::api::Resources::*part;
    };

    static constexpr Row kRows[] = {
            {"memory_megabytes", "Memory that may be promised",
             &executor::api::Resources::memory_mb},
            {"disk_megabytes", "Disk that may be promised", &executor::api::Resources::disk_mb},
            {"containers", "Containers that may exist", &executor::api::Resources::containers}};
    for (const auto& row : kRows) {
        const auto ask = [&](const char* kind, executor::api::Resources Figures::*which) {
            metrics.ask(
                    std::string("celld_capacity_") + row.name, row.help, {{"kind", kind}}, false,
                    [&executor, which, part = row.part] {
                        // Unknown until the backend has answered (executor-rep §11).
                        if (!executor.ready()) return -1.0;
                        const auto figures = executor.figures();
                        return static_cast<double>(figures.*which.*part);
                    });
        };
        ask("total", &Figures::total);
        ask("remaining", &Figures::remaining);
    }
}

}  // namespace

void add_metrics(
        base::metrics::Registry& metrics,
        executor::LocalExecutor& executor,
        executor::LogHub& logs) {
    add_capacity(metrics, executor);
    const auto counter = [&](const char* name, const char* help, std::uint64_t Figures::*which) {
        metrics.ask(name, help, {}, true, [&executor, which] {
            return static_cast<double>(executor.figures().*which);
        });
    };
    counter("celld_containers_completed_total", "Containers whose steps ended",
            &Figures::completed);
    counter("celld_containers_exit_timeouts_total",
            "Containers that did not end after SIGKILL in time", &Figures::exited_on_timeout);
    counter("celld_containers_created_total", "Containers made in the backend",
            &Figures::creations);
    counter("celld_containers_create_failures_total", "Containers the backend did not make",
            &Figures::failed_creations);
    counter("celld_containers_destroyed_total", "Containers destroyed in the backend",
            &Figures::destructions);
    counter("celld_containers_destroy_failures_total", "Containers the backend did not destroy",
            &Figures::failed_destructions);
    const auto gauge = [&](const char* name, const char* help, std::size_t Figures::*which) {
        metrics.ask(name, help, {}, false, [&executor, which] {
            return static_cast<double>(executor.figures().*which);
        });
    };
    gauge("celld_containers", "Containers, reservations included", &Figures::containers);
    gauge("celld_containers_starting", "Containers that do not run yet", &Figures::starting);
    metrics.ask(
            "celld_backend_healthy", "Whether the last check of the backend passed", {}, false,
            [&executor] { return executor.healthy() ? 1.0 : 0.0; });
    const auto log_sum = [&](const char* name, const char* help, auto part) {
        metrics.ask(name, help, {}, false, [&logs, part] {
            double sum = 0;
            for (const auto& guid : logs.containers())
                if (const auto figures = logs.figures(guid))
                    sum += static_cast<double>((*figures).*part);
            return sum;
        });
    };
    log_sum("celld_log_bytes_per_second", "Output of all containers", &executor::LogFigures::rate);
    log_sum("celld_log_dropped_lines", "Lines over a limit, of the containers that exist",
            &executor::LogFigures::dropped_lines);
}

}  // namespace cell
