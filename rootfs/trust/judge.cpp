#include "rootfs/trust/judge.hpp"

#include "base/fail.hpp"
#include "rootfs/trust/cosign.hpp"
#include "rootfs/trust/openpgp.hpp"
#include "rootfs/trust/statement.hpp"

#include <ctime>
#include <utility>
#include <vector>

namespace rootfs::trust {

namespace {

constexpr std::size_t kReasons = 4;        // told to people; the rest is counted
constexpr std::size_t kReasonBytes = 240;  // each: they may quote foreign text

// One requirement on its way: satisfied, or why not yet.
struct Open {
    const Requirement* requirement = nullptr;
    std::optional<TrustProof> proof;
    std::vector<std::string> reasons;
    std::size_t seen = 0;

    void refuse(std::string reason) {
        ++seen;
        if (reasons.size() < kReasons) reasons.push_back(reason.substr(0, kReasonBytes));
    }

    std::string text() const {
        std::string out(to_string(requirement->kind));
        if (seen == 0) return out + ": the image has no signature";
        out += ":";
        for (const auto& reason : reasons) out += " " + reason + ";";
        out.pop_back();
        if (seen > reasons.size()) out += base::format("; and {} more", seen - reasons.size());
        return out;
    }
};

// What a key has signed: only now read, the digest compared, then the name (IMG-41).
void try_statement(
        Open& open,
        const Subject& subject,
        const Digest& about,
        const std::string& payload,
        std::string_view type,
        const std::string& key) {
    const auto& requirement = *open.requirement;
    const auto statement = parse_statement(payload, type);
    if (!statement) return open.refuse(statement.error().text);
    if (statement->digest != about)
        return open.refuse("a signature is of " + statement->digest.get() + ", not of this image");
    const auto name = parse_name(statement->reference, "signed name");
    if (!name) return open.refuse(name.error().text);
    if (!matches(requirement.identity, subject.name, *name))
        return open.refuse("a signature is for " + statement->reference + ", not for this name");
    open.proof = TrustProof{
            .requirement = std::string(to_string(requirement.kind)),
            .key = key,
            .digest = about.get(),
            .identity = statement->reference};
}

// IMG-41: nothing of the payload is read before a key of the requirement has signed its bytes.
void try_cosign(
        Open& open,
        const Subject& subject,
        const Digest& about,
        const std::string& payload,
        const std::string& signature) {
    const auto& requirement = *open.requirement;
    const PublicKey* by = nullptr;
    for (const auto& key : requirement.keys) {
        if (key.verifies(payload, signature)) by = &key;
    }
    if (by == nullptr) return open.refuse("a signature is not by a key of the policy");
    try_statement(open, subject, about, payload, kCosignType, by->id());
}

// A registry that does not answer says nothing about the image.
bool cannot_be_asked(const base::Error& error) {
    return error.kind == base::Errc::unavailable || error.kind == base::Errc::timeout ||
           error.kind == base::Errc::cancelled;
}

bool any_open(const std::vector<Open>& all, Kind kind) {
    for (const auto& one : all) {
        if (one.requirement->kind == kind && !one.proof) return true;
    }
    return false;
}

// The signatures of one digest, each fetched once and shown to every requirement that is open.
base::Result<void> gather_cosign(
        std::vector<Open>& all,
        const Subject& subject,
        const Digest& about,
        SignatureSource& source) {
    if (!any_open(all, Kind::cosign_key)) return base::ok;
    const auto text = TRY(source.manifest(signature_tag(about)));
    if (!text) return base::ok;
    const auto refuse_all = [&all](const std::string& reason) {
        for (auto& one : all) {
            if (one.requirement->kind == Kind::cosign_key && !one.proof) one.refuse(reason);
        }
    };
    const auto signatures = parse_signature_manifest(*text);
    if (!signatures) {
        refuse_all(signatures.error().text);
        return base::ok;
    }
    for (const auto& entry : *signatures) {
        const auto payload = source.blob(entry.payload, entry.size);
        if (!payload && cannot_be_asked(payload.error())) return base::Error(payload.error());
        if (!payload) {
            refuse_all(payload.error().text);
            continue;
        }
        for (auto& one : all) {
            if (one.requirement->kind == Kind::cosign_key && !one.proof)
                try_cosign(one, subject, about, *payload, entry.signature);
        }
        if (!any_open(all, Kind::cosign_key)) break;
    }
    return base::ok;
}

// Where detached signatures of a digest lie: PATH@sha256=HEX/signature-N, N from 1 (the layout of
// containers/image); the host is no part of it.
std::string signature_path(const Subject& subject, const Digest& about, std::size_t number) {
    const auto& repository = subject.name.repository;
    return base::format(
            "{}@{}={}/signature-{}", repository.substr(repository.find('/') + 1),
            algorithm_of(about), hex_of(about), number);
}

base::Result<void> gather_simple(
        std::vector<Open>& all,
        const Subject& subject,
        const Digest& about,
        SignatureSource& source) {
    for (auto& one : all) {
        if (one.requirement->kind != Kind::simple_signing) continue;
        for (std::size_t number = 1; number <= kMaxSignatures && !one.proof; ++number) {
            const auto message = TRY(source.lookaside(
                    one.requirement->lookaside, signature_path(subject, about, number)));
            if (!message) break;
            const auto verified = verify_openpgp(*message, one.requirement->keyring);
            if (!verified) {
                one.refuse(verified.error().text);
                continue;
            }
            try_statement(
                    one, subject, about, verified->payload, kAtomicType, verified->fingerprint);
        }
    }
    return base::ok;
}

std::string text_of(const Name& name) {
    std::string out = name.repository;
    if (!name.digest.empty()) return out + "@" + name.digest;
    return name.tag.empty() ? out : out + ":" + name.tag;
}

}  // namespace

TrustDecision decide(const Policy& policy, const Rule& rule, std::string name, std::string digest) {
    TrustDecision out;
    out.name = std::move(name);
    out.digest = std::move(digest);
    out.policy = policy.digest();
    out.rule = rule.name;
    out.decided_at = std::time(nullptr);
    out.accepted = !rule.rejects() && !rule.needs_signatures();
    if (rule.rejects()) out.reason = "the policy rejects every image here";
    return out;
}

base::Result<TrustDecision> judge(
        const Policy& policy, const Subject& subject, SignatureSource& signatures) {
    const auto& rule = policy.rule_for(subject.name.repository);
    auto out = decide(policy, rule, text_of(subject.name), subject.top.get());
    if (out.accepted || rule.rejects()) return out;
    std::vector<Open> all;
    for (const auto& requirement : rule.requirements) {
        if (requirement.kind != Kind::accept_anything)
            all.push_back(Open{.requirement = &requirement});
    }
    TRY(gather_cosign(all, subject, subject.top, signatures));
    TRY(gather_simple(all, subject, subject.top, signatures));
    // The signature of the index, or of the manifest that was chosen from it (IMG-41).
    if (subject.selected != subject.top) {
        TRY(gather_cosign(all, subject, subject.selected, signatures));
        TRY(gather_simple(all, subject, subject.selected, signatures));
    }
    for (auto& one : all) {
        if (one.proof) {
            out.proofs.push_back(std::move(*one.proof));
        } else {
            out.reason += (out.reason.empty() ? "" : "; ") + one.text();
        }
    }
    out.accepted = out.reason.empty();
    return out;
}

}  // namespace rootfs::trust
