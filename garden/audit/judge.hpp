// From a comparison to a check of the report: the catalogue knows title, severity and remedy, the
// judge adds what was seen. Used by checks_*.cpp.
#pragma once

#include "garden/api/audit.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace garden::audit {

// One thing that the audit can say. `id` is "<rule>/<check>".
struct Item {
    std::string_view id;
    api::AuditSeverity severity = api::AuditSeverity::error;
    std::string_view title;
    std::string_view remedy;
    std::string_view cis;
    std::string_view cves;  // separated by spaces
};

std::span<const Item> catalogue();
const Item& item_of(std::string_view id);  // panics: an id that nobody has entered is a bug of ours

struct Verdict {
    bool ok = false;
    std::string observed;
    std::string expected;
    std::string source;
};

class Judge {
  public:
    explicit Judge(std::vector<api::AuditCheck>& out) : out_(out) {}

    void decide(std::string_view id, Verdict verdict);
    void skip(std::string_view id, std::string_view why);    // not applicable
    void broken(std::string_view id, std::string_view why);  // could not be looked at
    // CL-03: a property in force, found by its name.
    void relax(std::string_view name, api::AuditSeverity severity, std::string_view what);

  private:
    api::AuditCheck& add(std::string_view id);

    std::vector<api::AuditCheck>& out_;
};

// The first few of what was found, so that a report stays readable whatever a container does.
class Offenders {
  public:
    void add(std::string what);

    bool none() const { return count_ == 0; }

    // "a; b; and 3 more", or `nothing` when there are none.
    std::string text(std::string_view nothing) const;
    Verdict verdict(
            std::string_view nothing, std::string_view expected, std::string_view source) const;

  private:
    static constexpr std::size_t kShown = 8;
    std::size_t count_ = 0;
    std::string shown_;
};

std::string hex(std::uint64_t mask);
// Control characters of a container do not reach a report (API-10).
std::string printable(std::string_view text);

}  // namespace garden::audit
