// The image policy, manifests of signatures and signed statements: understood whole and within
// every bound, or refused (IMG-40, IMG-43).
#include "base/fail.hpp"
#include "rootfs/trust/cosign.hpp"
#include "rootfs/trust/policy.hpp"
#include "rootfs/trust/statement.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string_view>

using namespace rootfs;

namespace {

void policy(std::string_view text) {
    const auto parsed =
            trust::Policy::parse(text, [](const std::string& path) -> base::Result<std::string> {
                fuzz::require(path.starts_with('/'), "key files have absolute paths");
                return base::fail(base::Errc::not_found, "no file {}", path);
            });
    if (!parsed) return fuzz::require(parsed.error().text.size() < 6000, "errors are short");
    fuzz::require(!parsed->digest().empty(), "a policy has a digest");
    for (const char* name : {"docker.io/library/busybox", "host:5000/a/b", "x"}) {
        const auto& rule = parsed->rule_for(name);
        fuzz::require(!rule.requirements.empty(), "every rule has requirements");
        for (const auto& requirement : rule.requirements) {
            fuzz::require(
                    (requirement.kind == trust::Kind::cosign_key) == !requirement.keys.empty(),
                    "who must have signed is known");
        }
    }
}

void manifest(std::string_view text) {
    const auto parsed = trust::parse_signature_manifest(text);
    if (!parsed) return;
    fuzz::require(parsed->size() <= trust::kMaxSignatures, "signatures are bounded");
    for (const auto& one : *parsed) {
        fuzz::require(parse_digest(one.payload.get()).has_value(), "payloads have digests");
        fuzz::require(
                one.size > 0 && one.size <= trust::kMaxSignatureBytes, "payloads are bounded");
        fuzz::require(!one.signature.empty(), "a signature is there");
    }
}

void statement(std::string_view text) {
    const auto parsed = trust::parse_statement(text, trust::kCosignType);
    if (!parsed) return;
    fuzz::require(parse_digest(parsed->digest.get()).has_value(), "a statement has a digest");
    fuzz::require(!trust::parse_statement(text, trust::kAtomicType), "a statement has one type");
    if (const auto name = trust::parse_name(parsed->reference, "name"))
        fuzz::require(name->repository.find('/') != std::string::npos, "a name has a repository");
}

}  // namespace

// First byte: what it is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    switch (input.byte() % 3) {
        case 0:
            policy(input.rest());
            break;
        case 1:
            manifest(input.rest());
            break;
        default:
            statement(input.rest());
            break;
    }
    return 0;
}
