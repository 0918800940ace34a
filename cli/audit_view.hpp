// An audit report as people look at it: chapters of the security model, counts, what counts as a
// finding. Pure; used by every renderer of audit_render.hpp.
#pragma once

#include "base/result.hpp"
#include "garden/api/audit.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

// What one field of a check may fill of a report for people; JSON has all of it.
inline constexpr std::size_t kMaxShownCharacters = 2000;

// A chapter of the security model: the letters of its ids, and what it is about.
struct AuditSection {
    std::string id;  // "SC"; of a rule without letters, that of its chapter: "8.3" is of "FS"
    std::string title;
    std::size_t order = 0;  // of the security model
};

AuditSection section_of(std::string_view rule);

// Every check is in exactly one.
enum class AuditState : std::uint8_t {
    not_applicable,
    pass,
    note,
    warning,
    unseen,  // could not be looked at
    error
};

// How a person finds a state again, without colours too.
struct AuditMark {
    std::string_view word;    // "could not be looked at"
    std::string_view symbol;  // one character, UTF-8
    std::string_view name;    // a word of a-z: class of HTML and key of JSON
};

AuditState state_of(const garden::api::AuditCheck& check);
const AuditMark& mark_of(AuditState state);
// From the worst to the best, as reports list them.
std::array<AuditState, 6> audit_states();

// A fail of `level` or worse. What could not be looked at is a finding at every level: nobody
// knows that it is not one.
bool is_finding(const garden::api::AuditCheck& check, garden::api::AuditSeverity level);
// Whether a person has to read it: neither passed nor without a meaning here.
bool is_open(const garden::api::AuditCheck& check);

struct AuditTally {
    std::array<std::size_t, 6> by_state{};  // by the number of the state
    std::size_t findings = 0;               // at the level asked for

    std::size_t of(AuditState state) const { return by_state.at(static_cast<std::size_t>(state)); }

    std::size_t failed() const;
    std::size_t total() const;
    AuditState worst() const;  // of what is there; not_applicable when nothing is
};

AuditTally tally(
        const std::vector<const garden::api::AuditCheck*>& checks,
        garden::api::AuditSeverity level);
AuditTally tally(const garden::api::AuditSubject& subject, garden::api::AuditSeverity level);
AuditTally tally(const garden::api::AuditReport& report, garden::api::AuditSeverity level);

// The checks of one subject, or of many, by section in the model's order; within one, in the
// report's order. Borrowed: the report must live longer.
struct AuditGroup {
    AuditSection section;
    std::vector<const garden::api::AuditCheck*> checks;
};

std::vector<AuditGroup> grouped(const garden::api::AuditSubject& subject);
// Every section that has a check in some subject.
std::vector<AuditSection> sections(const garden::api::AuditReport& report);

// "SC-08" asks for one rule, "SC" for a section. Errc::invalid when one of them is in no subject: a
// name mistyped in a pipeline would otherwise pass for ever.
base::Result<void> keep_rules(
        garden::api::AuditReport& report, const std::vector<std::string>& rules);
// Takes out what passed and what has no meaning here.
void keep_open(garden::api::AuditReport& report);

// What a relaxation of this subject means, as the check that found it says; "" when none did. The
// daemon's text: to be escaped.
std::string_view relaxation_in_words(
        const garden::api::AuditSubject& subject, std::string_view name);

// "1 finding", "2 findings"
std::string counted(std::size_t count, std::string_view one, std::string_view many);
std::string joined_words(const std::vector<std::string>& words, std::string_view separator);

}  // namespace cli
