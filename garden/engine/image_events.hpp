// What the image store decides on its own, as events (OBS-04). Used by start.cpp.
#pragma once

#include "rootfs/images.hpp"
#include "security/event_log.hpp"

namespace garden {

// Behind whoever `images` tells already. `events` outlives the store that is opened with it.
void tell_of_images(rootfs::ImagesConfig& images, security::EventLog& events);

}  // namespace garden
