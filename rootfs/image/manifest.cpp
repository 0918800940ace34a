#include "rootfs/image/manifest.hpp"

#include "base/fail.hpp"
#include "rootfs/image/json.hpp"

#include <sys/utsname.h>

#include <utility>

namespace rootfs {

namespace {

constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view kDockerList =
        "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view kSchema1 = "application/vnd.docker.distribution.manifest.v1";

bool is_known(std::string_view type) {
    return type == kDockerManifest || type == kDockerList || type == kOciManifest ||
           type == kOciIndex;
}

bool is_index_type(std::string_view type) {
    return type == kDockerList || type == kOciIndex;
}

// "type/subtype; parameters" without the parameters.
std::string_view bare(std::string_view type) {
    type = type.substr(0, type.find(';'));
    while (type.ends_with(' ')) type.remove_suffix(1);
    while (type.starts_with(' ')) type.remove_prefix(1);
    return type;
}

base::Result<Packing> packing_of(std::string_view media_type) {
    if (media_type.empty()) return Packing::unknown;
    if (media_type.ends_with("tar.gzip") || media_type.ends_with("tar+gzip")) return Packing::gzip;
    if (media_type.ends_with("tar+zstd") || media_type.ends_with("tar.zstd")) return Packing::zstd;
    if (media_type.ends_with(".tar")) return Packing::none;
    return base::fail(
            base::Errc::unsupported, "media type '{}' is not a layer of files",
            media_type.substr(0, 128));
}

base::Result<Descriptor> parse_descriptor(const Json& from, std::string_view what) {
    if (!from.is_object())
        return base::fail(
                base::Errc::corrupt, "{} must be an object, not {}", what, from.type_name());
    Descriptor out;
    out.media_type = TRY(text_member(from, "mediaType", what));
    const auto digest = TRY(text_member(from, "digest", what));
    auto parsed = parse_digest(digest);
    if (!parsed) return base::fail(base::Errc::corrupt, "{}: {}", what, parsed.error().text);
    out.digest = std::move(*parsed);
    out.size = TRY(size_member(from, "size", what));
    return out;
}

base::Result<Manifest> parse_manifest(const Json& document) {
    Manifest out;
    const Json* config = member(document, "config");
    if (config == nullptr)
        return base::fail(base::Errc::corrupt, "manifest: member 'config' is missing");
    out.config = TRY(parse_descriptor(*config, "manifest: config"));
    if (out.config.size > kMaxConfig) {
        return base::fail(
                base::Errc::exhausted, "manifest: config has {} bytes, the limit is {}",
                out.config.size, kMaxConfig);
    }
    const Json* layers = member(document, "layers");
    if (layers == nullptr || !layers->is_array()) {
        return base::fail(base::Errc::corrupt, "manifest: member 'layers' must be a list");
    }
    if (layers->empty())
        return base::fail(base::Errc::unsupported, "manifest: the image has no layers");
    if (layers->size() > kMaxLayers) {
        return base::fail(
                base::Errc::exhausted, "manifest: {} layers, the limit is {}", layers->size(),
                kMaxLayers);
    }
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < layers->size(); ++i) {
        const auto what = base::format("manifest: layer {}", i);
        auto layer = TRY(parse_descriptor((*layers)[i], what));
        layer.packing = TRY(packing_of(layer.media_type).context(what));
        // Each is bounded before the sum, so that the sum cannot wrap.
        if (layer.size > kMaxImageBytes || (total += layer.size) > kMaxImageBytes) {
            return base::fail(
                    base::Errc::exhausted, "manifest: the layers exceed the limit of {} bytes",
                    kMaxImageBytes);
        }
        out.layers.push_back(std::move(layer));
    }
    return out;
}

base::Result<std::vector<IndexEntry>> parse_entries(const Json& document) {
    const Json* manifests = member(document, "manifests");
    if (manifests == nullptr || !manifests->is_array()) {
        return base::fail(base::Errc::corrupt, "index: member 'manifests' must be a list");
    }
    if (manifests->size() > kMaxIndexEntries) {
        return base::fail(
                base::Errc::exhausted, "index: {} entries, the limit is {}", manifests->size(),
                kMaxIndexEntries);
    }
    std::vector<IndexEntry> out;
    for (std::size_t i = 0; i < manifests->size(); ++i) {
        const auto what = base::format("index: entry {}", i);
        const Json& from = (*manifests)[i];
        IndexEntry entry;
        entry.manifest = TRY(parse_descriptor(from, what));
        entry.platform.os = "";
        if (const Json* platform = member(from, "platform"); platform != nullptr) {
            entry.platform.os = TRY(text_member(*platform, "os", what));
            entry.platform.architecture = TRY(text_member(*platform, "architecture", what));
            entry.platform.variant = TRY(text_member(*platform, "variant", what));
        }
        if (const Json* notes = member(from, "annotations"); notes != nullptr) {
            entry.name = TRY(text_member(*notes, "org.opencontainers.image.ref.name", what));
        }
        out.push_back(std::move(entry));
    }
    return out;
}

// IMG-03: the body says what it is, and what carried it must not say otherwise.
base::Result<std::string> agreed_type(const Json& document, std::string_view transport) {
    auto type = TRY(text_member(document, "mediaType", "manifest"));
    if (type.starts_with(kSchema1) || transport.starts_with(kSchema1) ||
        member(document, "fsLayers") != nullptr) {
        return base::fail(
                base::Errc::unsupported,
                "the image has an old schema 1 manifest (hint: push it again with current tools)");
    }
    if (!type.empty() && !is_known(type)) {
        return base::fail(
                base::Errc::unsupported, "media type '{}' is not an image", type.substr(0, 128));
    }
    if (!type.empty() && is_known(transport) && type != transport) {
        return base::fail(
                base::Errc::corrupt, "the manifest says it is '{}' but came as '{}'", type,
                transport);
    }
    const bool index = member(document, "manifests") != nullptr;
    const bool image =
            member(document, "config") != nullptr || member(document, "layers") != nullptr;
    if (index == image) {
        return base::fail(
                base::Errc::corrupt, "the document is {} an index",
                index ? "a manifest and at once" : "neither a manifest nor");
    }
    if (type.empty())
        type = is_known(transport) ? std::string(transport)
                                   : std::string(index ? kOciIndex : kOciManifest);
    if (is_index_type(type) != index) {
        return base::fail(
                base::Errc::corrupt, "the document says it is '{}' but has the members of {}", type,
                index ? "an index" : "a manifest");
    }
    return type;
}

base::Result<ImageConfig> parse_run_config(const Json& from) {
    ImageConfig out;
    for (auto& variable : TRY(texts_member(from, "Env", "image config"))) {
        // Without "=" it sets nothing: other engines drop it too.
        const auto equals = variable.find('=');
        if (equals != std::string::npos && equals != 0) out.env.push_back(std::move(variable));
    }
    out.user = TRY(text_member(from, "User", "image config"));
    out.working_dir = TRY(text_member(from, "WorkingDir", "image config"));
    out.entrypoint = TRY(texts_member(from, "Entrypoint", "image config"));
    out.cmd = TRY(texts_member(from, "Cmd", "image config"));
    out.stop_signal = TRY(text_member(from, "StopSignal", "image config"));
    const auto strings = out.env.size() + out.entrypoint.size() + out.cmd.size();
    if (strings > kMaxConfigStrings) {
        return base::fail(
                base::Errc::exhausted, "image config: {} words, the limit is {}", strings,
                kMaxConfigStrings);
    }
    return out;
}

bool fits(const Platform& offered, const Platform& wanted) {
    if (offered.os != wanted.os || offered.architecture != wanted.architecture) return false;
    return offered.variant.empty() || wanted.variant.empty() || offered.variant == wanted.variant;
}

}  // namespace

Platform this_platform() {
    struct utsname name = {};
    (void)::uname(&name);  // cannot fail with a valid pointer
    const std::string_view machine = name.machine;
    Platform out{.os = "linux", .architecture = std::string(machine), .variant = ""};
    if (machine == "x86_64") out.architecture = "amd64";
    if (machine == "aarch64")
        out = Platform{.os = "linux", .architecture = "arm64", .variant = "v8"};
    if (machine == "armv7l") out = Platform{.os = "linux", .architecture = "arm", .variant = "v7"};
    if (machine == "i686") out.architecture = "386";
    return out;
}

std::string_view accepted_media_types() {
    return "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
           "application/vnd.docker.distribution.manifest.list.v2+json, "
           "application/vnd.docker.distribution.manifest.v2+json";
}

base::Result<Document> parse_document(std::string_view body, std::string_view transport_type) {
    if (body.size() > kMaxManifest) {
        return base::fail(
                base::Errc::exhausted, "the manifest has {} bytes, the limit is {}", body.size(),
                kMaxManifest);
    }
    const Json document = TRY(parse_json(body, "manifest"));
    if (!document.is_object()) {
        return base::fail(
                base::Errc::corrupt, "the manifest must be an object, not {}",
                document.type_name());
    }
    if (const Json* version = member(document, "schemaVersion");
        version != nullptr && *version != 2 && *version != 1) {
        return base::fail(base::Errc::unsupported, "the manifest has an unknown schemaVersion");
    }
    Document out;
    out.media_type = TRY(agreed_type(document, bare(transport_type)));
    out.is_index = is_index_type(out.media_type);
    if (out.is_index) {
        out.entries = TRY(parse_entries(document));
    } else {
        out.manifest = TRY(parse_manifest(document));
    }
    return out;
}

base::Result<IndexEntry> choose(const std::vector<IndexEntry>& entries, const Platform& platform) {
    const IndexEntry* unnamed = nullptr;
    for (const auto& entry : entries) {
        if (fits(entry.platform, platform)) return entry;
        if (entry.platform.architecture.empty() && entry.platform.os.empty() && unnamed == nullptr)
            unnamed = &entry;
    }
    // Layouts of one image often say no platform; its config is checked later.
    if (unnamed != nullptr) return *unnamed;
    std::string offered;
    for (std::size_t i = 0; i < entries.size() && i < 20; ++i) {
        if (entries[i].platform.os == "unknown") continue;  // attestations
        offered += (offered.empty() ? "" : ", ") + entries[i].platform.text().substr(0, 64);
    }
    return base::fail(
            base::Errc::unsupported, "the image has no variant for {}; it offers: {}",
            platform.text(), offered.empty() ? "nothing" : offered);
}

base::Result<ParsedConfig> parse_config(std::string_view body) {
    if (body.size() > kMaxConfig) {
        return base::fail(
                base::Errc::exhausted, "image config has {} bytes, the limit is {}", body.size(),
                kMaxConfig);
    }
    const Json document = TRY(parse_json(body, "image config"));
    if (!document.is_object()) {
        return base::fail(
                base::Errc::corrupt, "image config must be an object, not {}",
                document.type_name());
    }
    ParsedConfig out;
    out.platform.os = TRY(text_member(document, "os", "image config"));
    out.platform.architecture = TRY(text_member(document, "architecture", "image config"));
    const Json* rootfs = member(document, "rootfs");
    if (rootfs == nullptr)
        return base::fail(base::Errc::corrupt, "image config: member 'rootfs' is missing");
    const auto texts = TRY(texts_member(*rootfs, "diff_ids", "image config"));
    if (texts.size() > kMaxLayers) {
        return base::fail(
                base::Errc::exhausted, "image config: {} diff ids, the limit is {}", texts.size(),
                kMaxLayers);
    }
    for (const auto& text : texts) {
        auto diff_id = parse_digest(text);
        if (!diff_id)
            return base::fail(
                    base::Errc::corrupt, "image config: diff id: {}", diff_id.error().text);
        out.diff_ids.push_back(std::move(*diff_id));
    }
    if (const Json* config = member(document, "config"); config != nullptr) {
        if (!config->is_object()) {
            return base::fail(
                    base::Errc::corrupt, "image config: member 'config' must be an object");
        }
        out.config = TRY(parse_run_config(*config));
    }
    return out;
}

base::Result<void> check_pair(
        const Manifest& manifest, const ParsedConfig& config, const Platform& platform) {
    if (manifest.layers.size() != config.diff_ids.size()) {
        return base::fail(
                base::Errc::corrupt, "the manifest has {} layers but the config names {} diff ids",
                manifest.layers.size(), config.diff_ids.size());
    }
    const bool other_os = !config.platform.os.empty() && config.platform.os != platform.os;
    const bool other_machine = !config.platform.architecture.empty() &&
                               config.platform.architecture != platform.architecture;
    if (other_os || other_machine) {
        return base::fail(
                base::Errc::unsupported, "the image is for {}, this machine is {}",
                config.platform.text().substr(0, 64), platform.text());
    }
    return base::ok;
}

}  // namespace rootfs
