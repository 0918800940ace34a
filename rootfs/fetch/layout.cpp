#include "rootfs/fetch/layout.hpp"

#include "base/fail.hpp"
#include "rootfs/image/json.hpp"

namespace rootfs {

namespace {

constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";

std::string blob_name(const Digest& digest) {
    return base::format("blobs/{}/{}", algorithm_of(digest), hex_of(digest));
}

// The entries of index.json that `tag` names; all of them without a tag.
base::Result<std::vector<IndexEntry>> tagged(
        std::vector<IndexEntry> entries, const std::string& tag) {
    if (tag.empty()) {
        if (entries.empty()) return base::fail(base::Errc::not_found, "the layout has no image");
        return entries;
    }
    std::vector<IndexEntry> out;
    std::string known;
    for (auto& entry : entries) {
        if (known.size() < 500 && !entry.name.empty()) known += " " + entry.name.substr(0, 128);
        if (entry.name == tag) out.push_back(std::move(entry));
    }
    if (out.empty()) {
        return base::fail(
                base::Errc::not_found, "the layout has no image '{}'; it has:{}", tag,
                known.empty() ? " no names" : known);
    }
    return out;
}

}  // namespace

base::Result<std::string> LayoutSource::blob(
        const Descriptor& descriptor, std::size_t limit) const {
    const auto what = "blob " + descriptor.digest.get();
    const auto part = TRY(files_->open(blob_name(descriptor.digest)));
    auto text = TRY(read_part(part, limit, what));
    Hasher hasher(descriptor.digest);
    hasher.update(text);
    const auto found = hasher.finish();
    if (found != descriptor.digest || text.size() != descriptor.size) {
        return base::fail(
                base::Errc::corrupt, "{}: {} bytes with digest {}, expected {} bytes", what,
                text.size(), found.get(), descriptor.size);
    }
    return text;
}

base::Result<Resolved> LayoutSource::resolve(const Cancelled& cancelled) {
    const auto marker = TRY(read_part(TRY(files_->open("oci-layout")), 64 << 10, "oci-layout"));
    const Json version = TRY(parse_json(marker, "oci-layout"));
    const auto number = TRY(text_member(version, "imageLayoutVersion", "oci-layout"));
    if (!number.starts_with("1.")) {
        return base::fail(
                base::Errc::unsupported, "layout version '{}' is not 1.x", number.substr(0, 32));
    }
    const auto index_text =
            TRY(read_part(TRY(files_->open("index.json")), kMaxManifest, "index.json"));
    auto index = TRY(parse_document(index_text, kIndexType).context("index.json"));
    auto entries = TRY(tagged(std::move(index.entries), tag_));
    if (tag_.empty() && entries.size() > 1 && !entries.front().name.empty() &&
        entries.front().name != entries.back().name) {
        return base::fail(
                base::Errc::invalid, "the layout has {} images (hint: append :TAG)",
                entries.size());
    }
    Resolved out;
    const auto platform = this_platform();
    auto entry = TRY(choose(entries, platform));
    out.digest = entry.manifest.digest;
    for (int depth = 0;; ++depth) {
        if (cancelled.load()) return cancelled_error();
        auto document = TRY(
                parse_document(TRY(blob(entry.manifest, kMaxManifest)), entry.manifest.media_type));
        if (!document.is_index) {
            out.manifest = std::move(document.manifest);
            break;
        }
        if (depth >= kMaxIndexDepth) {
            return base::fail(
                    base::Errc::exhausted, "indexes are nested deeper than {}", kMaxIndexDepth);
        }
        entry = TRY(choose(document.entries, platform));
    }
    out.config = TRY(blob(out.manifest.config, kMaxConfig));
    return out;
}

base::Result<base::Fd> LayoutSource::layer(
        const Descriptor& layer,
        base::FdRef scratch,
        const ByteCount& received,
        const Cancelled& cancelled) {
    const auto part = TRY(files_->open(blob_name(layer.digest)));
    if (part.size != layer.size) {
        return base::fail(
                base::Errc::corrupt, "layer {}: {} bytes, the manifest says {}", layer.digest.get(),
                part.size, layer.size);
    }
    return copy_part(part, layer.digest, scratch, received, cancelled);
}

base::Result<Resolved> DockerArchiveSource::resolve(const Cancelled&) {
    const auto text =
            TRY(read_part(TRY(files_->open("manifest.json")), kMaxManifest, "manifest.json"));
    const Json list = TRY(parse_json(text, "manifest.json"));
    if (!list.is_array() || list.empty() || list.size() > kMaxIndexEntries) {
        return base::fail(
                base::Errc::corrupt, "manifest.json must be a list of 1 to {} images",
                kMaxIndexEntries);
    }
    const Json* chosen = name_.empty() && list.size() == 1 ? &list.front() : nullptr;
    for (const auto& image : list) {
        for (const auto& name : TRY(texts_member(image, "RepoTags", "manifest.json"))) {
            if (name == name_) chosen = &image;
        }
    }
    if (chosen == nullptr && name_.empty()) {
        return base::fail(
                base::Errc::invalid, "the archive has {} images (hint: append :NAME:TAG)",
                list.size());
    }
    if (chosen == nullptr)
        return base::fail(base::Errc::not_found, "the archive has no image '{}'", name_);
    const auto layers = TRY(texts_member(*chosen, "Layers", "manifest.json"));
    if (layers.empty() || layers.size() > kMaxLayers) {
        return base::fail(
                base::Errc::corrupt, "manifest.json: {} layers, allowed are 1 to {}", layers.size(),
                kMaxLayers);
    }
    Resolved out;
    const auto config_name = TRY(text_member(*chosen, "Config", "manifest.json"));
    out.config = TRY(read_part(TRY(files_->open(config_name)), kMaxConfig, "image config"));
    out.digest = sha256(out.config);  // docker's image id
    std::uint64_t total = 0;
    for (const auto& name : layers) {
        const auto part = TRY(files_->open(name));
        total += part.size;
        if (total > kMaxImageBytes) {
            return base::fail(
                    base::Errc::exhausted, "the layers exceed the limit of {} bytes",
                    kMaxImageBytes);
        }
        out.manifest.layers.push_back(
                Descriptor{.size = part.size, .packing = Packing::unknown, .member = name});
    }
    return out;
}

base::Result<base::Fd> DockerArchiveSource::layer(
        const Descriptor& layer,
        base::FdRef scratch,
        const ByteCount& received,
        const Cancelled& cancelled) {
    return copy_part(TRY(files_->open(layer.member)), Digest{}, scratch, received, cancelled);
}

}  // namespace rootfs
