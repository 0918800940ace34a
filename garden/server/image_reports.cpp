#include "garden/server/image_reports.hpp"

namespace garden::server {

void report_images(rootfs::ImagesConfig& images, const base::log::Logger& log) {
    images.on_decision = [&log](const rootfs::TrustDecision& decision) {
        std::string keys;
        for (const auto& proof : decision.proofs) keys += (keys.empty() ? "" : " ") + proof.key;
        if (decision.accepted) {
            log.info(
                    "image accepted", {{"image", decision.name},
                                       {"digest", decision.digest},
                                       {"rule", decision.rule},
                                       {"policy", decision.policy},
                                       {"keys", keys}});
        } else {
            log.warning(
                    "image refused by the policy", {{"image", decision.name},
                                                    {"digest", decision.digest},
                                                    {"rule", decision.rule},
                                                    {"policy", decision.policy},
                                                    {"reason", decision.reason}});
        }
    };
    images.on_damage = [&log](const std::string& diff_id, const auto& findings) {
        log.error(
                "a layer is damaged; it is fetched again when it is needed next",
                {{"layer", diff_id},
                 {"first", findings.empty() ? std::string() : findings.front()}});
    };
    images.on_collected = [&log](const rootfs::Collected& collected) {
        log.info(
                "images collected", {{"why", collected.why},
                                     {"images", collected.images},
                                     {"freed_bytes", collected.freed_bytes}});
    };
}

}  // namespace garden::server
