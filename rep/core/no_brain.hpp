// The brain of a cell that has none: every call fails as one of a brain that is away, so that
// nothing is ever decided by it. Used by the class Rep, which then neither compares nor holds a
// presence.
#pragma once

#include "brain/api/brain.hpp"

namespace rep::core {

class NoBrain final : public brain::api::Brain {
  public:
    base::Result<void> claim_actual_lrp(
            const brain::api::LrpKey& key, const brain::api::InstanceKey& instance) override;
    base::Result<void> start_actual_lrp(const brain::api::RunningLrp& running) override;
    base::Result<void> crash_actual_lrp(
            const brain::api::LrpKey& key,
            const brain::api::InstanceKey& instance,
            std::string_view reason) override;
    base::Result<void> remove_actual_lrp(
            const brain::api::LrpKey& key, const brain::api::InstanceKey& instance) override;
    base::Result<void> remove_evacuating_actual_lrp(
            const brain::api::LrpKey& key, const brain::api::InstanceKey& instance) override;
    base::Result<bool> evacuate_claimed_actual_lrp(
            const brain::api::LrpKey& key, const brain::api::InstanceKey& instance) override;
    base::Result<bool> evacuate_running_actual_lrp(const brain::api::RunningLrp& running) override;
    base::Result<bool> evacuate_stopped_actual_lrp(
            const brain::api::LrpKey& key, const brain::api::InstanceKey& instance) override;
    base::Result<bool> evacuate_crashed_actual_lrp(
            const brain::api::LrpKey& key,
            const brain::api::InstanceKey& instance,
            std::string_view reason) override;
    base::Result<brain::api::DesiredLrp> desired_lrp(std::string_view process_guid) override;
    base::Result<bool> start_task(std::string_view task_guid, std::string_view cell_id) override;
    base::Result<brain::api::Task> task(std::string_view task_guid) override;
    base::Result<void> complete_task(const brain::api::TaskOutcome& outcome) override;
    base::Result<void> reject_task(std::string_view task_guid, std::string_view reason) override;
    base::Result<std::vector<brain::api::ActualLrp>> actual_lrps(std::string_view cell_id) override;
    base::Result<std::vector<brain::api::Task>> tasks(std::string_view cell_id) override;
    base::Result<brain::api::SyncAnswer> sync(
            std::string_view cell_id, std::string_view digest) override;
    base::Result<void> put_presence(
            const brain::api::CellPresence& presence,
            std::string_view owner,
            std::chrono::milliseconds time_to_live) override;
    base::Result<void> release_presence(std::string_view cell_id, std::string_view owner) override;
};

}  // namespace rep::core
