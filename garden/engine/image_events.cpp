#include "garden/engine/image_events.hpp"

#include <utility>

namespace garden {

namespace {

void tell_decision(security::EventLog& events, const rootfs::TrustDecision& decision) {
    security::EventFields fields{
            {"image", decision.name},
            {"digest", decision.digest},
            {"policy", decision.policy},
            {"rule", decision.rule}};
    if (decision.accepted) {
        std::vector<std::string> keys;
        for (const auto& proof : decision.proofs) keys.push_back(proof.key);
        fields.emplace_back("keys", std::move(keys));
    } else {
        fields.emplace_back("reason", decision.reason);
    }
    events.append(decision.accepted ? "image.accepted" : "image.refused", "", std::move(fields));
}

}  // namespace

void tell_of_images(rootfs::ImagesConfig& images, security::EventLog& events) {
    images.on_decision = [&events, next = std::move(images.on_decision)](const auto& decision) {
        tell_decision(events, decision);
        if (next) next(decision);
    };
    images.on_damage = [&events, next = std::move(images.on_damage)](
                               const std::string& diff_id,
                               const std::vector<std::string>& findings) {
        events.append("image.damaged", "", {{"layer", diff_id}, {"findings", findings}});
        if (next) next(diff_id, findings);
    };
    images.on_collected = [&events, next = std::move(images.on_collected)](const auto& collected) {
        events.append(
                "image.collected", "",
                {{"why", collected.why},
                 {"images", collected.images},
                 {"freed_bytes", collected.freed_bytes}});
        if (next) next(collected);
    };
}

}  // namespace garden
