// SARIF 2.1.0 for the places that collect findings of many tools. Results are what failed and what
// could not be looked at: collectors show each result as an alert, so what passed is only counted.
#include "base/fail.hpp"
#include "base/http/message.hpp"
#include "base/json_writer.hpp"
#include "cli/audit_render.hpp"
#include "cli/audit_view.hpp"
#include "cli/characters.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace cli {

using base::json::Writer;
using garden::api::AuditCheck;
using garden::api::AuditReport;
using garden::api::AuditResult;
using garden::api::AuditSeverity;
using garden::api::AuditSubject;

namespace {

// Text of a SARIF message: brackets begin a link there (SARIF 3.11.6) and braces a placeholder
// (3.11.5). A handle "[fix](https://…)" is neither (API-10).
std::string message_text(std::string_view text) {
    std::string out;
    for (const char c : visible(text, kMaxShownCharacters)) {
        if (c == '[' || c == ']' || c == '\\') out += '\\';
        if (c == '{' || c == '}') out += c;
        out += c;
    }
    return out;
}

struct Rule {
    std::vector<std::string> titles;  // of its checks, each once
    std::vector<std::string> remedies;
    std::set<std::string> cis, cves;
    AuditSeverity worst = AuditSeverity::note;
};

using Rules = std::map<std::string, Rule>;

void add_once(std::vector<std::string>& list, const std::string& text) {
    if (!text.empty() && std::find(list.begin(), list.end(), text) == list.end())
        list.push_back(text);
}

// Every rule that was looked at, also those that nobody breaks: "which rules hold" is part of the
// answer.
Rules collect(const AuditReport& report) {
    Rules rules;
    for (const auto& subject : report.subjects) {
        for (const auto& check : subject.checks) {
            auto& rule = rules[check.rule];
            add_once(rule.titles, check.title);
            add_once(rule.remedies, check.remedy);
            if (!check.cis.empty()) rule.cis.insert(check.cis);
            rule.cves.insert(check.cves.begin(), check.cves.end());
            rule.worst = std::max(rule.worst, check.severity);
        }
    }
    return rules;
}

std::string_view level_of(AuditSeverity severity) {
    return garden::api::to_string(severity);  // SARIF has the same three words
}

// What collectors sort by; a number of CVSS's scale, as text.
std::string_view security_severity(AuditSeverity severity) {
    switch (severity) {
        case AuditSeverity::note:
            return "2.0";
        case AuditSeverity::warning:
            return "5.0";
        case AuditSeverity::error:
            break;
    }
    return "8.0";
}

void text_object(Writer& w, std::string_view name, std::string_view text) {
    w.key(name).begin_object().member("text", text).end_object();
}

template <class Words>
void words(Writer& w, std::string_view name, const Words& list) {
    w.key(name).begin_array();
    for (const auto& word : list) w.value(visible(word));
    w.end_array();
}

void rule_object(Writer& w, const std::string& id, const Rule& rule) {
    const auto section = section_of(id);
    const auto head = rule.titles.size() == 1 ? rule.titles.front() : section.title;
    w.begin_object().member("id", visible(id));
    text_object(w, "shortDescription", message_text(head));
    text_object(w, "fullDescription", message_text(joined_words(rule.titles, "; ")));
    if (!rule.remedies.empty())
        text_object(w, "help", message_text(joined_words(rule.remedies, "; ")));
    w.key("defaultConfiguration").begin_object().member("level", level_of(rule.worst)).end_object();
    w.key("properties").begin_object();
    w.member("section", section.title);
    words(w, "cis", rule.cis);
    words(w, "cves", rule.cves);
    words(w, "tags", std::set<std::string>{"security", "container", section.id});
    w.member("security-severity", security_severity(rule.worst)).end_object();
    w.end_object();
}

std::string subject_path(const AuditSubject& subject) {
    return base::format(
            "{}/{}", garden::api::to_string(subject.kind),
            base::http::percent_encode(subject.name));
}

// Names only, not a hash of them: two findings can then not be made to look like one. Without the
// host: a container that moves takes its alerts with it.
std::string fingerprint(const AuditSubject& subject, const AuditCheck& check) {
    return base::format(
            "{}/{}/{}", base::http::percent_encode(check.rule),
            base::http::percent_encode(check.check), subject_path(subject));
}

void location(Writer& w, const AuditReport& report, const AuditSubject& subject) {
    const auto kind = garden::api::to_string(subject.kind);
    w.key("locations").begin_array().begin_object();
    // A path that no file has: collectors refuse results without one.
    w.key("physicalLocation").begin_object().key("artifactLocation").begin_object();
    w.member("uri", subject_path(subject)).end_object().end_object();
    w.key("logicalLocations").begin_array().begin_object();
    w.member("name", visible(subject.name)).member("kind", kind);
    w.member(
            "fullyQualifiedName",
            base::format("{}/{}/{}", visible(report.host), kind, visible(subject.name)));
    w.end_object().end_array().end_object().end_array();
}

void sentence(std::string& out, std::string_view label, std::string_view text) {
    if (!text.empty()) out += base::format(" {}: {}.", label, message_text(text));
}

std::string result_text(const AuditSubject& subject, const AuditCheck& check) {
    const bool unseen = check.result == AuditResult::error;
    auto out = base::format(
            "{} {} {}: {}.", garden::api::to_string(subject.kind), message_text(subject.name),
            unseen ? "could not be looked at for" : "breaks", message_text(check.title));
    sentence(out, "Observed", check.observed);
    sentence(out, "Expected", check.expected);
    sentence(out, "Source", check.source);
    sentence(out, "Remedy", check.remedy);
    return out;
}

void result_object(
        Writer& w,
        const AuditReport& report,
        const AuditSubject& subject,
        const AuditCheck& check,
        std::size_t rule_index) {
    const bool unseen = check.result == AuditResult::error;
    w.begin_object().member("ruleId", visible(check.rule)).member("ruleIndex", rule_index);
    // SARIF 3.27.9: "open" is what nobody could decide, and has no level.
    w.member("kind", unseen ? "open" : "fail");
    w.member("level", unseen ? std::string_view("none") : level_of(check.severity));
    text_object(w, "message", result_text(subject, check));
    location(w, report, subject);
    const auto print = fingerprint(subject, check);
    w.key("fingerprints").begin_object().member("ruleCheckSubject/v1", print).end_object();
    w.key("partialFingerprints").begin_object();
    w.member("primaryLocationLineHash", print).end_object();
    w.key("properties").begin_object().member("check", visible(check.check));
    w.member("observed", visible(check.observed)).member("expected", visible(check.expected));
    w.member("source", visible(check.source)).member("remedy", visible(check.remedy));
    w.member("class", visible(subject.container_class));
    w.member("relaxation", visible(check.relaxation)).member("cis", visible(check.cis));
    words(w, "cves", check.cves);
    w.end_object().end_object();
}

// What could not be looked at is told a second time where a tool's own trouble belongs: results
// without a level are easily overlooked.
void invocation(Writer& w, const AuditReport& report) {
    std::size_t unseen = 0;
    Writer notes;
    notes.begin_array();
    for (const auto& subject : report.subjects) {
        for (const auto& check : subject.checks) {
            if (check.result != AuditResult::error) continue;
            ++unseen;
            notes.begin_object().member("level", "error");
            text_object(notes, "message", result_text(subject, check));
            notes.key("associatedRule").begin_object().member("id", visible(check.rule));
            notes.end_object().end_object();
        }
    }
    notes.end_array();
    w.key("invocations").begin_array().begin_object();
    w.member("executionSuccessful", unseen == 0);
    if (!report.time.empty()) w.member("endTimeUtc", visible(report.time));
    w.member("machine", visible(report.host));
    w.key("toolExecutionNotifications").raw(notes.take());
    w.end_object().end_array();
}

void totals(Writer& w, const AuditReport& report, const AuditRendering& rendering) {
    const auto sum = tally(report, rendering.level);
    w.key("properties").begin_object();
    w.member("kernel", visible(report.kernel)).member("gardend", visible(report.daemon_version));
    w.member("subjects", report.subjects.size()).member("findings", sum.findings);
    w.member("passed", sum.of(AuditState::pass)).member("failed", sum.failed());
    w.member("unseen", sum.of(AuditState::unseen));
    w.member("not_applicable", sum.of(AuditState::not_applicable)).end_object();
}

}  // namespace

std::string render_audit_sarif(const AuditReport& report, const AuditRendering& rendering) {
    const auto rules = collect(report);
    std::map<std::string, std::size_t> index;
    Writer w;
    w.begin_object().member("version", "2.1.0");
    w.member("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    w.key("runs").begin_array().begin_object();
    w.key("tool").begin_object().key("driver").begin_object().member("name", "cloche");
    if (!rendering.version.empty()) w.member("version", rendering.version);
    w.key("rules").begin_array();
    for (const auto& [id, rule] : rules) {
        index.emplace(id, index.size());
        rule_object(w, id, rule);
    }
    w.end_array().end_object().end_object();
    invocation(w, report);
    w.member("columnKind", "unicodeCodePoints");
    w.key("results").begin_array();
    for (const auto& subject : report.subjects)
        for (const auto& check : subject.checks)
            if (is_open(check)) result_object(w, report, subject, check, index.at(check.rule));
    w.end_array();
    totals(w, report, rendering);
    w.end_object().end_array().end_object();
    return json_without_steering(w.take()) + "\n";
}

}  // namespace cli
