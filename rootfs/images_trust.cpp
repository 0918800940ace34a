// The image policy at work: what is here already is asked about again when the policy has changed,
// so that a cached image is no way around it (IMG-44); what comes from a registry is decided before
// a layer is fetched (IMG-41).
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/fetch/http_client.hpp"
#include "rootfs/images_on_disk.hpp"
#include "rootfs/trust/cosign.hpp"
#include "rootfs/trust/judge.hpp"

#include <ctime>
#include <utility>

namespace rootfs {

namespace {

constexpr std::string_view kScheme = "docker://";  // of canonical names

class RegistrySignatures final : public trust::SignatureSource {
  public:
    RegistrySignatures(
            RegistrySource& place, const ImagesConfig& config, const Cancelled& cancelled)
        : place_(place), config_(config), cancelled_(cancelled) {}

    base::Result<std::optional<std::string>> manifest(const std::string& tag) override {
        return place_.tagged(tag, cancelled_);
    }

    base::Result<std::string> blob(const Digest& digest, std::uint64_t size) override {
        return place_.small_blob("signature", digest, size, cancelled_);
    }

    base::Result<std::optional<std::string>> lookaside(
            const std::string& base, const std::string& path) override {
        const auto place = base + "/" + path;
        if (base.starts_with('/')) {
            auto text = base::sys::read_host_file(place, trust::kMaxSignatureBytes);
            if (!text && text.error().kind == base::Errc::not_found)
                return std::optional<std::string>{};
            return std::optional(TRY(std::move(text).context("signature")));
        }
        HttpClient client(
                {.connect = config_.connect_timeout, .stall = config_.stall_timeout},
                config_.ca_file);
        auto answer = TRY(client.send(
                {.url = place,
                 .body_limit = trust::kMaxSignatureBytes,
                 .private_network = true},  // the operator's own words
                cancelled_));
        constexpr int kOk = 200, kNotFound = 404;
        if (answer.status == kNotFound) return std::optional<std::string>{};
        if (answer.status != kOk) {
            return base::fail(
                    base::Errc::unavailable, "signature {}: status {}", place, answer.status);
        }
        return std::optional(std::move(answer.body));
    }

  private:
    RegistrySource& place_;
    const ImagesConfig& config_;
    const Cancelled& cancelled_;
};

base::Result<trust::Name> name_of(const std::string& canonical) {
    return trust::parse_name(std::string_view(canonical).substr(kScheme.size()), "image name");
}

}  // namespace

bool ImagesOnDisk::trusted(const ReferenceRecord& known, std::string_view digest) const {
    if (!parts_.policy) return true;
    return known.trust && known.trust->accepted && known.trust->digest == digest &&
           known.trust->policy == parts_.policy->digest();
}

// The rule of this name accepts without a signature: no registry is needed to say so.
bool ImagesOnDisk::decides_alone(const std::string& name) const {
    if (!parts_.policy) return true;
    const auto parsed = name_of(name);
    if (!parsed) return false;
    const auto& rule = parts_.policy->rule_for(parsed->repository);
    return !rule.rejects() && !rule.needs_signatures();
}

// What was decided is told in any case; a refusal is the end.
base::Result<TrustDecision> ImagesOnDisk::settle(TrustDecision decision) {
    if (parts_.config.on_decision) parts_.config.on_decision(decision);
    if (decision.accepted) return decision;
    return base::fail(
            base::Errc::denied, "refused by the image policy (rule {}): {}", decision.rule,
            decision.reason);
}

// A rule that rejects does so without asking anybody.
base::Result<void> ImagesOnDisk::refuse_early(const std::string& name) {
    if (!parts_.policy) return base::ok;
    const auto parsed = TRY(name_of(name));
    const auto& rule = parts_.policy->rule_for(parsed.repository);
    if (!rule.rejects()) return base::ok;
    (void)TRY(settle(trust::decide(*parts_.policy, rule, name.substr(kScheme.size()), "")));
    return base::ok;
}

base::Result<TrustDecision> ImagesOnDisk::judge_registry(
        const RegistryTarget& target,
        const RegistryPull& pull,
        const Credentials& credentials,
        const Cancelled& cancelled) {
    if (!parts_.policy) {
        return settle(TrustDecision{
                .accepted = true,
                .name = target.name.substr(kScheme.size()),
                .digest = pull.resolved.digest.get(),
                .decided_at = std::time(nullptr)});
    }
    const trust::Subject subject{
            .name = TRY(name_of(target.name)),
            .top = pull.resolved.digest,
            .selected = pull.resolved.selected};
    // A mirror may have the image and not its signatures: the home of the image is asked as well.
    base::Result<TrustDecision> last = base::fail(base::Errc::internal, "no registry");
    for (const auto& place : parts_.registries->places(target, credentials)) {
        RegistrySignatures signatures(*place, parts_.config, cancelled);
        auto decision = trust::judge(*parts_.policy, subject, signatures);
        if (decision && decision->accepted) return settle(std::move(*decision));
        if (decision || !last) last = std::move(decision);
    }
    if (!last) return std::move(last).context("signatures");
    return settle(std::move(*last));
}

base::Result<TrustDecision> ImagesOnDisk::judge_local(
        const std::string& name, const std::string& digest) {
    if (parts_.policy)
        return settle(trust::decide(*parts_.policy, parts_.policy->local(), name, digest));
    return settle(TrustDecision{
            .accepted = true, .name = name, .digest = digest, .decided_at = std::time(nullptr)});
}

// An image of this host that is here already: decided again when the policy is another one.
base::Result<Image> ImagesOnDisk::known_local(const ReferenceRecord& known, Image image) {
    if (trusted(known, known.digest)) return image;
    auto again = known;
    again.trust = TRY(judge_local(known.name, known.digest));
    TRY(name_again(std::move(again)));
    return image;
}

}  // namespace rootfs
