#include "rootfs/trust/cosign.hpp"

#include "base/fail.hpp"
#include "rootfs/image/manifest.hpp"
#include "rootfs/trust/encoding.hpp"
#include "rootfs/trust/strict.hpp"

namespace rootfs::trust {

namespace {

constexpr const char* kWhat = "signature manifest";
constexpr std::string_view kLayerType = "application/vnd.dev.cosign.simplesigning.v1+json";
constexpr const char* kAnnotation = "dev.cosignproject.cosign/signature";
constexpr std::size_t kMaxSignatureText = 16'384;  // of an RSA key of 8192 bits: 1368

base::Result<CosignSignature> parse_layer(const Json& layer) {
    CosignSignature out;
    const auto digest = TRY(required_text(layer, "digest", "signature layer"));
    out.payload = TRY(parse_digest(digest));
    out.size = TRY(size_member(layer, "size", "signature layer"));
    if (out.size == 0 || out.size > kMaxSignatureBytes) {
        return base::fail(
                base::Errc::exhausted, "{}: a payload of {} bytes, allowed are 1 to {}", kWhat,
                out.size, kMaxSignatureBytes);
    }
    const Json& annotations = *TRY(required(layer, "annotations", "signature layer"));
    const auto text = TRY(required_text(annotations, kAnnotation, "annotations"));
    if (text.size() > kMaxSignatureText) {
        return base::fail(
                base::Errc::exhausted, "{}: a signature of {} characters, the limit is {}", kWhat,
                text.size(), kMaxSignatureText);
    }
    out.signature = TRY(decode_base64(text).context("annotations: " + std::string(kAnnotation)));
    return out;
}

}  // namespace

std::string signature_tag(const Digest& image) {
    return std::string(algorithm_of(image)) + "-" + std::string(hex_of(image)) + ".sig";
}

base::Result<std::vector<CosignSignature>> parse_signature_manifest(std::string_view text) {
    if (text.size() > kMaxManifest) {
        return base::fail(
                base::Errc::exhausted, "{}: {} bytes, the limit is {}", kWhat, text.size(),
                kMaxManifest);
    }
    const auto json = TRY(parse_json(text, kWhat));
    if (!json.is_object()) return base::fail(base::Errc::corrupt, "{} is no object", kWhat);
    if (json.contains("manifests"))
        return base::fail(base::Errc::corrupt, "{} is an index", kWhat);  // IMG-03
    const Json& layers = *TRY(required(json, "layers", kWhat));
    if (!layers.is_array())
        return base::fail(base::Errc::corrupt, "{}: 'layers' is no list", kWhat);
    if (layers.size() > kMaxSignatures) {
        return base::fail(
                base::Errc::exhausted, "{}: {} signatures, the limit is {}", kWhat, layers.size(),
                kMaxSignatures);
    }
    std::vector<CosignSignature> out;
    for (const auto& layer : layers) {
        const auto type = TRY(text_member(layer, "mediaType", "signature layer"));
        if (type != kLayerType) continue;
        out.push_back(TRY(parse_layer(layer)));
    }
    return out;
}

}  // namespace rootfs::trust
