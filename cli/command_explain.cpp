// `cloche container explain-eperm`: why something is refused, and what would change it.
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"

namespace cli {

namespace {

// Addresses in answers come from packets of the container, remedies are sentences: lines of their
// own, through the table for its care with control characters (API-10).
base::Result<void> print_answer(const Context& context, const garden::api::ExplainAnswer& answer) {
    bool first = true;
    for (const auto& entry : answer.explanations) {
        if (!first) TRY(print("\n"));
        first = false;
        Table lines({{"QUESTION"}, {entry.question}});
        if (entry.count > 0) lines.add({"refused", base::format("{} times", entry.count)});
        lines.add({"layer", entry.layer});
        if (!entry.rule.empty()) lines.add({"rule", entry.rule});
        if (!entry.seen_as.empty()) lines.add({"seen as", entry.seen_as});
        lines.add({"because", entry.because});
        if (!entry.remedy.empty()) lines.add({"remedy", entry.remedy});
        TRY(print_table(context, lines));
    }
    if (answer.explanations.empty()) TRY(print("nothing was refused\n"));
    for (const auto& note : answer.notes) say("cloche: " + note);
    return base::ok;
}

}  // namespace

base::Result<int> run_command(Context& context, const ExplainOptions& options) {
    const auto answer = TRY(context.client.explain(
            options.handle, {.call = options.call,
                             .path = options.path,
                             .device = options.device,
                             .connect = options.connect,
                             .access = options.access,
                             .protocol = options.protocol,
                             .process = options.process}));
    TRY(context.json() ? print(base::json::encode(answer) + "\n") : print_answer(context, answer));
    return kExitOk;
}

}  // namespace cli
