// The wire form of audit reports: what CLI and server agree on.
#include "garden/api/audit.hpp"

#include <catch2/catch.hpp>

namespace api = garden::api;

namespace {

api::AuditReport example() {
    return {.version = api::kAuditVersion,
            .time = "2030-01-02T03:04:05Z",
            .host = "cell",
            .kernel = "6.18.0 x86_64",
            .daemon_version = "0.1.0",
            .subjects = {
                    {.kind = api::AuditKind::container,
                     .name = "web-1",
                     .container_class = "unprivileged",
                     .relaxations = {"bind_mount:/data"},
                     .settings_sha256 = "sha256:00",
                     .duration_ms = 12,
                     .checks = {
                             {.rule = "SC-08",
                              .check = "log",
                              .title = "denials become records",
                              .result = api::AuditResult::not_applicable,
                              .severity = api::AuditSeverity::note,
                              .observed = "a\tb",
                              .expected = "LOG",
                              .source = "depot",
                              .remedy = "none",
                              .relaxation = "",
                              .cis = "5.21",
                              .cves = {"CVE-2022-0185"}}}}}};
}

}  // namespace

TEST_CASE("an audit report survives its own JSON") {
    const auto text = base::json::encode(example());
    const auto back = base::json::decode<api::AuditReport>(text);
    REQUIRE(back);
    CHECK(base::json::encode(*back) == text);
    CHECK(text.find(R"("result":"not_applicable")") != std::string::npos);
    CHECK(text.find(R"("class":"unprivileged")") != std::string::npos);
    CHECK(text.find(R"("kind":"container")") != std::string::npos);
}

TEST_CASE("an audit report with an unknown word is refused by the name of its member") {
    const auto wrong = base::json::decode<api::AuditReport>(
            R"({"subjects":[{"checks":[{"result":"maybe"}]}]})");
    REQUIRE(!wrong);
    CHECK(wrong.error().text.find("subjects[0].checks[0].result") != std::string::npos);
    CHECK(wrong.error().text.find("not_applicable") != std::string::npos);
}

TEST_CASE("a failed note is no finding and what could not be looked at is one") {
    using api::AuditResult;
    using api::AuditSeverity;
    const auto finding = [](AuditResult result, AuditSeverity severity) {
        return api::is_finding({.result = result, .severity = severity});
    };
    CHECK_FALSE(finding(AuditResult::fail, AuditSeverity::note));
    CHECK(finding(AuditResult::fail, AuditSeverity::warning));
    CHECK(finding(AuditResult::fail, AuditSeverity::error));
    CHECK(finding(AuditResult::error, AuditSeverity::note));
    CHECK_FALSE(finding(AuditResult::pass, AuditSeverity::error));
    CHECK_FALSE(finding(AuditResult::not_applicable, AuditSeverity::error));
}
