// The small text beside an unpacked tree that says what was unpacked: "key value" lines. Used by
// rootfs/store/layers.
#pragma once

#include "base/result.hpp"
#include "rootfs/store/layers.hpp"

#include <string>
#include <string_view>

namespace rootfs {

std::string print_layer_record(const LayerInfo& info);
base::Result<LayerInfo> parse_layer_record(std::string_view text);

// "sha256:ab…" <-> the name of its directory. A key is 1 to 200 of [A-Za-z0-9._:-] and begins with
// a letter or digit.
base::Result<std::string> layer_directory_name(std::string_view diff_id);
std::string diff_id_of(std::string_view directory_name);

}  // namespace rootfs
