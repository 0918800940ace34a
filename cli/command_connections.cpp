// `cloche container connections`: rules with their counters, and refused connections (NET-07).
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"

namespace cli {

namespace {

using garden::api::Connection;
using garden::api::Connections;

// "10.0.0.1:80", "[fd00::1]:80", or what there is of it.
std::string end_point(const std::string& address, std::int32_t port) {
    if (port < 0) return address;
    const bool v6 = address.find(':') != std::string::npos;
    return base::format("{}:{}", v6 ? "[" + address + "]" : address, port);
}

std::string protocol(const Connection& entry) {
    if (entry.icmp_type < 0) return entry.protocol;
    return base::format("{} {}/{}", entry.protocol, entry.icmp_type, entry.icmp_code);
}

void add_rows(Table& table, const std::vector<Connection>& entries) {
    for (const auto& entry : entries) {
        const auto source = entry.source.empty() ? entry.source_mac
                                                 : end_point(entry.source, entry.source_port);
        table.add(
                {entry.last, entry.direction, entry.verdict, entry.reason, protocol(entry), source,
                 end_point(entry.destination, entry.destination_port),
                 std::to_string(entry.count)});
    }
}

// Addresses and protocols come from packets of the container; a cell of a table prints no control
// character (API-10).
base::Result<void> print_connections(const Context& context, const Connections& found) {
    Table rules(
            {{"RULE"},
             {"VERDICT"},
             {"PACKETS", Table::Align::right},
             {"BYTES", Table::Align::right}});
    for (const auto& rule : found.rules)
        rules.add(
                {rule.rule, rule.verdict, std::to_string(rule.packets),
                 std::to_string(rule.bytes)});
    TRY(print_table(context, rules));
    if (!found.denied.empty() || !found.allowed.empty()) {
        Table entries(
                {{"LAST"},
                 {"DIR"},
                 {"VERDICT"},
                 {"REASON"},
                 {"PROTOCOL"},
                 {"SOURCE"},
                 {"DESTINATION"},
                 {"COUNT", Table::Align::right}});
        add_rows(entries, found.denied);
        add_rows(entries, found.allowed);
        TRY(print("\n"));
        TRY(print_table(context, entries));
    }
    if (found.suppressed + found.forgotten + found.lost > 0)
        say(base::format(
                "cloche: {} more were over the rate and only counted, {} made room for later ones, "
                "{} records of this host were lost",
                found.suppressed, found.forgotten, found.lost));
    return base::ok;
}

}  // namespace

base::Result<int> run_command(Context& context, const ConnectionsOptions& options) {
    const auto found = TRY(context.client.connections(options.handle));
    TRY(context.json() ? print(base::json::encode(found) + "\n")
                       : print_connections(context, found));
    return kExitOk;
}

}  // namespace cli
