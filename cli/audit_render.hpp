// The forms of an audit report (OBS-02). Pure functions from the wire type to text; used by
// command_audit.cpp and by the tests that keep samples of each form.
#pragma once

#include "garden/api/audit.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace cli {

struct AuditRendering {
    garden::api::AuditSeverity level = garden::api::AuditSeverity::warning;
    bool only_open = false;          // --failed: neither what passed nor what does not apply
    std::vector<std::string> rules;  // what the report was cut to, for its head
    std::string version;             // of cloche
    bool color = false;              // text: ANSI colours
    std::size_t columns = 0;         // text: of the terminal; 0 = lines are as long as they are
};

std::string render_audit_text(
        const garden::api::AuditReport& report, const AuditRendering& rendering);
// The report as the daemon sent it, with `schema_version` in front; one line.
std::string render_audit_json(
        const garden::api::AuditReport& report, const AuditRendering& rendering);
// SARIF 2.1.0: one run; a result per fail and per check that could not be looked at.
std::string render_audit_sarif(
        const garden::api::AuditReport& report, const AuditRendering& rendering);
// JUnit's XML: a suite per subject, a case per check; failures are the findings at the level.
std::string render_audit_junit(
        const garden::api::AuditReport& report, const AuditRendering& rendering);
// One page that loads nothing and runs nothing.
std::string render_audit_html(
        const garden::api::AuditReport& report, const AuditRendering& rendering);

}  // namespace cli
