// The result of one audit, and the canonical document of a container's effective settings (OBS-08).
// Used by garden/engine and garden/server.
#pragma once

#include "garden/audit/checks.hpp"

#include <string>

namespace garden::audit {

struct ContainerAudit {
    api::AuditSubject subject;
    Belongings belongings;  // for the proof over all containers
};

// One object, members in a fixed order, nothing in it that differs between two containers made
// alike: no ids, addresses, names or times.
std::string settings_json(const Evidence& evidence);
std::string sha256_of(std::string_view text);  // "sha256:…"

// The subject of all pairs.
api::AuditSubject audit_pairs(const std::vector<Belongings>& containers);
// Of a container that could not be looked at as a whole.
api::AuditSubject failed_subject(std::string name, std::string_view why);

}  // namespace garden::audit
