#include "garden/api/audit.hpp"

#include "base/http/message.hpp"
#include "base/json_describe.hpp"
#include "garden/api/client.hpp"
#include "garden/api/client_detail.hpp"

#include <array>
#include <span>
#include <utility>

namespace garden::api {

namespace {

// Looking into a container has a deadline of its own; a thousand of them take a while.
constexpr std::chrono::minutes kAuditCall{10};

template <class T>
using Word = std::pair<T, std::string_view>;

constexpr auto kResults = std::to_array<Word<AuditResult>>(
        {{AuditResult::pass, "pass"},
         {AuditResult::fail, "fail"},
         {AuditResult::not_applicable, "not_applicable"},
         {AuditResult::error, "error"}});
constexpr auto kSeverities = std::to_array<Word<AuditSeverity>>(
        {{AuditSeverity::note, "note"},
         {AuditSeverity::warning, "warning"},
         {AuditSeverity::error, "error"}});
constexpr auto kKinds = std::to_array<Word<AuditKind>>(
        {{AuditKind::container, "container"},
         {AuditKind::host, "host"},
         {AuditKind::pair, "pair"}});

template <class T, std::size_t N>
std::string_view word_of(const std::array<Word<T>, N>& words, T value) {
    for (const auto& [enumerator, word] : words)
        if (enumerator == value) return word;
    return "";
}

template <class T, std::size_t N>
base::Result<void> read_word(
        const base::json::Node& node, const std::array<Word<T>, N>& words, T& out) {
    const auto text = TRY(node.string());
    for (const auto& [enumerator, word] : words) {
        if (word != text) continue;
        out = enumerator;
        return base::ok;
    }
    std::string known;
    for (const auto& [enumerator, word] : words) {
        if (!known.empty()) known += ", ";
        known += word;
    }
    return node.wrong("one of " + known);
}

template <class V>
void describe(V& v, AuditCheck& o) {
    v.always("rule", o.rule);
    v.always("check", o.check);
    v.always("title", o.title);
    v.always("result", o.result);
    v.always("severity", o.severity);
    v.always("observed", o.observed);
    v.always("expected", o.expected);
    v.always("source", o.source);
    v.always("remedy", o.remedy);
    v.always("relaxation", o.relaxation);
    v.always("cis", o.cis);
    v.always("cves", o.cves);
}

template <class V>
void describe(V& v, AuditSubject& o) {
    v.always("kind", o.kind);
    v.always("name", o.name);
    v.always("class", o.container_class);
    v.always("relaxations", o.relaxations);
    v.always("settings_sha256", o.settings_sha256);
    v.always("duration_ms", o.duration_ms);
    v.always("checks", o.checks);
}

template <class V>
void describe(V& v, AuditReport& o) {
    v.always("version", o.version);
    v.always("time", o.time);
    v.always("host", o.host);
    v.always("kernel", o.kernel);
    v.always("daemon_version", o.daemon_version);
    v.always("subjects", o.subjects);
}

}  // namespace

BASE_JSON_DESCRIBED(AuditCheck)
BASE_JSON_DESCRIBED(AuditSubject)
BASE_JSON_DESCRIBED(AuditReport)

std::string_view to_string(AuditResult value) {
    return word_of(kResults, value);
}

std::string_view to_string(AuditSeverity value) {
    return word_of(kSeverities, value);
}

std::string_view to_string(AuditKind value) {
    return word_of(kKinds, value);
}

bool is_finding(const AuditCheck& check) {
    if (check.result == AuditResult::error) return true;
    return check.result == AuditResult::fail && check.severity != AuditSeverity::note;
}

void to_json(base::json::Writer& w, AuditResult v) {
    w.value(to_string(v));
}

void to_json(base::json::Writer& w, AuditSeverity v) {
    w.value(to_string(v));
}

void to_json(base::json::Writer& w, AuditKind v) {
    w.value(to_string(v));
}

base::Result<void> from_json(const base::json::Node& node, AuditResult& v) {
    return read_word(node, kResults, v);
}

base::Result<void> from_json(const base::json::Node& node, AuditSeverity& v) {
    return read_word(node, kSeverities, v);
}

base::Result<void> from_json(const base::json::Node& node, AuditKind& v) {
    return read_word(node, kKinds, v);
}

base::Result<AuditReport> Client::audit(const std::vector<std::string>& handles) {
    std::string target = "/cloche/v1/audit";
    char separator = '?';
    for (const auto& handle : handles) {
        target += separator + ("handle=" + base::http::percent_encode(handle));
        separator = '&';
    }
    const auto body = TRY(call("GET", std::move(target), {}, kAuditCall));
    return base::json::decode<AuditReport>(body, base::json::Rest::ignore, kAnswerLimits);
}

base::Result<AuditReport> Client::audit_host() {
    const auto body = TRY(call("GET", "/cloche/v1/audit/host"));
    return base::json::decode<AuditReport>(body, base::json::Rest::ignore, kAnswerLimits);
}

}  // namespace garden::api
