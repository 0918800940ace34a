// What an audit found, as `GET /cloche/v1/audit` and `/cloche/v1/audit/host` answer it (OBS-01):
// per subject and check, what was expected and what was seen. Made by garden/audit, used by
// garden/server, the client and whoever renders a report. Names snake_case, all members always
// present.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace garden::api {

inline constexpr std::uint32_t kAuditVersion = 1;      // of the report's form
inline constexpr std::size_t kMaxAuditHandles = 1024;  // of one request

// On the wire: the enumerator's own word.
enum class AuditResult : std::uint8_t {
    pass,
    fail,
    not_applicable,  // the class, the configuration or this kernel has no such thing
    error            // could not be looked at; `observed` says why
};

// How bad a `fail` is; of a `pass`, how bad it would be.
enum class AuditSeverity : std::uint8_t { note, warning, error };

enum class AuditKind : std::uint8_t {
    container,  // `name` is the handle
    host,       // `name` is the host's name
    pair  // two containers that share what nobody may share, `name` is "a b"; or one subject "all"
          // that says every pair was compared
};

// One finding or non-finding. `rule` is an id of the security model ("SC-08", "8.3" for a section
// without ids) and the same for many checks; `rule` and `check` together are unique in a subject.
struct AuditCheck {
    std::string rule;
    std::string
            check;  // stable key within the rule: "bounding", "masked /proc/keys", "pid 2 /proc"
    std::string title;  // one sentence that is true when the check passes
    AuditResult result = AuditResult::error;
    AuditSeverity severity = AuditSeverity::error;
    std::string observed;
    std::string expected;
    std::string
            source;  // file, call or errno: "/proc/4711/status CapBnd", "inside: unshare -> EPERM"
    std::string remedy;      // what a person does about a fail; "" when there is nothing to do
    std::string relaxation;  // CL-03: the property in force that makes this a finding, else ""
    std::string cis;         // item of the CIS Docker Benchmark 1.6, else ""
    std::vector<std::string> cves;  // the cases of security-model section 11 that this answers
};

struct AuditSubject {
    AuditKind kind = AuditKind::container;
    std::string name;
    std::string
            container_class;  // member "class": unprivileged, privileged, privileged-in-userns; ""
    std::vector<std::string>
            relaxations;  // names, sorted; each is also a check of rule CL-03 or its own
    std::string
            settings_sha256;  // OBS-08: "sha256:…" of the canonical effective settings; "" if none
    std::uint64_t duration_ms = 0;  // how long looking took
    std::vector<AuditCheck> checks;
};

struct AuditReport {
    std::uint32_t version = kAuditVersion;
    std::string time;            // RFC 3339, UTC
    std::string host;            // host name
    std::string kernel;          // release and machine, "6.18.0 x86_64"
    std::string daemon_version;  // of gardend
    std::vector<AuditSubject> subjects;
};

std::string_view to_string(AuditResult value);
std::string_view to_string(AuditSeverity value);
std::string_view to_string(AuditKind value);

// A fail of warning or worse, or an error: what makes `cloche audit` end with 1.
bool is_finding(const AuditCheck& check);

void to_json(base::json::Writer& w, AuditResult v);
void to_json(base::json::Writer& w, AuditSeverity v);
void to_json(base::json::Writer& w, AuditKind v);
void to_json(base::json::Writer& w, const AuditCheck& v);
void to_json(base::json::Writer& w, const AuditSubject& v);
void to_json(base::json::Writer& w, const AuditReport& v);

base::Result<void> from_json(const base::json::Node& node, AuditResult& v);
base::Result<void> from_json(const base::json::Node& node, AuditSeverity& v);
base::Result<void> from_json(const base::json::Node& node, AuditKind& v);
base::Result<void> from_json(const base::json::Node& node, AuditCheck& v);
base::Result<void> from_json(const base::json::Node& node, AuditSubject& v);
base::Result<void> from_json(const base::json::Node& node, AuditReport& v);

}  // namespace garden::api
