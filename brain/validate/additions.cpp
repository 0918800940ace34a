// What definitions have today and had not in 2015 (bbs-api §5).
#include "base/fail.hpp"
#include "brain/validate/parts.hpp"

#include <algorithm>

namespace brain::validate {

namespace {

void check_dependencies(Violations& found, const api::Definition& definition) {
    const auto& list = definition.cached_dependencies;
    check_count(found, "cached_dependencies", list.size(), kMaxDependencies);
    for (std::size_t i = 0; i < list.size() && !found.full(); ++i) {
        const auto path = base::format("cached_dependencies[{}]", i);
        Violations inner;
        if (list[i].from.empty()) inner.add("from", path + ".from: must not be empty");
        if (list[i].to.empty()) inner.add("to", path + ".to: must not be empty");
        const auto sum = executor::api::validate_checksum(
                list[i].checksum_algorithm, list[i].checksum_value, path);
        if (!sum) inner.add("checksum", sum.error().text);
        found.add_within("cached_dependencies", inner);
    }
}

void check_layers(Violations& found, const api::Definition& definition) {
    const auto& list = definition.image_layers;
    check_count(found, "image_layers", list.size(), kMaxDependencies);
    for (std::size_t i = 0; i < list.size() && !found.full(); ++i) {
        const auto& layer = list[i];
        const auto path = base::format("image_layers[{}]", i);
        Violations inner;
        if (layer.url.empty()) inner.add("url", path + ".url: must not be empty");
        if (layer.destination_path.empty())
            inner.add("destination_path", path + ".destination_path: must not be empty");
        if (layer.layer_type == api::LayerType::invalid)
            inner.add("layer_type", path + ".layer_type: is required");
        if (layer.media_type == api::MediaType::invalid)
            inner.add("media_type", path + ".media_type: is required");
        const bool algorithm = layer.digest_algorithm != api::DigestAlgorithm::invalid;
        const bool exclusive = layer.layer_type == api::LayerType::exclusive;
        if (algorithm == layer.digest_value.empty() || (exclusive && !algorithm))
            inner.add(
                    "digest_value",
                    path + ": digest_algorithm and digest_value are both required, or none of them "
                           "for a shared layer");
        if (exclusive && definition.legacy_download_user.empty())
            inner.add(
                    "legacy_download_user",
                    "legacy_download_user: required with an exclusive layer");
        found.add_within("image_layers", inner);
    }
}

void check_mounts(Violations& found, const api::Definition& definition) {
    const auto& list = definition.volume_mounts;
    check_count(found, "volume_mounts", list.size(), kMaxMounts);
    for (std::size_t i = 0; i < list.size() && !found.full(); ++i) {
        const auto& mount = list[i];
        const auto path = base::format("volume_mounts[{}]", i);
        Violations inner;
        if (mount.driver.empty()) inner.add("driver", path + ".driver: must not be empty");
        if (mount.mode != "r" && mount.mode != "rw")
            inner.add("mode", base::format("{}.mode: '{}' is not r or rw", path, mount.mode));
        if (!mount.container_dir.starts_with('/'))
            inner.add("container_dir", path + ".container_dir: not an absolute path");
        if (mount.shared && mount.shared->volume_id.empty())
            inner.add("volume_id", path + ".shared.volume_id: must not be empty");
        found.add_within("volume_mounts", inner);
    }
}

void check_files(Violations& found, const api::Definition& definition) {
    const auto& list = definition.volume_mounted_files;
    check_count(found, "volume_mounted_files", list.size(), kMaxMounts);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
        bytes += list[i].content.size();
        // It becomes a path below one directory, also on the cell's host.
        if (list[i].path.empty() || ("/" + list[i].path + "/").find("/../") != std::string::npos)
            found.add(
                    "volume_mounted_files",
                    base::format("volume_mounted_files[{}].path: leaves its directory", i));
    }
    if (bytes > kMaxMountedBytes)
        found.add(
                "volume_mounted_files", base::format(
                                                "volume_mounted_files: {} bytes, the limit is {}",
                                                bytes, kMaxMountedBytes));
}

void check_list(
        Violations& found, const std::vector<executor::api::Check>& list, const std::string& path) {
    check_count(found, path, list.size(), kMaxChecks);
    for (std::size_t i = 0; i < list.size() && !found.full(); ++i) {
        const auto& one = list[i];
        const auto place = base::format("{}[{}]", path, i);
        if (one.tcp_check.has_value() == one.http_check.has_value()) {
            found.add("check", place + ": exactly one of tcp_check and http_check");
        } else if ((one.tcp_check ? one.tcp_check->port : one.http_check->port) == 0) {
            found.add("port", place + ".port: 0 is not in 1..65535");
        }
        // It goes into a request line as it is.
        if (one.http_check &&
            std::ranges::any_of(one.http_check->path, [](char c) { return c <= ' ' || c > '~'; }))
            found.add("path", place + ".path: blanks or control characters");
    }
}

}  // namespace

Violations validate_checks(const api::CheckDefinition& checks, std::string_view path) {
    Violations found;
    check_list(found, checks.checks, std::string(path) + ".checks");
    check_list(found, checks.readiness_checks, std::string(path) + ".readiness_checks");
    return found;
}

void check_additions(Violations& found, const api::Definition& definition, const Rules& rules) {
    if (!rules.negative_sizes) {
        check_size(found, "memory_mb", "memory_mb", definition.memory_mb);
        check_size(found, "disk_mb", "disk_mb", definition.disk_mb);
    }
    check_size(found, "max_pids", "max_pids", definition.max_pids);
    if (definition.log_rate_limit && definition.log_rate_limit->bytes_per_second < -1)
        found.add(
                "log_rate_limit", base::format(
                                          "log_rate_limit.bytes_per_second: {} is below -1",
                                          definition.log_rate_limit->bytes_per_second));
    check_credentials(
            found, !definition.image_username.empty(), !definition.image_password.empty());
    check_dependencies(found, definition);
    check_mounts(found, definition);
    check_layers(found, definition);
    check_files(found, definition);
    check_count(found, "placement_tags", definition.placement_tags.size(), kMaxTags);
    check_count(found, "network", definition.network.properties.size(), kMaxTags);
    check_count(
            found, "certificate_properties",
            definition.certificate_properties.organizational_unit.size(), kMaxTags);
}

}  // namespace brain::validate
