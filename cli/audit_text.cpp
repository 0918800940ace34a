// The report for a terminal: the verdict first, then per subject what a person has to do something
// about, and what passed in one line per section.
#include "base/fail.hpp"
#include "cli/audit_render.hpp"
#include "cli/audit_view.hpp"
#include "cli/characters.hpp"
#include "cli/human.hpp"

#include <algorithm>
#include <map>

namespace cli {

using garden::api::AuditCheck;
using garden::api::AuditReport;
using garden::api::AuditSubject;

namespace {

constexpr std::size_t kNarrowest = 40;  // a terminal narrower than that is not wrapped for
constexpr std::size_t kLabel = 10;      // "observed", and two blanks

class Page {
  public:
    explicit Page(const AuditRendering& rendering) : rendering_(rendering) {}

    // `paint`: of an ANSI colour, "" for none. The text is safe already.
    std::string painted(std::string_view text, std::string_view paint) const {
        if (!rendering_.color || paint.empty()) return std::string(text);
        return base::format("\x1b[{}m{}\x1b[0m", paint, text);
    }

    void blank() { out_ += '\n'; }

    // First line behind `head`, further ones under its text. `head_width` are the cells of `head`,
    // which may hold colours.
    void paragraph(std::string_view head, std::size_t head_width, std::string_view text) {
        out_ += head;
        std::size_t at = head_width;
        bool first = true;
        for (auto word : words(text, head_width)) {
            const auto width = display_width(word);
            if (!first && limit() > 0 && at + 1 + width > limit()) {
                out_ += '\n' + std::string(head_width, ' ');
                at = head_width;
                first = true;
            }
            if (!first) {
                out_ += ' ';
                ++at;
            }
            out_ += word;
            at += width;
            first = false;
        }
        while (out_.ends_with(' ')) out_.pop_back();
        out_ += '\n';
    }

    void line(std::string_view text) {
        out_ += text;
        out_ += '\n';
    }

    std::string take() { return std::move(out_); }

  private:
    std::size_t limit() const {
        return rendering_.columns >= kNarrowest ? rendering_.columns : std::size_t{0};
    }

    // A word longer than a line is cut: a path, a mask of capabilities.
    std::vector<std::string> words(std::string_view text, std::size_t indent) const {
        std::vector<std::string> out;
        const auto room = limit() > indent ? limit() - indent : std::size_t{0};
        std::string word;
        std::size_t width = 0;
        const auto end_word = [&] {
            if (!word.empty()) out.push_back(std::move(word));
            word.clear();
            width = 0;
        };
        while (!text.empty()) {
            const auto character = first_character(text);
            text.remove_prefix(character.bytes.size());
            if (character.bytes == " ") {
                end_word();
                continue;
            }
            if (room > 0 && width == room) end_word();
            word += character.bytes;
            ++width;
        }
        end_word();
        return out;
    }

    const AuditRendering& rendering_;
    std::string out_;
};

std::string_view paint_of(AuditState state) {
    switch (state) {
        case AuditState::error:
            return "1;31";
        case AuditState::unseen:
            return "1;35";
        case AuditState::warning:
            return "1;33";
        case AuditState::note:
            return "36";
        case AuditState::pass:
            return "32";
        case AuditState::not_applicable:
            return "2";
    }
    return "";
}

// ASCII: a terminal may be of any character set.
std::string_view label_of(AuditState state) {
    switch (state) {
        case AuditState::error:
            return "ERROR";
        case AuditState::unseen:
            return "UNSEEN";
        case AuditState::warning:
            return "WARNING";
        case AuditState::note:
            return "NOTE";
        case AuditState::pass:
            return "pass";
        case AuditState::not_applicable:
            return "n/a";
    }
    return "";
}

std::string safe(std::string_view text) {
    return visible(text, kMaxShownCharacters);
}

void field(Page& page, std::string_view label, std::string_view text) {
    if (text.empty()) return;
    const auto head = base::format("      {:<{}}", label, kLabel);
    page.paragraph(page.painted(head, "2"), head.size(), text);
}

// Titles are true when a check passes, so those of the others begin with what is asked.
void open_check(Page& page, const AuditCheck& check) {
    const auto state = state_of(check);
    const auto label = base::format("{:<7}", label_of(state));
    const auto rule = safe(check.rule);
    page.paragraph(
            "    " + page.painted(label, paint_of(state)) + " " + page.painted(rule, "1") + "  ",
            4 + label.size() + 1 + display_width(rule) + 2, "must hold: " + safe(check.title));
    field(page, "check", safe(check.check));
    field(page, "observed", safe(check.observed));
    field(page, "expected", safe(check.expected));
    field(page, "source", safe(check.source));
    field(page, "remedy", safe(check.remedy));
    field(page, "relaxed", safe(check.relaxation));
    field(page, "CIS", safe(check.cis));
    field(page, "see", safe(joined_words(check.cves, ", ")));
}

// "SC-01 SC-08 (3)": the rules of some checks in the report's order, each once.
std::string rule_list(const std::vector<const AuditCheck*>& checks, AuditState state) {
    std::vector<std::pair<std::string, std::size_t>> rules;
    for (const auto* check : checks) {
        if (state_of(*check) != state) continue;
        const auto known = std::find_if(rules.begin(), rules.end(), [&](const auto& rule) {
            return rule.first == check->rule;
        });
        if (known != rules.end()) {
            ++known->second;
        } else {
            rules.emplace_back(check->rule, 1);
        }
    }
    std::string out;
    for (const auto& [rule, count] : rules) {
        if (!out.empty()) out += ", ";
        out += count == 1 ? safe(rule) : base::format("{} ({})", safe(rule), count);
    }
    return out;
}

void closed_checks(Page& page, const AuditGroup& group, AuditState state) {
    const auto list = rule_list(group.checks, state);
    if (list.empty()) return;
    const auto label = base::format("{:<7}", label_of(state));
    page.paragraph("    " + page.painted(label, paint_of(state)) + " ", 5 + label.size(), list);
}

// "2 error, 1 warning": of what is there.
std::string counts(const Page& page, const AuditTally& tally) {
    std::vector<std::string> parts;
    for (const auto state : audit_states()) {
        if (tally.of(state) == 0) continue;
        parts.push_back(page.painted(
                base::format("{} {}", tally.of(state), mark_of(state).word), paint_of(state)));
    }
    return parts.empty() ? "nothing was checked" : joined_words(parts, ", ");
}

void subject_text(Page& page, const AuditSubject& subject, const AuditRendering& rendering) {
    const auto sum = tally(subject, rendering.level);
    page.blank();
    const std::string kind(garden::api::to_string(subject.kind));
    std::string head = page.painted(kind + " " + safe(subject.name), "1");
    if (!subject.container_class.empty()) head += "  (" + safe(subject.container_class) + ")";
    page.line(head + "  " + counts(page, sum));
    if (!subject.settings_sha256.empty())
        page.paragraph("  settings ", 11, safe(subject.settings_sha256));
    for (const auto& relaxation : subject.relaxations)
        page.paragraph(
                "  relaxed  ", 11,
                safe(relaxation) + ": " + safe(relaxation_in_words(subject, relaxation)));
    for (const auto& group : grouped(subject)) {
        const auto of_group = tally(group.checks, rendering.level);
        const bool any_open = of_group.failed() + of_group.of(AuditState::unseen) > 0;
        if (rendering.only_open && !any_open) continue;
        page.line("  " + page.painted(safe(group.section.id), "1") + "  " + group.section.title);
        for (const auto state : audit_states())
            for (const auto* check : group.checks)
                if (is_open(*check) && state_of(*check) == state) open_check(page, *check);
        if (rendering.only_open) continue;
        closed_checks(page, group, AuditState::pass);
        closed_checks(page, group, AuditState::not_applicable);
    }
}

}  // namespace

std::string render_audit_text(const AuditReport& report, const AuditRendering& rendering) {
    Page page(rendering);
    const auto sum = tally(report, rendering.level);
    const auto verdict =
            sum.findings == 0 ? page.painted("no finding", "1;32")
                              : page.painted(counted(sum.findings, "finding", "findings"), "1;31");
    page.line(base::format(
            "{} at level {} or worse in {}", verdict, garden::api::to_string(rendering.level),
            counted(report.subjects.size(), "subject", "subjects")));
    page.line(base::format(
            "{} passed, {} failed ({} error, {} warning, {} note), {} could not be looked at, {} "
            "not applicable",
            sum.of(AuditState::pass), sum.failed(), sum.of(AuditState::error),
            sum.of(AuditState::warning), sum.of(AuditState::note), sum.of(AuditState::unseen),
            sum.of(AuditState::not_applicable)));
    if (!rendering.rules.empty())
        page.line("only rules " + safe(joined_words(rendering.rules, ", ")));
    page.line(page.painted(
            base::format(
                    "host {}, kernel {}, gardend {}, {}", safe(report.host), safe(report.kernel),
                    safe(report.daemon_version), safe(report.time)),
            "2"));
    for (const auto& subject : report.subjects) subject_text(page, subject, rendering);
    return page.take();
}

}  // namespace cli
