// The audit's checks: pure functions from evidence to verdicts, one per section of the security
// model (OBS-01). Used by garden/engine/audit.cpp and tests.
#pragma once

#include "garden/api/audit.hpp"
#include "garden/audit/facts.hpp"
#include "garden/audit/judge.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace garden::audit {

// Every check of container_items() once, and one of CL-03 per relaxation in force.
std::vector<api::AuditCheck> check_container(const Evidence& evidence);
// Names of the relaxations among the checks, sorted.
std::vector<std::string> relaxations_of(const std::vector<api::AuditCheck>& checks);

std::vector<api::AuditCheck> check_host(const HostView& host);

// What one container must have for itself.
struct Belongings {
    std::string name;
    std::uint32_t id_base = 0, id_length = 0;         // length 0: none of its own
    std::map<std::string, std::uint64_t> namespaces;  // of garden-init
    std::set<std::string> cgroups;                    // "memory:/garden/a"
    std::set<std::string> writable;                   // "0:52 /": file systems it can write
    std::set<std::string> writable_on_purpose;        // those of its bind mounts
    std::set<std::string> addresses;
    std::set<std::string> descriptors;  // "pipe:[123]", "socket:[456]"
};

Belongings belongings_of(const Expected& expected, const Outside& outside);
// Compares by sorted sets, so a thousand containers cost a thousand insertions, not half a million
// pairs.
std::vector<api::AuditCheck> check_pairs(const std::vector<Belongings>& containers);

// The parts of check_container, by section.
void check_identity(const Evidence& evidence, Judge& judge);
void check_capabilities(const Evidence& evidence, Judge& judge);
void check_filter(const Evidence& evidence, Judge& judge);
void check_filesystem(const Evidence& evidence, Judge& judge);
void check_devices(const Evidence& evidence, Judge& judge);
void check_launch(const Evidence& evidence, Judge& judge);
void check_global(const Evidence& evidence, Judge& judge);
void check_network(const Evidence& evidence, Judge& judge);
void check_limits(const Evidence& evidence, Judge& judge);
void check_relaxations(const Expected& expected, Judge& judge);
// Of check_host: sections 14 and NNP-05.
void check_api(const HostView& host, Judge& judge);

// Decides by `look`, or says that `part` of the outside could not be looked at.
template <class Look>
void when_seen(
        const Outside& outside, const char* part, std::string_view id, Judge& judge, Look look) {
    const auto problem = outside.problems.find(part);
    if (problem != outside.problems.end()) return judge.broken(id, problem->second);
    judge.decide(id, look());
}

template <class Look>
void when_inside(const Evidence& evidence, std::string_view id, Judge& judge, Look look) {
    if (!evidence.inside) return judge.broken(id, evidence.inside_problem);
    judge.decide(id, look(*evidence.inside));
}

// "pid 4711 (sh)"
std::string name_of(const ProcessView& process);

}  // namespace garden::audit
