// `image verify`: layers compared with what was unpacked (IMG-02). Blobs are not kept, so there is
// nothing else to read again. A damaged layer is marked and fetched again when its image is used
// next; containers that have it mounted are left alone.
#include "base/fail.hpp"
#include "rootfs/images_on_disk.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace rootfs {

// Layers to look at, and the names of the images that are made of them.
base::Result<std::map<std::string, std::vector<std::string>>> ImagesOnDisk::layers_of(
        std::string_view reference_or_digest) const {
    std::map<std::string, std::vector<std::string>> names;
    for (const auto& reference : parts_.records->references())
        names[reference.digest].push_back(reference.asked);
    std::string only;
    if (!reference_or_digest.empty()) only = TRY(look_up(reference_or_digest)).digest;
    std::map<std::string, std::vector<std::string>> out;
    for (const auto& record : parts_.records->images()) {
        if (!only.empty() && record.image.digest != only) continue;
        auto& known = names[record.image.digest];
        if (known.empty()) known.push_back(record.image.digest);
        for (const auto& layer : record.image.layers)
            out[layer].insert(out[layer].end(), known.begin(), known.end());
    }
    return out;
}

base::Result<VerifyReport> ImagesOnDisk::verify(
        std::string_view reference_or_digest, const std::atomic<bool>& cancelled) {
    VerifyReport report;
    for (auto& [layer, images] : TRY(layers_of(reference_or_digest))) {
        PinSet pins(pins_);
        pins.add(layer);  // it stays while it is read
        auto check = TRY(parts_.layers->verify(layer, cancelled));
        if (check.state == LayerCheck::State::damaged) {
            TRY(parts_.layers->mark_damaged(layer));
            if (parts_.config.on_damage) parts_.config.on_damage(layer, check.findings);
        }
        report.layers.push_back(
                {.diff_id = layer, .images = std::move(images), .check = std::move(check)});
    }
    return report;
}

// An image of which every layer may be used.
std::optional<Image> ImagesOnDisk::usable(std::string_view digest) const {
    auto record = parts_.records->image(digest);
    if (!record) return std::nullopt;
    const auto& layers = record->image.layers;
    const bool whole = std::none_of(layers.begin(), layers.end(), [this](const auto& layer) {
        return parts_.layers->is_damaged(layer);
    });
    if (!whole) return std::nullopt;
    return std::move(record->image);
}

// Damaged layers that were replaced go when no container holds an image made of them: only such a
// container can have them mounted.
base::Result<void> ImagesOnDisk::drop_retired_layers() {
    const auto retired = TRY(parts_.layers->retired());
    if (retired.empty()) return base::ok;
    std::vector<std::string> mounted;
    for (const auto& [owner, digest] : parts_.records->holds()) {
        const auto record = parts_.records->image(digest);
        if (!record) continue;
        const auto& layers = record->image.layers;
        mounted.insert(mounted.end(), layers.begin(), layers.end());
    }
    for (const auto& layer : retired) {
        if (std::find(mounted.begin(), mounted.end(), layer) == mounted.end())
            TRY(parts_.layers->remove_retired(layer));
    }
    return base::ok;
}

}  // namespace rootfs
