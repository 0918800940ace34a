// From the brain's records to run requests, and from containers to what records say of them
// (executor-rep §16). Pure. Used by rep/core.
#pragma once

#include "brain/api/brain.hpp"
#include "executor/api/types.hpp"
#include "rep/plan/cell.hpp"

namespace rep::plan {

// Errc::invalid names the field; "preloaded rootfs path not found" for a stack that the cell lost.
base::Result<executor::api::RunRequest> run_request(
        const brain::api::DesiredLrp& desired,
        const brain::api::LrpKey& key,
        const std::string& instance_guid,
        const Cell& cell);
base::Result<executor::api::RunRequest> run_request(const brain::api::Task& task, const Cell& cell);

brain::api::NetInfo net_info(const executor::api::Container& container);
// What `start` tells the brain about a running container.
brain::api::RunningLrp running_lrp(
        const executor::api::Container& container, const brain::api::LrpKey& key, const Cell& cell);

}  // namespace rep::plan
