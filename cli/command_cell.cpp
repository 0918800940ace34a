// `cloche cell state|containers|evacuate`.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "cli/cell_view.hpp"
#include "cli/clients.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"

namespace cli {

namespace {

constexpr std::chrono::milliseconds kLook{500};

base::Result<void> print_state(const Context& context, const rep::api::CellState& state) {
    TRY(print_table(context, cell_summary(state)));
    if (!state.lrps.empty()) {
        TRY(print("\n"));
        TRY(print_table(context, lrp_table(state.lrps)));
    }
    if (!state.tasks.empty()) {
        TRY(print("\n"));
        TRY(print_table(context, task_table(state.tasks)));
    }
    return base::ok;
}

// The cell ends its API when it is empty, and some time later itself.
base::Result<void> wait_until_empty(rep::api::Client& rep) {
    std::string told;
    for (;;) {
        const auto alive = rep.ping();
        if (!alive && alive.error().kind == base::Errc::unavailable) {
            say("the cell has ended");
            return base::ok;
        }
        // An address that is for administration only has no state; then ping alone decides.
        if (const auto found = rep.state_and_health()) {
            const auto& state = found->state;
            if (state.evacuating && state.lrps.empty() && state.tasks.empty()) {
                say("the cell is empty");
                return base::ok;
            }
            const auto left = work_left(state);
            if (left != told) say("left: " + left);
            told = left;
        }
        base::pause_for(kLook);  // its API has no event for this
    }
}

}  // namespace

base::Result<int> run_command(Context& context, const CellStateOptions&) {
    auto rep = TRY(rep_client(context.global));
    const auto found = TRY(rep.state_and_health());
    TRY(context.json() ? print(base::json::encode(found.state) + "\n")
                       : print_state(context, found.state));
    if (!found.healthy) say("cloche: the cell says that it is not healthy: it gets no work");
    return kExitOk;
}

base::Result<int> run_command(Context& context, const CellContainersOptions&) {
    auto cell = TRY(cell_client(context.global));
    const auto containers = TRY(cell.list({}));
    const auto now = std::chrono::system_clock::now();
    TRY(context.json() ? print(base::json::encode(containers) + "\n")
                       : print_table(context, cell_container_table(containers, now)));
    return kExitOk;
}

base::Result<int> run_command(Context& context, const CellEvacuateOptions& options) {
    auto rep = TRY(rep_client(context.global));
    TRY(rep.evacuate());
    say("the cell is evacuating");
    if (options.wait) TRY(wait_until_empty(rep));
    return kExitOk;
}

}  // namespace cli
