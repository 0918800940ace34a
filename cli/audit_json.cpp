// The report for scripts: what the daemon sent, marked with the version of its form.
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "cli/audit_render.hpp"
#include "cli/audit_view.hpp"
#include "cli/characters.hpp"

namespace cli {

std::string render_audit_json(
        const garden::api::AuditReport& report, const AuditRendering& rendering) {
    std::string body;
    if (rendering.only_open) {
        auto cut = report;
        keep_open(cut);
        body = base::json::encode(cut);
    } else {
        body = base::json::encode(report);
    }
    // In front of the members that the wire type writes itself: one more there is here too.
    auto text = base::format("{{\"schema_version\":{},", garden::api::kAuditVersion);
    text.append(body, 1);
    return json_without_steering(text) + "\n";
}

}  // namespace cli
