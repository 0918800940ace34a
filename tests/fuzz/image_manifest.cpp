// Manifests, indexes and configurations of images: a document is one of them and within every
// bound, or refused (IMG-03, IMG-04, IMG-07).
#include "rootfs/image/manifest.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string_view>

using namespace rootfs;

namespace {

void check(const Descriptor& descriptor) {
    fuzz::require(parse_digest(descriptor.digest.get()).has_value(), "digests are digests");
}

void check(const Manifest& manifest) {
    fuzz::require(
            !manifest.layers.empty() && manifest.layers.size() <= kMaxLayers,
            "an image has 1 to 127 layers");
    check(manifest.config);
    fuzz::require(manifest.config.size <= kMaxConfig, "configurations are bounded");
    std::uint64_t total = 0;
    for (const auto& layer : manifest.layers) {
        check(layer);
        fuzz::require(layer.size <= kMaxImageBytes, "layers are bounded");
        total += layer.size;
    }
    fuzz::require(total <= kMaxImageBytes, "images are bounded");
}

void document(std::string_view text, std::string_view type) {
    const auto parsed = parse_document(text, type);
    if (!parsed) {
        fuzz::require(parsed.error().text.size() < 1000, "errors are short");
        return;
    }
    if (!parsed->is_index) {
        fuzz::require(parsed->entries.empty(), "a manifest is no index");
        return check(parsed->manifest);
    }
    fuzz::require(parsed->manifest.layers.empty(), "an index is no manifest");
    fuzz::require(parsed->entries.size() <= kMaxIndexEntries, "indexes are bounded");
    for (const auto& entry : parsed->entries) check(entry.manifest);
    const Platform wanted{.os = "linux", .architecture = "amd64", .variant = ""};
    if (const auto chosen = choose(parsed->entries, wanted)) {
        const auto& offered = chosen->platform;
        fuzz::require(
                offered.architecture.empty() || offered.architecture == wanted.architecture,
                "the chosen image runs here");
    }
}

void config(std::string_view text) {
    const auto parsed = parse_config(text);
    if (!parsed) return;
    fuzz::require(parsed->diff_ids.size() <= kMaxLayers, "diff ids are bounded");
    for (const auto& diff_id : parsed->diff_ids)
        fuzz::require(parse_digest(diff_id.get()).has_value(), "diff ids are digests");
    const auto& run = parsed->config;
    fuzz::require(
            run.env.size() + run.entrypoint.size() + run.cmd.size() <= kMaxConfigStrings,
            "configurations are bounded");
    for (const auto& variable : run.env) {
        const auto equals = variable.find('=');
        fuzz::require(equals != std::string::npos && equals > 0, "variables have a name");
        fuzz::require(variable.find('\0') == std::string::npos, "variables are C strings");
    }
}

}  // namespace

// First byte: what it came as.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    switch (input.byte() % 5) {
        case 0:
            document(input.rest(), "");
            break;
        case 1:
            document(input.rest(), "application/vnd.oci.image.index.v1+json");
            break;
        case 2:
            document(input.rest(), "application/vnd.docker.distribution.manifest.v2+json; q=1");
            break;
        case 3:
            config(input.rest());
            break;
        default: {
            const auto type = input.until("\n");
            document(input.rest(), type);
            break;
        }
    }
    return 0;
}
