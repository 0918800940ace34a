#include "base/fail.hpp"
#include "rootfs/trust/cosign.hpp"
#include "rootfs/trust/encoding.hpp"
#include "rootfs/trust/judge.hpp"
#include "rootfs/trust/statement.hpp"
#include "tests/unit/rootfs/signer.hpp"

#include <catch2/catch.hpp>

using rootfs::Digest;
using rootfs::trust::judge;
using rootfs::trust::Policy;
using rootfs::trust::Subject;
using signer::Algorithm;
using signer::Key;
using signer::Shelf;

namespace {

const std::string kRepository = "registry.example.com/team/app";

std::string quoted(std::string pem) {
    for (std::size_t at = 0; (at = pem.find('\n', at)) != std::string::npos; at += 2)
        pem.replace(at, 1, "\\n");
    return "\"" + pem + "\"";
}

std::string requirement(const Key& key, const std::string& identity = R"({"match":"repository"})") {
    return R"({"type":"cosign-key","key":)" + quoted(key.pem()) + R"(,"identity":)" + identity +
           "}";
}

Policy policy(const std::string& requirements) {
    auto parsed = Policy::parse(
            R"({"version":1,"default":[)" + requirements + "]}",
            [](const std::string&) -> base::Result<std::string> {
                return base::fail(base::Errc::internal, "no file was named");
            });
    if (!parsed) FAIL(parsed.error().text);
    return std::move(*parsed);
}

Subject subject(const std::string& tag = "1") {
    const auto digest = rootfs::sha256("the image");
    return {.name = {.repository = kRepository, .tag = tag, .digest = ""},
            .top = digest,
            .selected = digest};
}

void sign(Shelf& shelf, const Key& key, const Digest& image, const std::string& reference) {
    const auto payload = signer::statement(reference, image.get());
    shelf.add(image, payload, key.sign(payload));
}

rootfs::TrustDecision decided(const Policy& policy, const Subject& subject, Shelf& shelf) {
    auto decision = judge(policy, subject, shelf);
    if (!decision) FAIL(decision.error().text);
    return std::move(*decision);
}

}  // namespace

TEST_CASE("an image signed by the key of the policy is accepted, with the proof") {
    for (const auto algorithm : {Algorithm::p256, Algorithm::rsa, Algorithm::ed25519}) {
        const Key key(algorithm);
        Shelf shelf;
        sign(shelf, key, subject().top, kRepository);
        const auto rules = policy(requirement(key));
        const auto decision = decided(rules, subject(), shelf);
        INFO(decision.reason);
        CHECK(decision.accepted);
        CHECK(decision.policy == rules.digest());
        CHECK(decision.rule == "default");
        CHECK(decision.name == kRepository + ":1");
        REQUIRE(decision.proofs.size() == 1);
        CHECK(decision.proofs[0].key == rootfs::trust::PublicKey::parse(key.pem(), "key")->id());
        CHECK(decision.proofs[0].digest == subject().top.get());
        CHECK(decision.proofs[0].identity == kRepository);
    }
}

TEST_CASE("a signature that openssl made over a payload of cosign's form verifies") {
    const auto key = rootfs::trust::PublicKey::parse(
            "-----BEGIN PUBLIC KEY-----\n"
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJuxlDtNWRCkjXcoxfsEIeYse9ZBm\n"
            "SXW8plq76YH9vbzlfBZoQOeNQ5kGkskOvIlOr7xl0iYBf0C6Zamwg5+r3w==\n"
            "-----END PUBLIC KEY-----\n",
            "key");
    REQUIRE(key);
    const auto payload = signer::statement(kRepository, "sha256:" + std::string(64, '1'));
    const auto signature = rootfs::trust::decode_base64(
            "MEUCIQDZNhd7OfMcnqVbdSZDn0v82mdf6qBTraUHWJ59jtFIQQIgWQ/QtYJkf89/HFqG992vVsFDERD3MrhvBJ"
            "bFsaW/Ffg=");
    REQUIRE(signature);
    CHECK(key->verifies(payload, *signature));
    CHECK_FALSE(key->verifies(payload + " ", *signature));
}

TEST_CASE("an unsigned image is refused") {
    Shelf shelf;
    const auto decision = decided(policy(requirement(Key())), subject(), shelf);
    CHECK_FALSE(decision.accepted);
    CHECK_THAT(decision.reason, Catch::Contains("no signature"));
}

TEST_CASE("a foreign key, a foreign digest and a foreign name are refused") {
    const Key key;
    const auto rules = policy(requirement(key));
    Shelf foreign_key;
    sign(foreign_key, Key(), subject().top, kRepository);
    CHECK_THAT(
            decided(rules, subject(), foreign_key).reason,
            Catch::Contains("not by a key of the policy"));
    Shelf foreign_digest;
    const auto payload = signer::statement(kRepository, rootfs::sha256("another").get());
    foreign_digest.add(subject().top, payload, key.sign(payload));
    CHECK_THAT(decided(rules, subject(), foreign_digest).reason, Catch::Contains("not of this"));
    Shelf foreign_name;
    sign(foreign_name, key, subject().top, "registry.example.com/team/other");
    CHECK_THAT(
            decided(rules, subject(), foreign_name).reason, Catch::Contains("not for this name"));
}

TEST_CASE("one good signature among bad ones is enough, and every requirement wants its own") {
    const Key alice;
    const Key bob;
    Shelf shelf;
    sign(shelf, Key(), subject().top, kRepository);
    sign(shelf, alice, subject().top, kRepository);
    CHECK(decided(policy(requirement(alice)), subject(), shelf).accepted);
    const auto both = policy(requirement(alice) + "," + requirement(bob));
    const auto half = decided(both, subject(), shelf);
    CHECK_FALSE(half.accepted);
    CHECK(half.proofs.size() == 1);
    sign(shelf, bob, subject().top, kRepository);
    CHECK(decided(both, subject(), shelf).accepted);
    CHECK_FALSE(decided(policy(requirement(alice) + R"(,{"type":"reject"})"), subject(), shelf)
                        .accepted);
}

TEST_CASE("the signature of an index or of the manifest chosen from it will do") {
    const Key key;
    auto asked = subject();
    asked.selected = rootfs::sha256("for this machine");
    Shelf shelf;
    sign(shelf, key, asked.selected, kRepository);
    const auto decision = decided(policy(requirement(key)), asked, shelf);
    CHECK(decision.accepted);
    CHECK(decision.digest == asked.top.get());
    CHECK(decision.proofs[0].digest == asked.selected.get());
    // Under the tag of the index it would be somebody else's.
    Shelf swapped;
    const auto payload = signer::statement(kRepository, asked.selected.get());
    swapped.add(asked.top, payload, key.sign(payload));
    CHECK_FALSE(decided(policy(requirement(key)), asked, swapped).accepted);
}

TEST_CASE("identities match exactly, by repository or remapped") {
    const Key key;
    const auto accepted = [&](const std::string& identity, const Subject& asked,
                              const std::string& signed_as) {
        Shelf shelf;
        sign(shelf, key, asked.top, signed_as);
        return decided(policy(requirement(key, identity)), asked, shelf).accepted;
    };
    const std::string exact = R"({"match":"exact"})";
    CHECK(accepted(exact, subject("1"), kRepository + ":1"));
    CHECK_FALSE(accepted(exact, subject("1"), kRepository + ":2"));
    CHECK_FALSE(accepted(exact, subject("1"), kRepository));
    auto pinned = subject("");
    pinned.name.digest = pinned.top.get();
    CHECK(accepted(exact, pinned, kRepository + "@" + pinned.top.get()));
    CHECK_FALSE(accepted(exact, pinned, kRepository));
    const std::string remapped =
            R"({"match":"remapped","from":"registry.example.com/team","to":"origin.example.org/app"})";
    CHECK(accepted(remapped, subject(), "origin.example.org/app/app"));
    CHECK_FALSE(accepted(remapped, subject(), kRepository));
    CHECK_FALSE(accepted(R"({"match":"repository"})", subject(), kRepository + "x"));
}

TEST_CASE("a registry that does not answer is an error and no refusal") {
    Shelf shelf;
    shelf.down = true;
    const auto decision = judge(policy(requirement(Key())), subject(), shelf);
    REQUIRE_FALSE(decision);
    CHECK(decision.error().kind == base::Errc::unavailable);
}

TEST_CASE("a rule that needs no signature asks no registry") {
    Shelf shelf;
    shelf.down = true;
    CHECK(decided(policy(R"({"type":"accept-anything"})"), subject(), shelf).accepted);
    const auto rejected =
            decided(policy(R"({"type":"reject"},)" + requirement(Key())), subject(), shelf);
    CHECK_FALSE(rejected.accepted);
    CHECK(shelf.asked == 0);
}

TEST_CASE("statements are read strictly") {
    const auto digest = "sha256:" + std::string(64, 'a');
    const auto good = signer::statement("host/name", digest);
    using rootfs::trust::kCosignType;
    using rootfs::trust::parse_statement;
    REQUIRE(parse_statement(good, kCosignType));
    CHECK_FALSE(parse_statement(good, rootfs::trust::kAtomicType));
    const auto changed = [&good](const std::string& from, const std::string& to) {
        auto text = good;
        text.replace(text.find(from), from.size(), to);
        return parse_statement(text, kCosignType).has_value();
    };
    CHECK(changed("\"optional\":null", "\"optional\":{\"creator\":\"x\"}"));
    CHECK_FALSE(changed("\"optional\":null", "\"optional\":[]"));
    CHECK_FALSE(changed("\"optional\":null", "\"extra\":null"));
    CHECK_FALSE(changed("\"type\":", "\"more\":1,\"type\":"));
    CHECK_FALSE(
            changed("\"docker-reference\":", "\"docker-reference\":\"x\",\"docker-reference\":"));
    CHECK_FALSE(changed("\"host/name\"", "7"));
    CHECK_FALSE(changed("\"host/name\"", "\"\""));
    CHECK_FALSE(changed("sha256:aa", "sha256:AA"));
    CHECK_FALSE(parse_statement(good + "x", kCosignType));
}

TEST_CASE("manifests of signatures are bounded") {
    using rootfs::trust::parse_signature_manifest;
    Shelf shelf;
    for (int i = 0; i < 65; ++i) {
        const auto payload = std::to_string(i);
        shelf.add(subject().top, payload, "signature");
        const auto parsed = parse_signature_manifest(
                shelf.manifests.at(rootfs::trust::signature_tag(subject().top)));
        REQUIRE(parsed.has_value() == (i < 64));
    }
    CHECK_FALSE(parse_signature_manifest("{}"));
    CHECK_FALSE(parse_signature_manifest(R"({"manifests":[],"layers":[]})"));
    CHECK_FALSE(parse_signature_manifest(R"({"layers":{}})"));
    CHECK(parse_signature_manifest(R"({"layers":[]})"));
    const std::string layer = R"({"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json",)";
    CHECK_FALSE(parse_signature_manifest(R"({"layers":[)" + layer + R"("size":1}]})"));
    CHECK_FALSE(parse_signature_manifest(
            R"({"layers":[)" + layer + R"("digest":"sha256:)" + std::string(64, 'a') +
            R"(","size":4194305,"annotations":{"dev.cosignproject.cosign/signature":"AA=="}}]})"));
}

TEST_CASE("base64 has one spelling") {
    using rootfs::trust::decode_base64;
    CHECK(*decode_base64("AA==") == std::string(1, '\0'));
    CHECK(*decode_base64("Zm9vYg==") == "foob");
    for (const char* text : {"", "A", "AA", "AB==", "AA=", "A===", "AA==\n", " AA=", "AA-_"})
        CHECK_FALSE(decode_base64(text));
}
