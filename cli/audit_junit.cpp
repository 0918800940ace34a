// JUnit's XML for continuous integration: what is red there is what `cloche audit` ends with 1 for.
#include "base/fail.hpp"
#include "cli/audit_render.hpp"
#include "cli/audit_view.hpp"
#include "cli/markup.hpp"

namespace cli {

using garden::api::AuditCheck;
using garden::api::AuditReport;
using garden::api::AuditResult;
using garden::api::AuditSubject;

namespace {

std::string attribute(std::string_view name, std::string_view value) {
    return base::format(" {}=\"{}\"", name, markup_text(value));
}

std::string attribute(std::string_view name, std::size_t value) {
    return base::format(" {}=\"{}\"", name, value);
}

std::string seconds(std::uint64_t milliseconds) {
    return base::format("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
}

std::string counts(const AuditTally& sum) {
    // A fail below the level is no failure: it stands in the case's output.
    const auto errors = sum.of(AuditState::unseen);
    return attribute("tests", sum.total()) + attribute("failures", sum.findings - errors) +
           attribute("errors", errors) + attribute("skipped", sum.of(AuditState::not_applicable));
}

std::string evidence(const AuditCheck& check) {
    std::string out;
    const auto line = [&](std::string_view label, std::string_view text) {
        if (!text.empty()) out += base::format("{}: {}\n", label, markup_text(text));
    };
    line("observed", check.observed);
    line("expected", check.expected);
    line("source", check.source);
    line("remedy", check.remedy);
    line("relaxation", check.relaxation);
    line("CIS", check.cis);
    line("see", joined_words(check.cves, ", "));
    return out;
}

std::string element(std::string_view name, const AuditCheck& check, std::string_view message) {
    return base::format(
            "      <{0}{1}{2}>{3}</{0}>\n", name, attribute("message", message),
            attribute("type", garden::api::to_string(check.severity)), evidence(check));
}

std::string inside(const AuditCheck& check, const AuditRendering& rendering) {
    switch (check.result) {
        case AuditResult::pass:
            return "";
        case AuditResult::not_applicable:
            return base::format("      <skipped{}/>\n", attribute("message", check.observed));
        case AuditResult::error:
            return element("error", check, "could not be looked at: " + check.observed);
        case AuditResult::fail:
            break;
    }
    if (is_finding(check, rendering.level)) return element("failure", check, check.observed);
    return base::format(
            "      <system-out>{} below the level\n{}</system-out>\n",
            garden::api::to_string(check.severity), evidence(check));
}

void suite(
        std::string& out,
        const AuditReport& report,
        const AuditSubject& subject,
        const AuditRendering& rendering) {
    const auto name = base::format("{} {}", garden::api::to_string(subject.kind), subject.name);
    out += "  <testsuite" + attribute("name", name) + counts(tally(subject, rendering.level)) +
           attribute("time", seconds(subject.duration_ms)) + attribute("timestamp", report.time) +
           attribute("hostname", report.host) + ">\n    <properties>\n";
    const auto property = [&](std::string_view key, std::string_view value) {
        if (!value.empty())
            out += "      <property" + attribute("name", key) + attribute("value", value) + "/>\n";
    };
    property("class", subject.container_class);
    property("relaxations", joined_words(subject.relaxations, ", "));
    property("settings_sha256", subject.settings_sha256);
    property("kernel", report.kernel);
    property("gardend", report.daemon_version);
    out += "    </properties>\n";
    for (const auto& check : subject.checks) {
        const auto section = section_of(check.rule);
        const auto title = base::format("{} {}: {}", check.rule, check.check, check.title);
        out += "    <testcase" + attribute("classname", name + "." + section.id) +
               attribute("name", title) + attribute("time", "0");
        const auto content = inside(check, rendering);
        out += content.empty() ? "/>\n" : ">\n" + content + "    </testcase>\n";
    }
    out += "  </testsuite>\n";
}

}  // namespace

std::string render_audit_junit(const AuditReport& report, const AuditRendering& rendering) {
    if (rendering.only_open) {
        auto cut = report;
        keep_open(cut);
        auto all = rendering;
        all.only_open = false;
        return render_audit_junit(cut, all);
    }
    std::uint64_t duration = 0;
    for (const auto& subject : report.subjects) duration += subject.duration_ms;
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" +
                      attribute("name", "cloche audit") + counts(tally(report, rendering.level)) +
                      attribute("time", seconds(duration)) + ">\n";
    for (const auto& subject : report.subjects) suite(out, report, subject, rendering);
    return out + "</testsuites>\n";
}

}  // namespace cli
