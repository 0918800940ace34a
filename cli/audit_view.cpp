#include "cli/audit_view.hpp"

#include "base/fail.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace cli {

using garden::api::AuditCheck;
using garden::api::AuditReport;
using garden::api::AuditResult;
using garden::api::AuditSeverity;
using garden::api::AuditSubject;

namespace {

struct Chapter {
    std::string_view number;  // of the security model, for rules without letters
    std::string_view id;
    std::string_view title;
};

// The first of several ids of one chapter takes its rules without letters.
constexpr auto kChapters = std::to_array<Chapter>(
        {{"3", "CL", "Container class and relaxations"},
         {"4", "ID", "Users, groups and id ranges"},
         {"5", "CAP", "Capabilities"},
         {"6", "SC", "System-call filter"},
         {"7", "NNP", "SUID and no_new_privs"},
         {"8", "FS", "Filesystem view"},
         {"8", "DEV", "Devices"},
         {"8", "MD", "Mounts and copies"},
         {"9", "PL", "Process launch"},
         {"10", "HOST", "Host-wide switches"},
         {"12", "IMG", "Images"},
         {"13", "NET", "Network"},
         {"14", "API", "Management API"},
         {"15", "DOS", "Limits against exhaustion"},
         {"16", "OBS", "Evidence"},
         {"17", "PF", "Preflight"}});

constexpr std::array<AuditMark, 6> kMarks{
        {{"not applicable", "–", "na"},
         {"passed", "✓", "pass"},
         {"note", "●", "note"},
         {"warning", "▲", "warning"},
         {"could not be looked at", "?", "unseen"},
         {"error", "✕", "error"}}};

}  // namespace

AuditSection section_of(std::string_view rule) {
    const auto letters = rule.substr(0, rule.find('-'));
    const auto number = rule.substr(0, rule.find('.'));
    for (std::size_t i = 0; i < kChapters.size(); ++i) {
        const auto& chapter = kChapters.at(i);
        if (letters == chapter.id || number == chapter.number)
            return {.id = std::string(chapter.id), .title = std::string(chapter.title), .order = i};
    }
    // One section for all of them: its id is also an anchor of a page, which no rule may choose.
    return {.id = "OTHER", .title = "Other rules", .order = kChapters.size()};
}

AuditState state_of(const AuditCheck& check) {
    switch (check.result) {
        case AuditResult::pass:
            return AuditState::pass;
        case AuditResult::not_applicable:
            return AuditState::not_applicable;
        case AuditResult::error:
            return AuditState::unseen;
        case AuditResult::fail:
            break;
    }
    switch (check.severity) {
        case AuditSeverity::note:
            return AuditState::note;
        case AuditSeverity::warning:
            return AuditState::warning;
        case AuditSeverity::error:
            break;
    }
    return AuditState::error;
}

const AuditMark& mark_of(AuditState state) {
    return kMarks.at(static_cast<std::size_t>(state));
}

std::array<AuditState, 6> audit_states() {
    return {AuditState::error, AuditState::unseen, AuditState::warning,
            AuditState::note,  AuditState::pass,   AuditState::not_applicable};
}

bool is_finding(const AuditCheck& check, AuditSeverity level) {
    if (check.result == AuditResult::error) return true;
    return check.result == AuditResult::fail && check.severity >= level;
}

bool is_open(const AuditCheck& check) {
    return is_finding(check, AuditSeverity::note);
}

std::size_t AuditTally::failed() const {
    return of(AuditState::error) + of(AuditState::warning) + of(AuditState::note);
}

std::size_t AuditTally::total() const {
    std::size_t sum = 0;
    for (const auto count : by_state) sum += count;
    return sum;
}

AuditState AuditTally::worst() const {
    for (const auto state : audit_states())
        if (of(state) > 0) return state;
    return AuditState::not_applicable;
}

namespace {

void count(AuditTally& tally, const AuditCheck& check, AuditSeverity level) {
    ++tally.by_state.at(static_cast<std::size_t>(state_of(check)));
    if (is_finding(check, level)) ++tally.findings;
}

}  // namespace

AuditTally tally(const std::vector<const AuditCheck*>& checks, AuditSeverity level) {
    AuditTally out;
    for (const auto* check : checks) count(out, *check, level);
    return out;
}

AuditTally tally(const AuditSubject& subject, AuditSeverity level) {
    AuditTally out;
    for (const auto& check : subject.checks) count(out, check, level);
    return out;
}

AuditTally tally(const AuditReport& report, AuditSeverity level) {
    AuditTally out;
    for (const auto& subject : report.subjects)
        for (const auto& check : subject.checks) count(out, check, level);
    return out;
}

std::vector<AuditGroup> grouped(const AuditSubject& subject) {
    std::map<std::pair<std::size_t, std::string>, AuditGroup> groups;
    for (const auto& check : subject.checks) {
        auto section = section_of(check.rule);
        auto& group = groups[{section.order, section.id}];
        group.section = std::move(section);
        group.checks.push_back(&check);
    }
    std::vector<AuditGroup> out;
    out.reserve(groups.size());
    for (auto& [key, group] : groups) out.push_back(std::move(group));
    return out;
}

std::vector<AuditSection> sections(const AuditReport& report) {
    std::map<std::pair<std::size_t, std::string>, AuditSection> found;
    for (const auto& subject : report.subjects) {
        for (const auto& check : subject.checks) {
            auto section = section_of(check.rule);
            found[{section.order, section.id}] = std::move(section);
        }
    }
    std::vector<AuditSection> out;
    out.reserve(found.size());
    for (auto& [key, section] : found) out.push_back(std::move(section));
    return out;
}

namespace {

template <class Keep>
void keep_checks(AuditReport& report, const Keep& keep) {
    for (auto& subject : report.subjects)
        std::erase_if(subject.checks, [&](const AuditCheck& check) { return !keep(check); });
}

}  // namespace

base::Result<void> keep_rules(AuditReport& report, const std::vector<std::string>& rules) {
    if (rules.empty()) return base::ok;
    std::set<std::string> known;
    for (const auto& subject : report.subjects) {
        for (const auto& check : subject.checks) {
            known.insert(check.rule);
            known.insert(section_of(check.rule).id);
        }
    }
    for (const auto& rule : rules)
        if (!known.contains(rule))
            return base::fail(
                    base::Errc::invalid,
                    "--rule: no check of '{}' was made. hint: ids look like SC-08, sections like "
                    "SC; cloche audit without --rule shows those there are",
                    rule);
    const std::set<std::string> wanted(rules.begin(), rules.end());
    keep_checks(report, [&](const AuditCheck& check) {
        return wanted.contains(check.rule) || wanted.contains(section_of(check.rule).id);
    });
    return base::ok;
}

void keep_open(AuditReport& report) {
    keep_checks(report, [](const AuditCheck& check) { return is_open(check); });
}

std::string_view relaxation_in_words(const AuditSubject& subject, std::string_view name) {
    for (const auto& check : subject.checks)
        if (check.relaxation == name) return check.observed;
    return "";
}

std::string counted(std::size_t count, std::string_view one, std::string_view many) {
    return base::format("{} {}", count, count == 1 ? one : many);
}

std::string joined_words(const std::vector<std::string>& words, std::string_view separator) {
    std::string out;
    for (const auto& word : words) out.append(out.empty() ? "" : separator).append(word);
    return out;
}

}  // namespace cli
