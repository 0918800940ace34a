// HttpBrain: the brain as a cell calls it. Knows several brains of one cluster and stays with the
// one that leads: an unreachable brain, or one that does not lead, is passed over, each once per
// call. Used by celld. Safe from any thread.
#pragma once

#include "base/http/client.hpp"
#include "brain/api/brain.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace brain::link {

struct HttpBrainConfig {
    std::vector<base::http::ClientConfig> brains;
    std::chrono::milliseconds timeout{10'000};  // of one attempt (lifecycle §9)
};

class HttpBrain final : public api::Brain {
  public:
    explicit HttpBrain(HttpBrainConfig config);

    base::Result<void> claim_actual_lrp(
            const api::LrpKey& key, const api::InstanceKey& instance) override;
    base::Result<void> start_actual_lrp(const api::RunningLrp& running) override;
    base::Result<void> crash_actual_lrp(
            const api::LrpKey& key,
            const api::InstanceKey& instance,
            std::string_view reason) override;
    base::Result<void> remove_actual_lrp(
            const api::LrpKey& key, const api::InstanceKey& instance) override;
    base::Result<void> remove_evacuating_actual_lrp(
            const api::LrpKey& key, const api::InstanceKey& instance) override;
    base::Result<bool> evacuate_claimed_actual_lrp(
            const api::LrpKey& key, const api::InstanceKey& instance) override;
    base::Result<bool> evacuate_running_actual_lrp(const api::RunningLrp& running) override;
    base::Result<bool> evacuate_stopped_actual_lrp(
            const api::LrpKey& key, const api::InstanceKey& instance) override;
    base::Result<bool> evacuate_crashed_actual_lrp(
            const api::LrpKey& key,
            const api::InstanceKey& instance,
            std::string_view reason) override;
    base::Result<api::DesiredLrp> desired_lrp(std::string_view process_guid) override;
    base::Result<bool> start_task(std::string_view task_guid, std::string_view cell_id) override;
    base::Result<api::Task> task(std::string_view task_guid) override;
    base::Result<void> complete_task(const api::TaskOutcome& outcome) override;
    base::Result<void> reject_task(std::string_view task_guid, std::string_view reason) override;
    base::Result<std::vector<api::ActualLrp>> actual_lrps(std::string_view cell_id) override;
    base::Result<std::vector<api::Task>> tasks(std::string_view cell_id) override;
    base::Result<api::SyncAnswer> sync(std::string_view cell_id, std::string_view digest) override;
    base::Result<void> put_presence(
            const api::CellPresence& presence,
            std::string_view owner,
            std::chrono::milliseconds time_to_live) override;
    base::Result<void> release_presence(std::string_view cell_id, std::string_view owner) override;

  private:
    // The answer's body; tries every brain once, the last good one first.
    base::Result<std::string> call(std::string_view name, const std::string& body);
    base::Result<std::string> ask(
            base::http::Client& brain, std::string_view name, const std::string& body) const;
    template <class Answer, class Call>
    base::Result<Answer> answer_to(std::string_view name, const Call& call);

    const std::chrono::milliseconds timeout_;
    std::vector<std::unique_ptr<base::http::Client>> brains_;
    std::atomic<std::size_t> leader_{0};  // who answered last
};

}  // namespace brain::link
