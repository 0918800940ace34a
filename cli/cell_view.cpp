#include "cli/cell_view.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "cli/human.hpp"

#include <algorithm>

namespace cli {

namespace {

using executor::api::Container;

std::string megabytes(std::int64_t count) {
    return human_bytes(static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0)) << 20);
}

// 0 is no limit in a recipe, and nothing in a table.
std::string limit(std::int64_t count) {
    return count == 0 ? std::string() : megabytes(count);
}

template <class Words>
std::string joined(const Words& words) {
    std::string out;
    for (const auto& word : words) out.append(out.empty() ? "" : " ").append(word);
    return out;
}

std::string kind(const Container& container) {
    const auto tag = container.tags.find("lifecycle");  // the rep's (executor-rep §2.3)
    return tag == container.tags.end() ? std::string() : tag->second;
}

std::string ports(const Container& container) {
    std::vector<std::string> out;
    for (const auto& port : container.info.ports)
        out.push_back(
                port.host_port == 0 ? std::to_string(port.container_port)
                                    : base::format("{}->{}", port.host_port, port.container_port));
    return joined(out);
}

std::string reason(const Container& container) {
    const auto& result = container.run_result;
    if (!result.failure_reason.empty()) return result.failure_reason;
    return result.stopped ? "stopped" : "";
}

}  // namespace

Table cell_summary(const rep::api::CellState& state) {
    Table table({{"NAME"}, {"VALUE"}});
    const auto& free = state.available_resources;
    const auto& total = state.total_resources;
    table.add({"cell", state.cell_id});
    table.add({"url", state.rep_url});
    table.add({"zone", state.zone});
    table.add({"evacuating", state.evacuating ? "yes" : "no"});
    table.add({"memory", megabytes(free.memory_mb) + " free of " + megabytes(total.memory_mb)});
    table.add({"disk", megabytes(free.disk_mb) + " free of " + megabytes(total.disk_mb)});
    table.add({"containers", base::format("{} free of {}", free.containers, total.containers)});
    table.add({"starting", std::to_string(state.starting_container_count)});
    for (const auto& [scheme, provider] : state.rootfs_providers)
        table.add({"rootfs " + scheme, provider.arbitrary ? "any" : joined(provider.names)});
    table.add({"volume drivers", joined(state.volume_drivers)});
    table.add({"placement tags", joined(state.placement_tags)});
    table.add({"optional tags", joined(state.optional_placement_tags)});
    table.add({"work", work_left(state)});
    return table;
}

Table lrp_table(const std::vector<rep::api::Lrp>& lrps) {
    using Align = Table::Align;
    Table table(
            {{"PROCESS"},
             {"INDEX", Align::right},
             {"INSTANCE"},
             {"DOMAIN"},
             {"STATE"},
             {"MEMORY", Align::right},
             {"DISK", Align::right}});
    for (const auto& lrp : lrps)
        table.add(
                {lrp.process_guid, std::to_string(lrp.index), lrp.instance_guid, lrp.domain,
                 lrp.state, limit(lrp.needs.memory_mb), limit(lrp.needs.disk_mb)});
    return table;
}

Table task_table(const std::vector<rep::api::Task>& tasks) {
    using Align = Table::Align;
    Table table(
            {{"TASK"},
             {"DOMAIN"},
             {"STATE"},
             {"FAILED"},
             {"MEMORY", Align::right},
             {"DISK", Align::right}});
    for (const auto& task : tasks)
        table.add(
                {task.task_guid, task.domain, task.state, task.failed ? "yes" : "",
                 limit(task.needs.memory_mb), limit(task.needs.disk_mb)});
    return table;
}

Table cell_container_table(
        const std::vector<Container>& containers, std::chrono::system_clock::time_point now) {
    using Align = Table::Align;
    Table table(
            {{"GUID"},
             {"STATE"},
             {"KIND"},
             {"MEMORY", Align::right},
             {"DISK", Align::right},
             {"AGE", Align::right},
             {"ADDRESS"},
             {"EXTERNAL"},
             {"PORTS"},
             {"REASON"}});
    for (const auto& container : containers) {
        const std::chrono::nanoseconds allocated(container.allocated_at);
        table.add(
                {container.guid, std::string(to_string(container.state)), kind(container),
                 limit(container.memory_mb), limit(container.disk_mb),
                 container.allocated_at == 0 ? "" : human_age(now.time_since_epoch() - allocated),
                 container.internal_ip, container.external_ip, ports(container),
                 reason(container)});
    }
    return table;
}

std::string work_left(const rep::api::CellState& state) {
    const auto lrps = state.lrps.size();
    const auto tasks = state.tasks.size();
    return base::format(
            "{} {}, {} {}", lrps, lrps == 1 ? "LRP" : "LRPs", tasks, tasks == 1 ? "task" : "tasks");
}

std::string log_line(const executor::api::LogRecord& record) {
    using Clock = std::chrono::system_clock;
    const Clock::time_point time{
            std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds(record.time_ns))};
    return base::format(
            "{} {} {} {}\n", base::to_rfc3339(time), printable(record.source),
            to_string(record.kind), printable(record.text, "\t"));
}

std::string lost_lines(std::uint64_t count) {
    return base::format(
            "cloche: {} {} lost here: this reader was too slow", count,
            count == 1 ? "line was" : "lines were");
}

}  // namespace cli
