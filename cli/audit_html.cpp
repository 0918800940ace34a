// The report as one page for people: verdict, counts, what to do first, every subject against every
// section, then the evidence. It loads nothing and runs nothing, which its own policy says too, and
// all foreign text goes through markup_text (API-10).
#include "base/fail.hpp"
#include "cli/audit_html_style.hpp"
#include "cli/audit_render.hpp"
#include "cli/audit_view.hpp"
#include "cli/markup.hpp"

#include <algorithm>
#include <map>

namespace cli {

using garden::api::AuditCheck;
using garden::api::AuditKind;
using garden::api::AuditReport;
using garden::api::AuditSubject;

namespace {

constexpr std::size_t kMaxLinks = 6;  // of one thing to do; the rest is counted

std::string e(std::string_view text) {
    return markup_text(text);
}

std::string badge(AuditState state) {
    const auto& mark = mark_of(state);
    return base::format(
            "<span class=\"badge {}\"><span aria-hidden=\"true\">{}</span> {}</span>", mark.name,
            mark.symbol, mark.word);
}

std::string subject_anchor(std::size_t subject) {
    return base::format("s{}", subject + 1);
}

std::string section_anchor(std::size_t subject, const AuditSection& section) {
    // Of its place in the model: made of digits, whatever a rule is called.
    return base::format("s{}-{}", subject + 1, section.order);
}

// A name may be broken anywhere; a badge and a count may not.
std::string subject_name(const AuditSubject& subject) {
    if (subject.kind == AuditKind::container) return e(subject.name);
    if (subject.kind == AuditKind::pair && subject.name == "all") return "all pairs";
    return base::format("{} {}", garden::api::to_string(subject.kind), e(subject.name));
}

void head(std::string& out, const AuditReport& report, const AuditTally& sum) {
    out += "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    out += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
           "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n";
    out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    out += "<meta name=\"color-scheme\" content=\"light dark\">\n";
    out += "<meta name=\"referrer\" content=\"no-referrer\">\n";
    out += base::format(
            "<title>Audit of {}: {}</title>\n<style>\n{}</style>\n</head>\n<body>\n",
            e(report.host), counted(sum.findings, "finding", "findings"), audit_html_style());
}

std::string tile(AuditState state, const AuditTally& sum) {
    const auto& mark = mark_of(state);
    return base::format(
            "<li class=\"tile {0}{1}\"><b>{2}</b> <span><span aria-hidden=\"true\">{3}</span> "
            "{4}</span></li>\n",
            mark.name, sum.of(state) == 0 ? " zero" : "", sum.of(state), mark.symbol, mark.word);
}

void verdict(
        std::string& out,
        const AuditReport& report,
        const AuditRendering& rendering,
        const AuditTally& sum) {
    const bool good = sum.findings == 0;
    const auto level = garden::api::to_string(rendering.level);
    out += base::format(
            "<header class=\"{}\">\n<p class=\"kind\">Security audit</p>\n<h1><span class=\"sign\" "
            "aria-hidden=\"true\">{}</span> {}</h1>\n<p>At level <b>{}</b> or worse, by {} of "
            "{}.</p>\n",
            good ? "good" : "bad", good ? "✓" : "✕",
            good ? "No finding" : counted(sum.findings, "finding", "findings"), level,
            counted(sum.total(), "check", "checks"),
            counted(report.subjects.size(), "subject", "subjects"));
    out += "<ul class=\"tiles\">\n";
    for (const auto state : audit_states()) out += tile(state, sum);
    out += "</ul>\n<dl class=\"facts\">\n";
    const auto fact = [&](std::string_view label, std::string_view text) {
        if (!text.empty())
            out += base::format("<div><dt>{}</dt><dd>{}</dd></div>\n", label, e(text));
    };
    fact("Host", report.host);
    fact("Kernel", report.kernel);
    fact("gardend", report.daemon_version);
    fact("Time", report.time);
    fact("Only rules", joined_words(rendering.rules, ", "));
    out += "</dl>\n</header>\n";
}

// --- what to do first ---------------------------------------------------------------------------

// The same fault of many subjects is one thing to do.
struct Task {
    const AuditCheck* check = nullptr;
    AuditState state = AuditState::note;
    std::vector<std::size_t> subjects;
};

std::vector<Task> tasks(const AuditReport& report) {
    std::map<std::pair<std::string, std::string>, Task> found;
    for (std::size_t i = 0; i < report.subjects.size(); ++i) {
        for (const auto& check : report.subjects[i].checks) {
            if (!is_open(check)) continue;
            auto& task = found[{check.rule, check.check}];
            if (task.check == nullptr || state_of(check) > task.state) {
                task.check = &check;
                task.state = state_of(check);
            }
            if (task.subjects.empty() || task.subjects.back() != i) task.subjects.push_back(i);
        }
    }
    std::vector<Task> out;
    for (auto& [key, task] : found) out.push_back(std::move(task));
    std::stable_sort(out.begin(), out.end(), [](const Task& a, const Task& b) {
        return a.state != b.state ? a.state > b.state : a.subjects.size() > b.subjects.size();
    });
    return out;
}

void to_do(std::string& out, const AuditReport& report) {
    const auto all = tasks(report);
    if (all.empty()) return;
    out += "<section aria-labelledby=\"todo\">\n<h2 id=\"todo\">What to look at first</h2>\n<ol "
           "class=\"todo\">\n";
    for (const auto& task : all) {
        out += base::format(
                "<li class=\"{}\"><p>{} <b class=\"rule\">{}</b> <span class=\"must\">must "
                "hold:</span> {}</p>",
                mark_of(task.state).name, badge(task.state), e(task.check->rule),
                e(task.check->title));
        if (!task.check->relaxation.empty()) {
            out += base::format(
                    "<p><code>{}</code> {}</p>", e(task.check->relaxation),
                    e(task.check->observed));
        }
        if (!task.check->remedy.empty())
            out += base::format("<p class=\"remedy\">{}</p>", e(task.check->remedy));
        out += "<p class=\"where\">";
        const auto section = section_of(task.check->rule);
        for (std::size_t i = 0; i < std::min(task.subjects.size(), kMaxLinks); ++i)
            out += base::format(
                    "{}<a href=\"#{}\">{}</a>", i == 0 ? "" : ", ",
                    section_anchor(task.subjects[i], section),
                    subject_name(report.subjects[task.subjects[i]]));
        if (task.subjects.size() > kMaxLinks)
            out += base::format(" and {} more", task.subjects.size() - kMaxLinks);
        out += "</p></li>\n";
    }
    out += "</ol>\n</section>\n";
}

// --- the matrix ---------------------------------------------------------------------------------

std::string cell_words(const AuditTally& sum) {
    std::vector<std::string> parts;
    for (const auto state : audit_states())
        if (sum.of(state) > 0)
            parts.push_back(base::format("{} {}", sum.of(state), mark_of(state).word));
    return joined_words(parts, ", ");
}

std::string cell(std::size_t subject, const AuditGroup* group, const AuditRendering& rendering) {
    if (group == nullptr) return "<td class=\"none\"></td>";
    const auto sum = tally(group->checks, rendering.level);
    const auto worst = sum.worst();
    const auto& mark = mark_of(worst);
    const auto words = cell_words(sum);
    const auto count = worst == AuditState::pass || worst == AuditState::not_applicable
                               ? std::string()
                               : base::format(" {}", sum.of(worst));
    return base::format(
            "<td class=\"{}\"><a href=\"#{}\" title=\"{}\" aria-label=\"{}\">{}{}</a></td>",
            mark.name, section_anchor(subject, group->section), words, words, mark.symbol, count);
}

void matrix(std::string& out, const AuditReport& report, const AuditRendering& rendering) {
    const auto columns = sections(report);
    if (columns.empty()) return;
    out += "<section aria-labelledby=\"matrix\">\n<h2 id=\"matrix\">Subjects and sections</h2>\n"
           "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"matrix\">\n"
           "<table class=\"matrix\">\n<thead><tr><th scope=\"col\">Subject</th>";
    for (const auto& section : columns)
        out += base::format(
                "<th scope=\"col\"><abbr title=\"{}\">{}</abbr></th>", e(section.title),
                e(section.id));
    out += "</tr></thead>\n<tbody>\n";
    for (std::size_t i = 0; i < report.subjects.size(); ++i) {
        const auto& subject = report.subjects[i];
        out += base::format(
                "<tr><th scope=\"row\"><a href=\"#{}\">{}</a></th>", subject_anchor(i),
                subject_name(subject));
        const auto groups = grouped(subject);
        for (const auto& section : columns) {
            const auto found = std::find_if(groups.begin(), groups.end(), [&](const auto& group) {
                return group.section.id == section.id;
            });
            out += cell(i, found == groups.end() ? nullptr : &*found, rendering);
        }
        out += "</tr>\n";
    }
    out += "</tbody>\n</table>\n</div>\n<p class=\"legend\">";
    for (const auto state : audit_states()) out += badge(state) + " ";
    out += "</p>\n<details class=\"names\"><summary>What the sections are</summary><dl>";
    for (const auto& section : columns)
        out += base::format("<div><dt>{}</dt><dd>{}</dd></div>", e(section.id), e(section.title));
    out += "</dl></details>\n</section>\n";
}

// --- the evidence -------------------------------------------------------------------------------

// Titles are true when a check passes, so those of the others begin with what is asked.
void open_check(std::string& out, const AuditCheck& check) {
    const auto state = state_of(check);
    out += base::format(
            "<article class=\"check {}\">\n<h4>{} <b class=\"rule\">{}</b> <span "
            "class=\"must\">must hold:</span> {}</h4>\n<dl>\n",
            mark_of(state).name, badge(state), e(check.rule), e(check.title));
    const auto field = [&](std::string_view label, std::string_view text, bool evidence) {
        if (text.empty()) return;
        const std::string_view tag = evidence ? "code" : "span";
        out += base::format(
                "<div><dt>{0}</dt><dd><{1}>{2}</{1}></dd></div>\n", label, tag, e(text));
    };
    field("Observed", check.observed, true);
    field("Expected", check.expected, true);
    field("Source", check.source, true);
    field("Remedy", check.remedy, false);
    field("Check", check.check, true);
    field("Relaxation", check.relaxation, true);
    field("CIS Docker 1.6", check.cis, false);
    field("Cases", joined_words(check.cves, ", "), false);
    out += "</dl>\n</article>\n";
}

void closed_checks(std::string& out, const AuditGroup& group, AuditState state) {
    std::string items;
    std::size_t count = 0;
    for (const auto* check : group.checks) {
        if (state_of(*check) != state) continue;
        ++count;
        items += base::format(
                "<li><b class=\"rule\">{}</b> {} <code>{}</code></li>\n", e(check->rule),
                e(check->title), e(check->observed.empty() ? check->check : check->observed));
    }
    if (count == 0) return;
    const auto& mark = mark_of(state);
    out += base::format(
            "<details class=\"closed {}\"><summary>{} {} {}</summary>\n<ul>\n{}</ul></details>\n",
            mark.name, mark.symbol, count, mark.word, items);
}

void relaxations(std::string& out, const AuditSubject& subject) {
    if (subject.relaxations.empty()) return;
    out += "<div class=\"relaxed\"><h3>Relaxations in force</h3>\n<ul>\n";
    for (const auto& name : subject.relaxations)
        out += base::format(
                "<li><code>{}</code> {}</li>\n", e(name), e(relaxation_in_words(subject, name)));
    out += "</ul></div>\n";
}

void group_of_checks(
        std::string& out,
        std::size_t index,
        const AuditGroup& group,
        const AuditRendering& rendering) {
    const auto sum = tally(group.checks, rendering.level);
    const bool open = sum.failed() + sum.of(AuditState::unseen) > 0;
    if (rendering.only_open && !open) return;
    out += base::format(
            "<div class=\"group{}\" id=\"{}\">\n<h3><span class=\"letters\">{}</span> {}</h3>\n",
            open ? "" : " quiet", section_anchor(index, group.section), e(group.section.id),
            e(group.section.title));
    for (const auto state : audit_states())
        for (const auto* check : group.checks)
            if (is_open(*check) && state_of(*check) == state) open_check(out, *check);
    if (!rendering.only_open) {
        closed_checks(out, group, AuditState::pass);
        closed_checks(out, group, AuditState::not_applicable);
    }
    out += "</div>\n";
}

void subject_details(
        std::string& out,
        const AuditReport& report,
        std::size_t index,
        const AuditRendering& rendering) {
    const auto& subject = report.subjects[index];
    const auto sum = tally(subject, rendering.level);
    const bool open = sum.failed() + sum.of(AuditState::unseen) > 0;
    out += base::format(
            "<details class=\"subject\" id=\"{}\"{}>\n<summary><h2>{}</h2>", subject_anchor(index),
            open ? " open" : "", subject_name(subject));
    if (!subject.container_class.empty())
        out += base::format(" <span class=\"class\">{}</span>", e(subject.container_class));
    out += "<span class=\"sums\">";
    for (const auto state : audit_states())
        if (sum.of(state) > 0)
            out += base::format(
                    " <span class=\"sum {0}\" title=\"{1}\">{2} {3}<span class=\"word\"> "
                    "{1}</span></span>",
                    mark_of(state).name, mark_of(state).word, mark_of(state).symbol, sum.of(state));
    out += "</span></summary>\n<div class=\"body\">\n";
    if (!subject.settings_sha256.empty())
        out += base::format(
                "<p class=\"hash\">Effective settings <code>{}</code></p>\n",
                e(subject.settings_sha256));
    relaxations(out, subject);
    for (const auto& group : grouped(subject)) group_of_checks(out, index, group, rendering);
    out += "</div>\n</details>\n";
}

}  // namespace

std::string render_audit_html(const AuditReport& report, const AuditRendering& rendering) {
    const auto sum = tally(report, rendering.level);
    std::string out;
    head(out, report, sum);
    verdict(out, report, rendering, sum);
    out += "<main>\n";
    to_do(out, report);
    matrix(out, report, rendering);
    // Without a script: a box that the style sheet looks at.
    out += "<section aria-labelledby=\"evidence\">\n<h2 id=\"evidence\">Evidence</h2>\n"
           "<input type=\"checkbox\" id=\"only-open\"><label for=\"only-open\">Only what did not "
           "pass</label>\n<div class=\"subjects\">\n";
    for (std::size_t i = 0; i < report.subjects.size(); ++i)
        subject_details(out, report, i, rendering);
    out += "</div>\n</section>\n</main>\n";
    out += base::format(
            "<footer>cloche {}. Rules and sections are those of the security model; CIS items of "
            "the CIS Docker Benchmark 1.6.</footer>\n</body>\n</html>\n",
            e(rendering.version));
    return out;
}

}  // namespace cli
