#include "rootfs/trust/policy.hpp"

#include "base/fail.hpp"
#include "tests/unit/rootfs/signer.hpp"

#include <catch2/catch.hpp>

using base::Errc;
using rootfs::trust::Kind;
using rootfs::trust::Policy;

namespace {

const signer::Key& key() {
    static const signer::Key kKey;
    return kKey;
}

base::Result<Policy> parse(const std::string& text) {
    return Policy::parse(text, [](const std::string& path) -> base::Result<std::string> {
        if (path == "/keys/good.pem") return key().pem();
        if (path == "/keys/curve.pem") return signer::Key(signer::Algorithm::p521).pem();
        if (path == "/keys/broken.pem") return std::string("-----BEGIN PUBLIC KEY-----\nAAAA\n");
        return base::fail(Errc::not_found, "open {}", path);
    });
}

std::string with(const std::string& requirement) {
    return R"({"version":1,"default":[)" + requirement + "]}";
}

void refused(const std::string& text, const std::string& words) {
    INFO(text);
    const auto policy = parse(text);
    REQUIRE_FALSE(policy);
    CHECK_THAT(policy.error().text, Catch::Contains(words));
}

}  // namespace

TEST_CASE("the longest scope of a policy decides, and only at whole components") {
    const auto policy = parse(
            R"({"version":1,"default":[{"type":"reject"}],"registries":{
                "reg.example:5000":[{"type":"accept-anything"}],
                "reg.example:5000/team":[{"type":"cosign-key","key_file":"/keys/good.pem"}],
                "index.docker.io/library":[{"type":"accept-anything"}]}})");
    REQUIRE(policy);
    CHECK(policy->rule_for("reg.example:5000/team/app").name == "reg.example:5000/team");
    CHECK(policy->rule_for("reg.example:5000/team").name == "reg.example:5000/team");
    CHECK(policy->rule_for("reg.example:5000/teams").name == "reg.example:5000");
    CHECK(policy->rule_for("reg.example/team").name == "default");
    CHECK(policy->rule_for("docker.io/library/busybox").name == "docker.io/library");
    CHECK(policy->rule_for("other/x").rejects());
    CHECK(policy->rule_for("reg.example:5000/team/app").needs_signatures());
    CHECK_FALSE(policy->local().rejects());
}

TEST_CASE("local files are accepted unless the policy says otherwise") {
    const auto policy = parse(R"({"version":1,"default":[{"type":"reject"}],"local":"reject"})");
    REQUIRE(policy);
    CHECK(policy->local().rejects());
    refused(R"({"version":1,"default":[{"type":"reject"}],"local":"maybe"})", "accept or reject");
}

TEST_CASE("the digest of a policy changes with its text and with its keys") {
    const auto text = with(R"({"type":"cosign-key","key_file":"/keys/good.pem"})");
    const auto one =
            Policy::parse(text, [](const auto&) { return base::Result<std::string>(key().pem()); });
    const auto same =
            Policy::parse(text, [](const auto&) { return base::Result<std::string>(key().pem()); });
    const auto other = Policy::parse(
            text, [](const auto&) { return base::Result<std::string>(signer::Key().pem()); });
    REQUIRE((one && same && other));
    CHECK(one->digest() == same->digest());
    CHECK(one->digest() != other->digest());
}

TEST_CASE("a policy that is not understood whole is no policy") {
    refused("", "not valid JSON");
    refused("[]", "must be an object");
    refused(R"({"version":1})", "'default' is missing");
    refused(R"({"version":2,"default":[{"type":"reject"}]})", "version 2");
    refused(R"({"default":[{"type":"reject"}]})", "'version' is missing");
    refused(R"({"version":1,"default":[]})", "list of 1 to 16");
    refused(R"({"version":1,"default":[{"type":"reject"}],"registrys":{}})", "'registrys'");
    refused(R"({"version":1,"default":[{"type":"reject"}],"default":[{"type":"reject"}]})",
            "twice");
    refused(with(R"({"type":"rejct"})"), "unknown requirement 'rejct'");
    refused(with(R"({"type":"reject","key":"x"})"), "unknown member 'key'");
    refused(with(R"({"type":"cosign-key"})"), "exactly one of");
    refused(with(R"({"type":"cosign-key","key":"x","key_file":"/keys/good.pem"})"), "exactly one");
    refused(with(R"({"type":"cosign-key","key_file":"/keys/none.pem"})"), "/keys/none.pem");
    refused(with(R"({"type":"cosign-key","key_file":"good.pem"})"), "absolute path");
    refused(with(R"({"type":"cosign-key","key_file":"/keys/broken.pem"})"), "no public key");
    refused(with(R"({"type":"cosign-key","key_file":"/keys/curve.pem"})"), "curve");
    refused(with(R"({"type":"cosign-key","key_file":"/keys/good.pem","identity":{"match":"any"}})"),
            "'any' is not exact");
    refused(with(R"({"type":"cosign-key","key_file":"/keys/good.pem","identity":"any"})"),
            "object");
    refused(with(R"({"type":"cosign-key","key_file":"/keys/good.pem",)"
                 R"("identity":{"match":"exact","from":"a"}})"),
            "unknown member 'from'");
    refused(R"({"version":1,"default":[{"type":"reject"}],"registries":{"https://x":[]}})",
            "scheme");
    refused(R"({"version":1,"default":[{"type":"reject"}],"registries":{"x/y:1":[]}})", "tag");
    refused(R"({"version":1,"default":[{"type":"reject"}],"registries":{)"
            R"("docker.io":[{"type":"reject"}],"index.docker.io":[{"type":"accept-anything"}]}})",
            "twice");
}

TEST_CASE("requirements of other versions are refused by name") {
    for (const char* type : {"cosign-identity", "notation"}) {
        const auto policy = parse(with(R"({"type":")" + std::string(type) + R"("})"));
        REQUIRE_FALSE(policy);
        CHECK(policy.error().kind == Errc::unsupported);
        CHECK_THAT(policy.error().text, Catch::Contains(type));
    }
}
