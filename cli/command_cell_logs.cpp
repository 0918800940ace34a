// `cloche cell logs`, which `cloche logs` uses, too, for containers of a cell.
#include "base/json_writer.hpp"
#include "cli/cell_view.hpp"
#include "cli/clients.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"

namespace cli {

namespace {

using executor::api::LogRecord;

// More than a cell keeps of one container: all of it.
constexpr std::size_t kAll = 10'000;

base::Result<void> print_record(const Context& context, const LogRecord& record) {
    if (context.json()) return print(base::json::encode(record) + "\n");
    if (record.dropped == 0) return print(log_line(record));
    say(lost_lines(record.dropped));
    return base::ok;
}

}  // namespace

base::Result<int> run_command(Context& context, const CellLogsOptions& options) {
    auto cell = TRY(cell_client(context.global));
    if (!options.follow) {
        const auto records = TRY(cell.recent_logs(options.guid));
        const auto count = std::min(options.lines.value_or(kAll), records.size());
        for (std::size_t i = records.size() - count; i < records.size(); ++i)
            TRY(print_record(context, records[i]));
        return kExitOk;
    }
    const auto logs = TRY(cell.follow_logs(options.guid, options.lines.value_or(kAll)));
    for (;;) {
        const auto record = TRY(logs->next(base::http::kNoDeadline));
        if (!record) return kExitOk;
        TRY(print_record(context, *record));
    }
}

}  // namespace cli
