#include "rep/plan/layers.hpp"

#include "base/fail.hpp"
#include "base/http/message.hpp"
#include "rep/plan/placement.hpp"

namespace rep::plan {

namespace {

using brain::api::Action;
using brain::api::DigestAlgorithm;
using brain::api::ImageLayer;
using brain::api::LayerType;

std::string_view algorithm(const ImageLayer& layer) {
    // Only what the downloader checks; a longer digest is the store's business.
    return layer.digest_algorithm == DigestAlgorithm::sha256 ? "sha256" : "";
}

brain::api::CachedDependency dependency(const ImageLayer& layer) {
    return {.name = layer.name,
            .from = layer.url,
            .to = layer.destination_path,
            .cache_key = layer.digest_value.empty() ? layer.url : layer.digest_value,
            .log_source = {},
            .checksum_value = algorithm(layer).empty() ? "" : layer.digest_value,
            .checksum_algorithm = std::string(algorithm(layer))};
}

Action download(const ImageLayer& layer, const std::string& user) {
    executor::api::DownloadAction out;
    out.artifact = layer.name;
    out.from = layer.url;
    out.to = layer.destination_path;
    out.cache_key = layer.digest_value;
    out.user = user.empty() ? "root" : user;
    out.checksum_algorithm = algorithm(layer);
    if (!out.checksum_algorithm.empty()) out.checksum_value = layer.digest_value;
    return {.value = std::move(out)};
}

bool fits_in_rootfs(const ImageLayer& layer) {
    return layer.layer_type == LayerType::exclusive &&
           layer.media_type == brain::api::MediaType::tgz &&
           layer.digest_algorithm == DigestAlgorithm::sha256;
}

}  // namespace

Layers split_layers(const brain::api::Definition& definition, bool two_layers) {
    Layers out{.rootfs = definition.rootfs, .dependencies = {}, .downloads = {}};
    const auto url = parse_rootfs(definition.rootfs);
    bool merge = two_layers && url && url->scheme == kPreloaded;
    for (const auto& layer : definition.image_layers) {
        if (layer.layer_type == LayerType::shared) {
            out.dependencies.push_back(dependency(layer));
        } else if (merge && fits_in_rootfs(layer)) {
            using base::http::percent_encode;
            out.rootfs = base::format(
                    "{}:{}?layer={}&layer_path={}&layer_digest={}", kPreloadedLayer, url->opaque,
                    percent_encode(layer.url), percent_encode(layer.destination_path),
                    percent_encode(layer.digest_value));
            merge = false;
        } else {
            out.downloads.push_back(download(layer, definition.legacy_download_user));
        }
    }
    return out;
}

std::optional<Action> downloads_then(std::vector<Action> downloads, std::optional<Action> after) {
    if (downloads.empty()) return after;
    executor::api::ParallelAction together;
    together.actions = std::move(downloads);
    Action first{.value = std::move(together)};
    if (!after) return first;
    executor::api::SerialAction serial;
    serial.actions.push_back(std::move(first));
    serial.actions.push_back(std::move(*after));
    return Action{.value = std::move(serial)};
}

}  // namespace rep::plan
