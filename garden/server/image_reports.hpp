// What the image store says on its own: decisions of the policy, damage, collections. Put into the
// log, since libraries do not log. Used by main.
#pragma once

#include "base/log.hpp"
#include "rootfs/images.hpp"

namespace garden::server {

// `log` outlives the engine that is started with `images`.
void report_images(rootfs::ImagesConfig& images, const base::log::Logger& log);

}  // namespace garden::server
