// From wire types to the engine's specifications and back: the checks that only concern the wire.
// Used by the routes.
#pragma once

#include "garden/api/extensions.hpp"
#include "garden/api/types.hpp"
#include "garden/engine/engine.hpp"

#include <cstdint>

namespace garden::server {

OutRuleSpec to_rule(api::NetOutRule wire);

base::Result<ContainerSpec> to_spec(api::ContainerSpec wire);
base::Result<ProcessSpec> to_spec(api::ProcessSpec wire);
// Zero columns mean 80, zero rows 24 (garden-api 7.2).
base::Result<WindowSize> to_window(const api::WindowSize& wire);

api::ContainerInfo to_wire(ContainerInfo info);
api::Metrics to_wire(const ContainerMetrics& metrics);
api::Capacity to_wire(const Capacity& capacity);
api::Image to_wire(const rootfs::Image& image);
api::ImageRow to_wire(const rootfs::ImageRow& row);
api::PullProgress to_wire(const rootfs::Progress& progress);
api::ProcessRow to_wire(const ProcessRow& row);
api::Orphan to_wire(const Orphan& orphan);

// Where an image comes from, as far as one place may be slow: "docker:host", or "" for what is on
// this host.
std::string image_source(std::string_view uri);

}  // namespace garden::server
