// From what people type as an image to the URI that the engine takes. Used by run, container create
// and image.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace cli {

// A URI ("docker://…", "oci:///…", "preloaded:x") or an absolute path stays; "./dir" becomes
// absolute; a docker-style name "host:5000/team/app:1" or "busybox" becomes
// "docker://host:5000/team/app#1", "docker:///busybox".
base::Result<std::string> image_uri(std::string_view name, std::string_view working_directory);
// The same below the working directory of the process; a digest alone names an image of the store.
base::Result<std::string> stored_image(const std::string& name);

}  // namespace cli
