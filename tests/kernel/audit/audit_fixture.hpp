// What the tests of the audit share: an engine of its own, and findings as lines. Used by
// tests/kernel/audit only.
#pragma once

#include "tests/kernel/engine/engine_fixture.hpp"

#include <string>
#include <vector>

namespace test {

// "CAP-01/sets: fail: observed" of every check that is a finding; errors too.
inline std::vector<std::string> findings_of(const garden::api::AuditSubject& subject) {
    std::vector<std::string> lines;
    for (const auto& check : subject.checks) {
        if (!garden::api::is_finding(check)) continue;
        lines.push_back(
                check.rule + "/" + check.check + ": " +
                std::string(garden::api::to_string(check.result)) + ": " + check.observed);
    }
    return lines;
}

inline std::vector<std::string> findings_of(EngineFixture& fixture, const garden::Handle& handle) {
    return findings_of(fixture.engine().audit(handle).value().subject);
}

// Among the findings is the one with this id.
inline bool found(const std::vector<std::string>& findings, const std::string& id) {
    for (const auto& line : findings)
        if (line.starts_with(id + ":")) return true;
    return false;
}

}  // namespace test
