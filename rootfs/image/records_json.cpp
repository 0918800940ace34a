#include "rootfs/image/records_json.hpp"

#include "base/fail.hpp"
#include "rootfs/image/digest.hpp"
#include "rootfs/image/json.hpp"

#include <utility>

namespace rootfs {

namespace {

// Image configs may hold bytes that are no UTF-8.
std::string dump(const Json& document) {
    return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Seconds since 1970. A time past what a record can hold would come back negative.
base::Result<std::int64_t> time_member(const Json& from, const char* name, const char* what) {
    const auto seconds = TRY(size_member(from, name, what));
    if (!std::in_range<std::int64_t>(seconds)) {
        return base::fail(
                base::Errc::corrupt, "{}: member '{}' is {}, no time", what, name, seconds);
    }
    return static_cast<std::int64_t>(seconds);
}

Json to_json(const TrustDecision& trust) {
    auto proofs = Json::array();
    for (const auto& proof : trust.proofs) {
        proofs.push_back(
                Json{{"requirement", proof.requirement},
                     {"key", proof.key},
                     {"digest", proof.digest},
                     {"identity", proof.identity}});
    }
    return Json{{"accepted", trust.accepted},
                {"name", trust.name},
                {"digest", trust.digest},
                {"policy", trust.policy},
                {"rule", trust.rule},
                {"reason", trust.reason},
                {"decided_at", trust.decided_at},
                {"proofs", std::move(proofs)}};
}

base::Result<TrustDecision> parse_trust(const Json& json) {
    constexpr const char* kWhat = "trust of a reference record";
    TrustDecision out;
    // Only what was accepted is kept with a name; anything else is asked again.
    const Json* accepted = member(json, "accepted");
    out.accepted = accepted != nullptr && accepted->is_boolean() && accepted->get<bool>();
    out.name = TRY(text_member(json, "name", kWhat));
    out.digest = TRY(text_member(json, "digest", kWhat));
    out.policy = TRY(text_member(json, "policy", kWhat));
    out.rule = TRY(text_member(json, "rule", kWhat));
    out.reason = TRY(text_member(json, "reason", kWhat));
    out.decided_at = TRY(time_member(json, "decided_at", kWhat));
    const Json* proofs = member(json, "proofs");
    if (proofs == nullptr || !proofs->is_array()) return out;
    for (const auto& entry : *proofs) {
        TrustProof proof;
        proof.requirement = TRY(text_member(entry, "requirement", kWhat));
        proof.key = TRY(text_member(entry, "key", kWhat));
        proof.digest = TRY(text_member(entry, "digest", kWhat));
        proof.identity = TRY(text_member(entry, "identity", kWhat));
        out.proofs.push_back(std::move(proof));
    }
    return out;
}

}  // namespace

std::string to_text(const ImageRecord& record) {
    const auto& image = record.image;
    return dump(
            Json{{"reference", image.reference},
                 {"digest", image.digest},
                 {"layers", image.layers},
                 {"size", image.size},
                 {"created_at", record.created_at},
                 {"env", image.config.env},
                 {"user", image.config.user},
                 {"working_dir", image.config.working_dir},
                 {"entrypoint", image.config.entrypoint},
                 {"cmd", image.config.cmd},
                 {"stop_signal", image.config.stop_signal}});
}

std::string to_text(const ReferenceRecord& record) {
    Json json{{"name", record.name},     {"asked", record.asked},
              {"digest", record.digest}, {"stamp", record.stamp},
              {"access", record.access}, {"resolved_at", record.resolved_at}};
    if (record.trust) json["trust"] = to_json(*record.trust);
    return dump(json);
}

base::Result<ImageRecord> parse_image_record(std::string_view text) {
    constexpr const char* kWhat = "image record";
    const auto json = TRY(parse_json(text, kWhat));
    ImageRecord record;
    auto& image = record.image;
    image.reference = TRY(text_member(json, "reference", kWhat));
    image.digest = TRY(text_member(json, "digest", kWhat));
    (void)TRY(parse_digest(image.digest));
    image.layers = TRY(texts_member(json, "layers", kWhat));
    for (const auto& layer : image.layers) (void)TRY(parse_digest(layer));
    if (image.layers.empty()) return base::fail(base::Errc::corrupt, "image record has no layers");
    image.size = TRY(size_member(json, "size", kWhat));
    record.created_at = TRY(time_member(json, "created_at", kWhat));
    image.config.env = TRY(texts_member(json, "env", kWhat));
    image.config.user = TRY(text_member(json, "user", kWhat));
    image.config.working_dir = TRY(text_member(json, "working_dir", kWhat));
    image.config.entrypoint = TRY(texts_member(json, "entrypoint", kWhat));
    image.config.cmd = TRY(texts_member(json, "cmd", kWhat));
    image.config.stop_signal = TRY(text_member(json, "stop_signal", kWhat));
    return record;
}

base::Result<ReferenceRecord> parse_reference_record(std::string_view text) {
    constexpr const char* kWhat = "reference record";
    const auto json = TRY(parse_json(text, kWhat));
    ReferenceRecord record;
    record.name = TRY(text_member(json, "name", kWhat));
    record.asked = TRY(text_member(json, "asked", kWhat));
    record.digest = TRY(text_member(json, "digest", kWhat));
    record.stamp = TRY(text_member(json, "stamp", kWhat));
    record.access = TRY(texts_member(json, "access", kWhat));
    record.resolved_at = TRY(time_member(json, "resolved_at", kWhat));
    // Records of earlier versions have none: decided when the image is used next.
    if (const Json* trust = member(json, "trust")) record.trust = TRY(parse_trust(*trust));
    if (record.name.empty()) return base::fail(base::Errc::corrupt, "reference record has no name");
    return record;
}

}  // namespace rootfs
