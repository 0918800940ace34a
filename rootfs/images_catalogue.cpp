// What images are here, what a text names among them, and what may go.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/images_on_disk.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <utility>

namespace rootfs {

namespace {

constexpr std::size_t kShortestDigest = 12;  // hex digits that may stand for a whole digest

}  // namespace

base::Result<std::vector<ImageRow>> ImagesOnDisk::list() {
    std::map<std::string, std::uint32_t> uses;
    for (const auto& [owner, digest] : parts_.records->holds()) ++uses[digest];
    std::map<std::string, ImageRow> rows;
    std::set<std::string> named;
    for (const auto& record : parts_.records->images()) {
        rows[record.image.digest] = ImageRow{
                .reference = "",
                .digest = record.image.digest,
                .size = record.image.size,
                .created_at = record.created_at,
                .used_by = uses[record.image.digest],
                .layers = record.image.layers.size()};
    }
    std::vector<ImageRow> out;
    for (const auto& reference : parts_.records->references()) {
        const auto found = rows.find(reference.digest);
        if (found == rows.end()) continue;
        out.push_back(found->second);
        out.back().reference = reference.asked;
        named.insert(reference.digest);
    }
    // What a tag once named and does not any more.
    for (auto& [digest, row] : rows) {
        if (!named.contains(digest)) out.push_back(std::move(row));
    }
    return out;
}

base::Result<ImagesOnDisk::Named> ImagesOnDisk::look_up(std::string_view text) const {
    if (const auto image = parts_.records->image(text)) return Named{.digest = image->image.digest};
    for (const auto& reference : parts_.records->references()) {
        if (reference.asked == text || reference.name == text)
            return Named{.digest = reference.digest, .reference = reference.name};
    }
    if (const auto parsed = parse_reference(text); parsed && parsed->source == Source::registry) {
        const auto target = TRY(parts_.registries->target(*parsed));
        if (const auto known = parts_.records->reference(target.name)) {
            return Named{.digest = known->digest, .reference = known->name};
        }
    }
    auto digits = text.starts_with("sha256:") ? text.substr(7) : text;
    std::vector<std::string> matches;
    for (const auto& record : parts_.records->images()) {
        const auto& digest = record.image.digest;
        if (digits.size() >= kShortestDigest &&
            std::string_view(digest).substr(digest.find(':') + 1).starts_with(digits)) {
            matches.push_back(digest);
        }
    }
    if (matches.size() == 1) return Named{.digest = matches.front()};
    if (matches.size() > 1)
        return base::fail(base::Errc::invalid, "'{}' stands for {} images", text, matches.size());
    return base::fail(base::Errc::not_found, "no image '{}' is here", text);
}

base::Result<Image> ImagesOnDisk::inspect(std::string_view reference_or_digest) {
    const auto named = TRY(look_up(reference_or_digest));
    auto record = parts_.records->image(named.digest);
    if (!record)
        return base::fail(base::Errc::not_found, "no image '{}' is here", reference_or_digest);
    return std::move(record->image);
}

base::Result<std::vector<TrustDecision>> ImagesOnDisk::decisions(
        std::string_view reference_or_digest) {
    const auto named = TRY(look_up(reference_or_digest));
    std::vector<TrustDecision> out;
    for (const auto& reference : parts_.records->references()) {
        // A name that has moved on without a policy keeps no evidence of what it was.
        const auto& trust = reference.trust;
        if (reference.digest == named.digest && trust && trust->digest == named.digest)
            out.push_back(*trust);
    }
    return out;
}

base::Result<void> ImagesOnDisk::remove(std::string_view reference_or_digest) {
    const auto named = TRY(look_up(reference_or_digest));
    std::size_t names = 0;
    for (const auto& reference : parts_.records->references())
        names += reference.digest == named.digest ? 1U : 0U;
    // One of several names: the image stays under the others.
    if (!named.reference.empty() && names > 1)
        return parts_.records->remove_reference(named.reference);
    TRY(parts_.records->remove_image(named.digest));
    (void)TRY(drop_unused_layers());
    return base::ok;
}

base::Result<std::uint64_t> ImagesOnDisk::prune() {
    return prune_unused_for(std::chrono::seconds(0));
}

// Layers of no image that no pull relies on. Bytes freed.
base::Result<std::uint64_t> ImagesOnDisk::drop_unused_layers() {
    const std::atomic<bool> never{false};
    std::uint64_t freed = 0;
    if (parts_.records->has_unknown_holds()) return freed;
    TRY(drop_retired_layers());
    for (const auto& layer : TRY(parts_.layers->list())) {
        const auto needed = [this, &layer] {
            return pins_.has(layer) || parts_.records->uses_layer(layer);
        };
        if (needed()) continue;
        // A pull pins first and then passes the gate: after passing it, what is not pinned stays
        // unused until we leave.
        const auto pass = TRY(gate_.enter(layer, never));
        if (!needed()) freed += TRY(parts_.layers->remove(layer));
    }
    return freed;
}

base::Result<void> ImagesOnDisk::recover() {
    for (const auto& name : TRY(base::sys::list_directory(parts_.scratch))) {
        TRY(base::sys::remove_tree_at(parts_.scratch, name));
    }
    TRY(parts_.layers->recover());
    TRY(parts_.records->sweep());
    for (const auto& record : parts_.records->images()) {
        const auto& layers = record.image.layers;
        const bool whole = std::all_of(layers.begin(), layers.end(), [this](const auto& layer) {
            return parts_.layers->find(layer).has_value();
        });
        if (whole) continue;
        auto removed = parts_.records->remove_image(record.image.digest);
        // Held by a container that lives: it keeps what it has mounted.
        if (!removed && removed.error().kind != base::Errc::conflict)
            return std::move(removed).error();
    }
    (void)TRY(drop_unused_layers());
    return base::ok;
}

}  // namespace rootfs
