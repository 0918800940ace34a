// What runs, as its author desired it: the part that desired LRPs and tasks have in common
// (bbs-api §6). Used by brain and rep.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "executor/api/types.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brain::api {

using executor::api::Action;
using executor::api::CachedDependency;
using executor::api::CertificateProperties;
using executor::api::CheckDefinition;
using executor::api::EgressRule;
using executor::api::EnvironmentVariable;
using executor::api::MountedFile;
using executor::api::Network;

enum class DynamicTag : std::uint8_t { none, index, instance_guid };  // wire: "INDEX", …

// Exactly one of the two.
struct MetricTagValue {
    std::string fixed;  // wire: static
    DynamicTag dynamic = DynamicTag::none;
    bool operator==(const MetricTagValue&) const = default;
};

enum class LayerType : std::uint8_t { invalid, shared, exclusive };
enum class MediaType : std::uint8_t { invalid, tgz, tar, zip };
enum class DigestAlgorithm : std::uint8_t { invalid, sha256, sha512 };

struct ImageLayer {
    std::string name;
    std::string url;
    std::string destination_path;
    LayerType layer_type = LayerType::invalid;
    MediaType media_type = MediaType::invalid;
    DigestAlgorithm digest_algorithm = DigestAlgorithm::invalid;
    std::string digest_value;
    bool operator==(const ImageLayer&) const = default;
};

struct SharedDevice {
    std::string volume_id;
    std::string mount_config;  // JSON text of an object, or empty
    bool operator==(const SharedDevice&) const = default;
};

struct VolumeMount {
    std::string driver;
    std::string container_dir;
    std::string mode;  // "r", "rw"
    std::optional<SharedDevice> shared;
    bool operator==(const VolumeMount&) const = default;
};

struct LogRateLimit {
    std::int64_t bytes_per_second = 0;  // -1: unlimited
    bool operator==(const LogRateLimit&) const = default;
};

struct Definition {
    std::string rootfs;
    std::vector<EnvironmentVariable> env;
    std::optional<Action> action;
    std::int32_t disk_mb = 0;
    std::int32_t memory_mb = 0;
    std::int32_t max_pids = 0;
    std::uint32_t cpu_weight = 0;
    bool privileged = false;
    std::string log_source;
    std::string log_guid;
    std::string metrics_guid;
    std::string annotation;
    std::vector<EgressRule> egress_rules;
    std::vector<CachedDependency> cached_dependencies;
    std::string legacy_download_user;
    std::string trusted_system_certificates_path;
    std::vector<VolumeMount> volume_mounts;
    Network network;
    std::vector<std::string> placement_tags;
    CertificateProperties certificate_properties;
    std::string image_username;
    std::string image_password;
    std::vector<ImageLayer> image_layers;
    std::optional<LogRateLimit> log_rate_limit;  // none: unlimited
    std::map<std::string, MetricTagValue> metric_tags;
    std::vector<MountedFile> volume_mounted_files;
    bool operator==(const Definition&) const = default;
};

void to_json(base::json::Writer& w, const MetricTagValue& v);
void to_json(base::json::Writer& w, const ImageLayer& v);
void to_json(base::json::Writer& w, const SharedDevice& v);
void to_json(base::json::Writer& w, const VolumeMount& v);
void to_json(base::json::Writer& w, const LogRateLimit& v);
void to_json(base::json::Writer& w, const Definition& v);

base::Result<void> from_json(const base::json::Node& node, MetricTagValue& v);
base::Result<void> from_json(const base::json::Node& node, ImageLayer& v);
base::Result<void> from_json(const base::json::Node& node, SharedDevice& v);
base::Result<void> from_json(const base::json::Node& node, VolumeMount& v);
base::Result<void> from_json(const base::json::Node& node, LogRateLimit& v);
base::Result<void> from_json(const base::json::Node& node, Definition& v);

}  // namespace brain::api
