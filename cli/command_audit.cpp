// `cloche audit container|all|host`: asks for a report and writes it in the form that was asked
// for.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/version.hpp"
#include "cli/audit_render.hpp"
#include "cli/audit_view.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/output_file.hpp"
#include "cli/terminal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace cli {

namespace {

using garden::api::AuditKind;
using garden::api::AuditReport;
using garden::api::AuditSeverity;

// A report names what is weak: for its owner only.
constexpr ::mode_t kReportMode = 0600;

base::Result<AuditReport> fetch(Context& context, const AuditOptions& options) {
    switch (options.target) {
        case AuditOptions::Target::host:
            return context.client.audit_host();
        case AuditOptions::Target::containers:
            if (options.handles.size() > garden::api::kMaxAuditHandles)
                return base::fail(
                        base::Errc::invalid, "HANDLE: {} containers; at most {} at a time",
                        options.handles.size(), garden::api::kMaxAuditHandles);
            return context.client.audit(options.handles);
        case AuditOptions::Target::all:
            break;
    }
    auto report = TRY(context.client.audit());
    auto host = TRY(context.client.audit_host());
    for (auto& subject : host.subjects) report.subjects.push_back(std::move(subject));
    return report;
}

// Code 1 is for findings alone: whoever waits for it in a pipeline must not take a refusal or a
// fault of the daemon for one. No report is "unavailable", whatever the reason.
base::Result<AuditReport> fetch_or_unavailable(Context& context, const AuditOptions& options) {
    auto report = fetch(context, options);
    if (report) return report;
    auto error = std::move(report).error();
    if (error.kind != base::Errc::not_found && error.kind != base::Errc::invalid)
        error.kind = base::Errc::unavailable;
    return error;
}

AuditSeverity severity_of(std::string_view word) {
    for (const auto severity : {AuditSeverity::note, AuditSeverity::warning})
        if (garden::api::to_string(severity) == word) return severity;
    return AuditSeverity::error;
}

std::string render(
        const AuditReport& report, const std::string& format, const AuditRendering& rendering) {
    if (format == "json") return render_audit_json(report, rendering);
    if (format == "sarif") return render_audit_sarif(report, rendering);
    if (format == "junit") return render_audit_junit(report, rendering);
    if (format == "html") return render_audit_html(report, rendering);
    return render_audit_text(report, rendering);
}

std::size_t width_of_output() {
    const auto size = terminal_size(base::FdRef(STDOUT_FILENO));
    return size ? size->columns : std::size_t{0};
}

}  // namespace

base::Result<int> run_command(Context& context, const AuditOptions& options) {
    auto report = TRY(fetch_or_unavailable(context, options));
    TRY(keep_rules(report, options.rules));
    const bool to_file = !options.output.empty();
    const AuditRendering rendering{
            .level = severity_of(options.level),
            .only_open = options.failed,
            .rules = options.rules,
            .version = std::string(base::version()),
            .color = context.color && !to_file,
            .columns = to_file ? 0 : width_of_output()};
    const auto text = render(report, context.json() ? "json" : options.format, rendering);
    const auto findings = tally(report, rendering.level).findings;
    if (to_file) {
        if (const auto written = write_output_file(options.output, text, kReportMode); !written)
            return base::fail(
                    base::Errc::invalid, "--output {}: {}", options.output, written.error().text);
        say(base::format(
                "cloche: {} in {}", counted(findings, "finding", "findings"), options.output));
    } else {
        TRY(print(text));
    }
    return findings == 0 ? kExitOk : kExitFailed;
}

}  // namespace cli
