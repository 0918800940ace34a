// Core: the brain as its callers see it, leading or not. Campaigns for the lead, reigns while it
// has it, answers Errc::unavailable with the leader's name while another has. Owned by braind; used
// by every API. Safe from any thread.
#pragma once

#include "base/clock.hpp"
#include "brain/api/brain.hpp"
#include "brain/api/public_brain.hpp"
#include "brain/auctioneer/host.hpp"
#include "brain/core/reign.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace brain::core {

enum class Role : std::uint8_t { starting, standby, leader, blind };  // blind: no store

struct Standing {
    Role role = Role::starting;
    std::string leader;  // its name, "" when not known
    std::string text;    // one sentence for people
    std::uint64_t term = 0;
};

class Core final : public api::Brain, public api::PublicBrain, public auctioneer::AuctionHost {
  public:
    // `store`, `effects` and `clock` outlive it.
    Core(Config config, store::Store& store, Effects& effects, const base::Clock& clock);
    ~Core() override;  // stop()

    void start();
    // Gives the lead back, so that another brain need not wait for its end. Idempotent.
    void stop();

    Standing standing() const;
    std::optional<Figures> figures() const;  // nothing while another leads
    base::Result<void> converge_now();
    base::Result<std::shared_ptr<Reign>> reign() const;

    // api::Brain
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

    // api::PublicBrain
    base::Result<void> desire_task(api::Task task) override;
    base::Result<api::TaskPtr> find_task(std::string_view task_guid) override;
    base::Result<std::vector<api::TaskPtr>> list_tasks(std::string_view domain) override;
    base::Result<void> cancel_task(std::string_view task_guid) override;
    base::Result<void> resolve_task(std::string_view task_guid) override;
    base::Result<void> delete_task(std::string_view task_guid) override;
    base::Result<void> desire_lrp(api::DesiredLrp desired) override;
    base::Result<api::DesiredPtr> find_desired_lrp(std::string_view process_guid) override;
    base::Result<std::vector<api::DesiredPtr>> list_desired_lrps(std::string_view domain) override;
    base::Result<void> update_desired_lrp(
            std::string_view process_guid, const api::DesiredLrpUpdate& update) override;
    base::Result<void> remove_desired_lrp(std::string_view process_guid) override;
    base::Result<std::vector<api::ActualLrpGroup>> list_actual_lrps(
            std::string_view domain) override;
    base::Result<std::vector<api::ActualLrpGroup>> list_actual_lrps_of(
            std::string_view process_guid) override;
    base::Result<api::ActualLrpGroup> find_actual_lrp(
            std::string_view process_guid, std::int32_t index) override;
    base::Result<void> retire_actual_lrp(
            std::string_view process_guid, std::int32_t index) override;
    base::Result<std::vector<api::CellPresence>> list_cells() override;
    base::Result<void> upsert_domain(
            std::string_view name, std::chrono::seconds time_to_live) override;
    base::Result<std::vector<std::string>> fresh_domains() override;
    base::Result<std::unique_ptr<api::EventStream>> subscribe() override;

    // auctioneer::AuctionHost
    base::Result<std::vector<api::CellPresence>> cells() override;
    void auction_failed(
            const std::vector<auctioneer::FailedLrp>& lrps,
            const std::vector<auctioneer::FailedTask>& tasks) override;

  private:
    base::Result<void> decide(const Reign::Rule& rule);

    void lead_loop();
    void lead(store::Term term);
    bool keep_until_ended(const std::shared_ptr<Reign>& reign);
    void keep_loop(store::Term term);
    void stand_by(Role role, std::string text);
    bool pause(std::chrono::milliseconds time);  // false: stopping

    const Config config_;
    store::Store& store_;
    Effects& effects_;
    const base::Clock& clock_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::shared_ptr<Reign> reign_;
    Standing standing_;
    bool stopping_ = false;
    bool lost_ = false;  // the lead that lead_loop holds
    // Of the monotonic clock: when the lead ends if it is not kept.
    std::shared_ptr<std::atomic<std::int64_t>> leads_until_;
    std::thread thread_;
};

}  // namespace brain::core
