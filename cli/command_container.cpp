// `cloche container create|plan|inspect|destroy`.
#include "base/json_writer.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/human.hpp"
#include "cli/pull.hpp"
#include "cli/spec.hpp"

#include <optional>

namespace cli {

base::Result<int> run_command(Context& context, const CreateOptions& options) {
    const auto spec = TRY(container_spec(options.container));
    // Pulled by itself first: Create would pull too, but silently.
    if (!spec.image.uri.empty()) TRY(ensure_image(context, spec.image));
    const auto handle = TRY(context.client.create(spec));
    if (!context.json()) TRY(print(handle + "\n"));
    if (context.json())
        TRY(print(
                base::json::Writer().begin_object().member("handle", handle).end_object().take() +
                "\n"));
    return kExitOk;
}

base::Result<int> run_command(Context& context, const PlanOptions& options) {
    const auto plan = TRY(context.client.plan(TRY(container_spec(options.container))));
    TRY(print(context.json() ? plan : pretty_json(plan)));
    return kExitOk;
}

namespace {

std::string limit_text(std::uint64_t bytes) {
    return bytes == 0 ? "none" : human_bytes(bytes);
}

struct Inspected {
    garden::api::ContainerInfo info;
    garden::api::MemoryLimits memory;
    garden::api::CpuLimits cpu;
    garden::api::DiskLimits disk;
    std::vector<garden::api::ProcessRow> processes;
};

base::Result<void> print_inspected(
        const Context& context, const std::string& handle, const Inspected& all) {
    if (context.json()) {
        base::json::Writer w;
        w.begin_object().member("handle", handle).member("info", all.info);
        w.key("limits")
                .begin_object()
                .member("memory", all.memory)
                .member("cpu", all.cpu)
                .member("disk", all.disk)
                .end_object();
        w.member("processes", all.processes).end_object();
        return print(w.take() + "\n");
    }
    Table table({{"NAME"}, {"VALUE"}});
    table.add({"handle", handle});
    table.add({"state", all.info.state});
    table.add({"container ip", all.info.container_ip});
    table.add({"host ip", all.info.host_ip});
    table.add({"external ip", all.info.external_ip});
    table.add({"path", all.info.container_path});
    table.add({"memory limit", limit_text(all.memory.limit_in_bytes)});
    table.add(
            {"cpu shares",
             all.cpu.limit_in_shares == 0 ? "none" : std::to_string(all.cpu.limit_in_shares)});
    table.add({"disk limit", limit_text(all.disk.byte_hard)});
    for (const auto& port : all.info.mapped_ports)
        table.add(
                {"port",
                 std::to_string(port.host_port) + " -> " + std::to_string(port.container_port)});
    for (const auto& event : all.info.events) table.add({"event", event});
    for (const auto& row : all.processes)
        table.add(
                {"process " + row.id,
                 row.exited ? "exited " + std::to_string(row.exit_code) : "running"});
    for (const auto& [name, value] : all.info.properties) table.add({name, value});
    return print_table(context, table);
}

}  // namespace

base::Result<int> run_command(Context& context, const InspectOptions& options) {
    Inspected all;
    all.info = TRY(context.client.info(options.handle));
    all.memory = TRY(context.client.memory_limits(options.handle));
    all.cpu = TRY(context.client.cpu_limits(options.handle));
    all.disk = TRY(context.client.disk_limits(options.handle));
    all.processes = TRY(context.client.processes(options.handle));
    TRY(print_inspected(context, options.handle, all));
    return kExitOk;
}

base::Result<int> run_command(Context& context, const DestroyOptions& options) {
    // Every one is tried; the first error is the answer, the others are said.
    std::optional<base::Error> first;
    for (const auto& handle : options.handles) {
        auto destroyed = context.client.destroy(handle);
        if (destroyed) {
            TRY(print(handle + "\n"));
            continue;
        }
        if (options.ignore_missing && destroyed.error().kind == base::Errc::not_found) continue;
        if (first) {
            say("cloche: " + destroyed.error().text);
        } else {
            first = std::move(destroyed).error();
        }
    }
    if (first) return std::move(*first);
    return kExitOk;
}

}  // namespace cli
