// `cloche audit log verify|show` (OBS-04).
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "security/event_log_verify.hpp"

namespace cli {

namespace {

constexpr std::uint64_t kShown = 100;
constexpr std::uint64_t kPage = 1000;
constexpr std::chrono::seconds kFollow{1};

base::Result<void> print_verdict(const Context& context, const security::EventLogVerdict& verdict) {
    const auto& fault = verdict.fault;
    if (context.json()) {
        base::json::Writer w;
        w.begin_object().member("good", !fault).member("lines", verdict.lines);
        w.member("first_seq", verdict.first_seq).member("last_seq", verdict.last_seq);
        w.member("checkpoints", verdict.checkpoints).member("sealed_seq", verdict.sealed_seq);
        w.member("key", verdict.key).key("fault");
        if (!fault) w.null();
        if (fault)
            w.begin_object()
                    .member("file", fault->file)
                    .member("line", fault->line)
                    .member("what", fault->what)
                    .end_object();
        return print(w.end_object().take() + "\n");
    }
    if (fault) return print(base::format("{}:{}: {}\n", fault->file, fault->line, fault->what));
    return print(base::format(
            "good: {} lines, seq {} to {}, {} checkpoints by key {}; {} lines are not sealed yet\n",
            verdict.lines, verdict.first_seq, verdict.last_seq, verdict.checkpoints, verdict.key,
            verdict.last_seq - verdict.sealed_seq));
}

base::Result<void> print_lines(const Context& context, const std::vector<std::string>& lines) {
    if (context.json()) {
        for (const auto& line : lines) TRY(print(line + "\n"));
        return base::ok;
    }
    Table table(
            {{"SEQ", Table::Align::right},
             {"TIME"},
             {"ACTOR"},
             {"EVENT"},
             {"HANDLE"},
             {"DETAILS"}});
    for (const auto& text : lines) {
        const auto line = security::parse_event_line(text);
        if (!line) {
            table.add({"", "", "", "unreadable", "", text});
            continue;
        }
        table.add(
                {std::to_string(line->seq), line->time, line->actor, line->event, line->handle,
                 line->details});
    }
    return print_table(context, table);
}

}  // namespace

base::Result<int> run_command(Context& context, const AuditVerifyOptions& options) {
    const auto verdict = TRY(security::verify_event_log_at(options.file, options.key));
    TRY(print_verdict(context, verdict));
    return verdict.fault ? kExitFailed : kExitOk;
}

base::Result<int> run_command(Context& context, const AuditShowOptions& options) {
    const auto last = TRY(context.client.event_log(0, 0)).last_seq;
    auto since = options.since.value_or(last > kShown ? last - kShown : 0);
    for (;;) {
        const auto page = TRY(context.client.event_log(since, kPage));
        if (!page.lines.empty()) {
            TRY(print_lines(context, page.lines));
            since = TRY(security::parse_event_line(page.lines.back())).seq;
            continue;
        }
        if (page.lost > 0)
            say(base::format("cloche: {} events were lost. {}", page.lost, page.error));
        if (!options.follow) return kExitOk;
        base::pause_for(kFollow);  // the log has no end that could be waited for
    }
}

}  // namespace cli
