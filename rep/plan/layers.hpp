// Image layers: what becomes a cached dependency, what a download before the work, what a part of
// the root filesystem (bbs-api §4, executor-rep §15). Private to rep/plan.
#pragma once

#include "brain/api/definition.hpp"

#include <optional>
#include <string>
#include <vector>

namespace rep::plan {

struct Layers {
    std::string rootfs;
    std::vector<brain::api::CachedDependency> dependencies;  // shared layers
    std::vector<brain::api::Action> downloads;               // exclusive ones
};

// With `two_layers`, and on a preloaded root filesystem, the first exclusive tgz layer with a
// sha256 goes into the URL; the others stay downloads.
Layers split_layers(const brain::api::Definition& definition, bool two_layers);
// The downloads side by side, then `after`; nothing when there is nothing to do.
std::optional<brain::api::Action> downloads_then(
        std::vector<brain::api::Action> downloads, std::optional<brain::api::Action> after);

}  // namespace rep::plan
