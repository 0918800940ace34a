// `cloche doctor` and `cloche features`: the machine, not one container.
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"

namespace cli {

base::Result<int> run_command(Context& context, const DoctorOptions&) {
    const auto orphans = TRY(context.client.doctor());
    if (context.json()) {
        TRY(print(base::json::encode(garden::api::DoctorAnswer{.orphans = orphans}) + "\n"));
    } else if (orphans.empty()) {
        TRY(print("nothing is left over\n"));
    } else {
        Table table({{"KIND"}, {"NAME"}, {"REASON"}});
        for (const auto& orphan : orphans) table.add({orphan.kind, orphan.name, orphan.reason});
        TRY(print_table(context, table));
        say(base::format(
                "cloche: {} left over. hint: a restart of gardend sweeps what has no owner",
                orphans.size()));
    }
    return orphans.empty() ? kExitOk : kExitFailed;
}

base::Result<int> run_command(Context& context, const FeaturesOptions&) {
    const auto text = TRY(context.client.features());
    TRY(context.json() ? print(text.ends_with('\n') ? text : text + "\n")
                       : print_flat(context, text));
    return kExitOk;
}

}  // namespace cli
