// Pulling an image with progress for the person who waits. Used by run and image pull.
#pragma once

#include "base/result.hpp"
#include "cli/context.hpp"
#include "garden/api/extensions.hpp"

namespace cli {

base::Result<garden::api::Image> pull_image(Context& context, const garden::api::ImageRef& image);
// The image as the daemon has it; pulled when it has not.
base::Result<garden::api::Image> ensure_image(Context& context, const garden::api::ImageRef& image);

}  // namespace cli
