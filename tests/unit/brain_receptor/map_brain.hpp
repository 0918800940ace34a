// MapBrain: a small honest brain of maps, for clients and cells; no auction, no convergence, no
// durability. Every change is an event. Used by the tests of brain/receptor and brain/callbacks.
#pragma once

#include "brain/api/brain.hpp"
#include "brain/api/public_brain.hpp"
#include "tests/unit/brain_receptor/subject.hpp"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

namespace test {

namespace api = brain::api;

class MapBrain final : public Subject, public api::PublicBrain, public api::Brain {
  public:
    api::PublicBrain& clients() override { return *this; }

    api::Brain& cells() override { return *this; }

    base::Result<void> desire_task(api::Task task) override;
    base::Result<api::TaskPtr> find_task(std::string_view guid) override;
    base::Result<std::vector<api::TaskPtr>> list_tasks(std::string_view domain) override;
    base::Result<void> cancel_task(std::string_view guid) override;
    base::Result<void> resolve_task(std::string_view guid) override;
    base::Result<void> delete_task(std::string_view guid) override;
    base::Result<void> desire_lrp(api::DesiredLrp desired) override;
    base::Result<api::DesiredPtr> find_desired_lrp(std::string_view guid) override;
    base::Result<std::vector<api::DesiredPtr>> list_desired_lrps(std::string_view domain) override;
    base::Result<void> update_desired_lrp(
            std::string_view guid, const api::DesiredLrpUpdate& update) override;
    base::Result<void> remove_desired_lrp(std::string_view guid) override;
    base::Result<std::vector<api::ActualLrpGroup>> list_actual_lrps(
            std::string_view domain) override;
    base::Result<std::vector<api::ActualLrpGroup>> list_actual_lrps_of(
            std::string_view guid) override;
    base::Result<api::ActualLrpGroup> find_actual_lrp(
            std::string_view guid, std::int32_t index) override;
    base::Result<void> retire_actual_lrp(std::string_view guid, std::int32_t index) override;
    base::Result<std::vector<api::CellPresence>> list_cells() override;
    base::Result<void> upsert_domain(std::string_view name, std::chrono::seconds ttl) override;
    base::Result<std::vector<std::string>> fresh_domains() override;
    base::Result<std::unique_ptr<api::EventStream>> subscribe() override;

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
    base::Result<api::DesiredLrp> desired_lrp(std::string_view guid) override;
    base::Result<bool> start_task(std::string_view guid, std::string_view cell_id) override;
    base::Result<api::Task> task(std::string_view guid) override;
    base::Result<void> complete_task(const api::TaskOutcome& outcome) override;
    base::Result<void> reject_task(std::string_view guid, std::string_view reason) override;
    base::Result<std::vector<api::ActualLrp>> actual_lrps(std::string_view cell_id) override;
    base::Result<std::vector<api::Task>> tasks(std::string_view cell_id) override;
    base::Result<api::SyncAnswer> sync(std::string_view cell_id, std::string_view digest) override;
    base::Result<void> put_presence(
            const api::CellPresence& presence,
            std::string_view owner,
            std::chrono::milliseconds time_to_live) override;
    base::Result<void> release_presence(std::string_view cell_id, std::string_view owner) override;

    // What waits in one reader's buffer.
    struct Queue {
        std::deque<api::Event> events;
        bool over = false;
    };

  private:
    friend class MapEvents;
    using Index = std::pair<std::string, std::int32_t>;

    void say(api::Event event);
    void put(const api::Task& task);
    // Nothing in `row`: it is removed.
    void put(api::ActualPtr& row, std::optional<api::ActualLrp> value);
    void put_crashed(api::ActualPtr& row, const api::ActualLrp& value);
    base::Result<api::Task> task_in(std::string_view guid, std::vector<api::TaskState> states);
    void finish(api::Task task, bool failed, std::string_view reason, std::string_view result);
    void add_rows(const api::DesiredLrp& desired);
    void stop_from(const std::string& guid, std::int32_t index);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, api::TaskPtr, std::less<>> tasks_;
    std::map<std::string, api::DesiredPtr, std::less<>> desired_;
    std::map<Index, api::ActualLrpGroup> groups_;
    std::map<std::string, api::CellPresence, std::less<>> cells_;
    std::map<std::string, std::chrono::steady_clock::time_point, std::less<>> domains_;
    std::vector<std::weak_ptr<Queue>> readers_;
};

}  // namespace test
