// The members of a definition, listed once: they lie flat in a desired LRP and stand alone in a
// task. Private to brain/api.
#pragma once

#include "brain/api/definition.hpp"

namespace brain::api {

template <class V>
void describe(V& v, Definition& o) {
    v.always("rootfs", o.rootfs);
    v.always("env", o.env);
    v.always("action", o.action);
    v.always("disk_mb", o.disk_mb);
    v.always("memory_mb", o.memory_mb);
    v.always("max_pids", o.max_pids);
    v.always("cpu_weight", o.cpu_weight);
    v.always("privileged", o.privileged);
    v.always("log_source", o.log_source);
    v.always("log_guid", o.log_guid);
    v.omit("metrics_guid", o.metrics_guid);
    v.omit("annotation", o.annotation);
    v.omit("egress_rules", o.egress_rules);
    v.omit("cached_dependencies", o.cached_dependencies);
    v.omit("legacy_download_user", o.legacy_download_user);
    v.omit("trusted_system_certificates_path", o.trusted_system_certificates_path);
    v.omit("volume_mounts", o.volume_mounts);
    v.omit("network", o.network);
    v.omit("placement_tags", o.placement_tags);
    v.omit("certificate_properties", o.certificate_properties);
    v.omit("image_username", o.image_username);
    v.omit("image_password", o.image_password);
    v.omit("image_layers", o.image_layers);
    v.omit("log_rate_limit", o.log_rate_limit);
    v.omit("metric_tags", o.metric_tags);
    v.omit("volume_mounted_files", o.volume_mounted_files);
}

}  // namespace brain::api
