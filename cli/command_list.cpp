// `cloche container list`, `cloche ps`, `cloche stats`: the tables over many containers.
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/human.hpp"

#include <algorithm>
#include <chrono>

namespace cli {

namespace {

base::Result<std::vector<std::string>> all_or(
        Context& context, const std::vector<std::string>& given) {
    if (!given.empty()) return given;
    auto handles = TRY(context.client.list());
    std::sort(handles.begin(), handles.end());
    return handles;
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) out.append(out.empty() ? "" : " ").append(word);
    return out;
}

// A container that was named and is not there is the command's error; one that went away while we
// listed is not.
base::Result<bool> usable(const std::optional<garden::api::Error>& error, bool named) {
    if (!error) return true;
    if (named)
        return garden::api::to_error(
                *error, error->type == garden::api::kContainerNotFound ? 404 : 500);
    return false;
}

}  // namespace

base::Result<int> run_command(Context& context, const ListOptions& options) {
    garden::api::StringMap filter;
    for (const auto& text : options.filters) {
        const auto equals = text.find('=');
        if (equals == std::string::npos)
            return base::fail(base::Errc::invalid, "--filter: '{}' is not KEY=VALUE", text);
        filter[text.substr(0, equals)] = text.substr(equals + 1);
    }
    if (options.all) filter["garden.state"] = "all";
    auto handles = TRY(context.client.list(filter));
    std::sort(handles.begin(), handles.end());
    if (options.quiet && !context.json()) {
        for (const auto& handle : handles) TRY(print(handle + "\n"));
        return kExitOk;
    }
    const auto infos = TRY(context.client.bulk_info(handles));
    base::json::Writer w;
    w.begin_object().key("containers").begin_array();
    Table table({{"HANDLE"}, {"STATE"}, {"IP"}, {"PORTS"}, {"EVENTS"}});
    for (const auto& [handle, entry] : infos) {
        if (entry.error) continue;
        w.begin_object().member("handle", handle).member("info", entry.info).end_object();
        std::string ports;
        for (const auto& port : entry.info.mapped_ports)
            ports += (ports.empty() ? "" : " ") + std::to_string(port.host_port) + "->" +
                     std::to_string(port.container_port);
        table.add(
                {handle, entry.info.state, entry.info.container_ip, ports,
                 joined(entry.info.events)});
    }
    w.end_array().end_object();
    TRY(context.json() ? print(w.take() + "\n") : print_table(context, table));
    return kExitOk;
}

base::Result<int> run_command(Context& context, const PsOptions& options) {
    base::json::Writer w;
    w.begin_object().key("containers").begin_array();
    Table table(
            {{"HANDLE"},
             {"PROCESS"},
             {"PID", Table::Align::right},
             {"USER"},
             {"STATE"},
             {"COMMAND"}});
    for (const auto& handle : TRY(all_or(context, options.handles))) {
        auto rows = context.client.processes(handle);
        if (!rows && options.handles.empty() && rows.error().kind == base::Errc::not_found)
            continue;
        if (!rows) return std::move(rows).error();
        w.begin_object().member("handle", handle).member("processes", *rows).end_object();
        for (const auto& row : *rows)
            table.add(
                    {handle, row.id,
                     row.exited || row.host_pid == 0 ? "" : std::to_string(row.host_pid),
                     row.user.empty() ? "root" : row.user,
                     row.exited ? "exited " + std::to_string(row.exit_code) : "running",
                     joined(row.argv)});
    }
    w.end_array().end_object();
    TRY(context.json() ? print(w.take() + "\n") : print_table(context, table));
    return kExitOk;
}

base::Result<int> run_command(Context& context, const StatsOptions& options) {
    using Align = Table::Align;
    const auto metrics = TRY(context.client.bulk_metrics(TRY(all_or(context, options.handles))));
    base::json::Writer w;
    w.begin_object().key("containers").begin_array();
    Table table(
            {{"HANDLE"},
             {"MEMORY", Align::right},
             {"CPU TIME", Align::right},
             {"CPU AVG", Align::right},
             {"DISK", Align::right},
             {"PIDS", Align::right},
             {"RECEIVED", Align::right},
             {"SENT", Align::right},
             {"AGE", Align::right}});
    for (const auto& [handle, entry] : metrics) {
        if (!TRY(usable(entry.error, !options.handles.empty()))) continue;
        const auto& m = entry.metrics;
        w.begin_object().member("handle", handle).member("metrics", m).end_object();
        const double share = m.age > 0 ? 100.0 * static_cast<double>(m.cpu_stat.usage) /
                                                 static_cast<double>(m.age)
                                       : 0;
        table.add(
                {handle, human_bytes(m.memory_stat.total_usage_toward_limit),
                 base::format("{:.1f} s", static_cast<double>(m.cpu_stat.usage) / 1e9),
                 base::format("{:.1f} %", share), human_bytes(m.disk_stat.exclusive_bytes_used),
                 std::to_string(m.pid_stat.current),
                 m.network_stat ? human_bytes(m.network_stat->rx_bytes) : "",
                 m.network_stat ? human_bytes(m.network_stat->tx_bytes) : "",
                 human_age(std::chrono::nanoseconds(m.age))});
    }
    w.end_array().end_object();
    TRY(context.json() ? print(w.take() + "\n") : print_table(context, table));
    return kExitOk;
}

}  // namespace cli
