#include "base/json_describe.hpp"
#include "brain/api/describe_definition.hpp"
#include "brain/api/enum_json.hpp"

namespace brain::api {

namespace {

constexpr auto kDynamic =
        std::to_array<std::string_view>({"DynamicValueInvalid", "INDEX", "INSTANCE_GUID"});
constexpr auto kLayer =
        std::to_array<std::string_view>({"LayerTypeInvalid", "SHARED", "EXCLUSIVE"});
constexpr auto kMedia = std::to_array<std::string_view>({"MediaTypeInvalid", "TGZ", "TAR", "ZIP"});
constexpr auto kDigest =
        std::to_array<std::string_view>({"DigestAlgorithmInvalid", "SHA256", "SHA512"});

}  // namespace

void to_json(base::json::Writer& w, const DynamicTag& v) {
    w.value(kDynamic[static_cast<std::size_t>(v)]);
}

void to_json(base::json::Writer& w, const LayerType& v) {
    w.value(kLayer[static_cast<std::size_t>(v)]);
}

void to_json(base::json::Writer& w, const MediaType& v) {
    w.value(kMedia[static_cast<std::size_t>(v)]);
}

void to_json(base::json::Writer& w, const DigestAlgorithm& v) {
    w.value(kDigest[static_cast<std::size_t>(v)]);
}

base::Result<void> from_json(const base::json::Node& node, DynamicTag& v) {
    return read_word(node, kDynamic, v);
}

base::Result<void> from_json(const base::json::Node& node, LayerType& v) {
    return read_word(node, kLayer, v);
}

base::Result<void> from_json(const base::json::Node& node, MediaType& v) {
    return read_word(node, kMedia, v);
}

base::Result<void> from_json(const base::json::Node& node, DigestAlgorithm& v) {
    return read_word(node, kDigest, v);
}

template <class V>
void describe(V& v, MetricTagValue& o) {
    v.omit("static", o.fixed);
    v.omit("dynamic", o.dynamic);
}

template <class V>
void describe(V& v, ImageLayer& o) {
    v.omit("name", o.name);
    v.always("url", o.url);
    v.always("destination_path", o.destination_path);
    v.always("layer_type", o.layer_type);
    v.always("media_type", o.media_type);
    v.omit("digest_algorithm", o.digest_algorithm);
    v.omit("digest_value", o.digest_value);
}

template <class V>
void describe(V& v, SharedDevice& o) {
    v.always("volume_id", o.volume_id);
    v.always("mount_config", o.mount_config);
}

template <class V>
void describe(V& v, VolumeMount& o) {
    v.always("driver", o.driver);
    v.always("container_dir", o.container_dir);
    v.always("mode", o.mode);
    v.omit("shared", o.shared);
}

template <class V>
void describe(V& v, LogRateLimit& o) {
    v.always("bytes_per_second", o.bytes_per_second);
}

BASE_JSON_DESCRIBED(MetricTagValue)
BASE_JSON_DESCRIBED(ImageLayer)
BASE_JSON_DESCRIBED(SharedDevice)
BASE_JSON_DESCRIBED(VolumeMount)
BASE_JSON_DESCRIBED(LogRateLimit)
BASE_JSON_DESCRIBED(Definition)

}  // namespace brain::api
