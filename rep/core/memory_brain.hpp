// A brain in memory with the transition rules of lifecycle §2, §4 and §6: for development, and
// the fake of the rep's tests. It decides nothing by itself: no auction, no convergence;
// what an auctioneer should place is handed out by take_auctions(). Safe from any thread.
#pragma once

#include "base/clock.hpp"
#include "brain/api/brain.hpp"

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace rep::core {

struct Auctions {
    std::vector<brain::api::LrpKey> lrps;
    std::vector<std::string> tasks;
};

class MemoryBrain final : public brain::api::Brain {
  public:
    explicit MemoryBrain(const base::Clock& clock) : clock_(clock) {}

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

    // A desired LRP, with one UNCLAIMED record per index; ResourceExists.
    base::Result<void> desire_lrp(brain::api::DesiredLrp desired);
    base::Result<void> remove_desired_lrp(std::string_view process_guid);
    base::Result<void> desire_task(brain::api::Task task);  // PENDING
    base::Result<void> cancel_task(std::string_view task_guid);
    // A record exactly so, as a store that was read; replaces that of its index and presence.
    void put(brain::api::ActualLrp lrp);
    void put(brain::api::Task task);

    std::vector<brain::api::ActualLrp> all_lrps() const;
    std::vector<brain::api::Task> all_tasks() const;
    std::vector<brain::api::CellPresence> cells() const;  // with a live lease
    Auctions take_auctions();

  private:
    using Index = std::pair<std::string, std::int32_t>;
    // By presence: ordinary, evacuating, suspect.
    using Rows = std::array<std::optional<brain::api::ActualLrp>, 3>;

    struct Lease {
        brain::api::CellPresence presence;
        std::string owner;
        std::chrono::steady_clock::time_point until;
    };

    std::int64_t now() const;
    Rows& rows(const brain::api::LrpKey& key);
    brain::api::ActualLrp fresh(const brain::api::LrpKey& key) const;  // UNCLAIMED
    void unclaim(brain::api::ActualLrp& row);
    void crash(brain::api::ActualLrp& row, std::string_view reason, bool auction);
    void set_running(brain::api::ActualLrp& row, const brain::api::RunningLrp& running);
    void evacuate(Rows& rows, const brain::api::RunningLrp& running);
    base::Result<bool> recreate(
            Rows& rows,
            std::optional<brain::api::Presence> caller,
            const brain::api::DesiredLrp& desired);
    bool all_run(const brain::api::DesiredLrp& desired) const;
    void finish(brain::api::Task& task, bool failed, std::string reason, std::string result);

    const base::Clock& clock_;
    mutable std::mutex mutex_;
    std::map<Index, Rows> lrps_;
    std::map<std::string, brain::api::DesiredLrp, std::less<>> desired_;
    std::map<std::string, brain::api::Task, std::less<>> tasks_;
    std::map<std::string, Lease, std::less<>> leases_;
    Auctions auctions_;
};

// Which record of an index is the instance's.
std::optional<brain::api::Presence> presence_of(
        const std::array<std::optional<brain::api::ActualLrp>, 3>& rows,
        const brain::api::InstanceKey& instance);

}  // namespace rep::core
