// `cloche container denials`: which system calls the filter refused (SC-21).
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"

namespace cli {

namespace {

base::Result<void> print_denials(const Context& context, const garden::api::Denials& found) {
    if (!found.host.available) say("cloche: denials are " + found.host.why);
    Table calls(
            {{"CALL"}, {"ARCH"}, {"ACTION"}, {"COUNT", Table::Align::right}, {"FIRST"}, {"LAST"}});
    for (const auto& entry : found.calls)
        calls.add(
                {entry.call, entry.architecture, entry.action, std::to_string(entry.count),
                 entry.first, entry.last});
    TRY(print_table(context, calls));
    if (!found.samples.empty()) {
        Table samples(
                {{"CALL"},
                 {"PID", Table::Align::right},
                 {"UID", Table::Align::right},
                 {"COMMAND"},
                 {"EXECUTABLE"}});
        for (const auto& sample : found.samples)
            samples.add(
                    {sample.call, sample.pid == 0 ? "" : std::to_string(sample.pid),
                     std::to_string(sample.uid), sample.command, sample.executable});
        TRY(print("\n"));
        TRY(print_table(context, samples));
    }
    if (found.suppressed + found.other + found.host.lost > 0)
        say(base::format(
                "cloche: {} more were over the rate and only counted, {} were of calls beyond the "
                "table, {} records of this host were lost",
                found.suppressed, found.other, found.host.lost));
    return base::ok;
}

}  // namespace

base::Result<int> run_command(Context& context, const DenialsOptions& options) {
    const auto found = TRY(context.client.denials(options.handle));
    TRY(context.json() ? print(base::json::encode(found) + "\n") : print_denials(context, found));
    return kExitOk;
}

}  // namespace cli
