// Reference: the rules of lifecycle.md in the most naive form, a few flat lists and no index,
// written from the text and not from brain/model. The random test compares the two.
#pragma once

#include "brain/api/brain.hpp"
#include "brain/api/public_brain.hpp"
#include "brain/model/outcome.hpp"

#include <set>
#include <string>
#include <vector>

namespace test {

namespace api = brain::api;

struct Reference {
    brain::model::Limits limits;
    std::int64_t now = 0;
    std::vector<api::ActualLrp> rows;
    std::vector<api::DesiredLrp> desired;
    std::vector<api::Task> tasks;
    std::set<std::string> cells;
    std::vector<std::pair<std::string, std::int64_t>> domains;
    int epochs = 0;

    std::multiset<std::string> effects;  // of the last operation, as sentences
    bool answer = false;                 // keep the container, should start

    // The name of the refusal; "" when it was done.
    std::string desire(api::DesiredLrp lrp);
    std::string update(const std::string& guid, const api::DesiredLrpUpdate& update);
    std::string remove_desired(const std::string& guid);
    std::string claim(const api::LrpKey& key, const api::InstanceKey& instance);
    std::string start(const api::RunningLrp& running);
    std::string crash(const api::LrpKey& key, const api::InstanceKey& instance, std::string reason);
    std::string fail(const api::LrpKey& key, std::string error);
    std::string remove(const api::LrpKey& key, const api::InstanceKey& instance);
    std::string retire(const std::string& guid, int index);
    std::string evacuate_claimed(const api::LrpKey& key, const api::InstanceKey& instance);
    std::string evacuate_stopped(const api::LrpKey& key, const api::InstanceKey& instance);
    std::string evacuate_crashed(
            const api::LrpKey& key, const api::InstanceKey& instance, std::string reason);
    std::string evacuate_running(const api::RunningLrp& running);
    std::string remove_evacuating(const api::LrpKey& key, const api::InstanceKey& instance);
    void upsert_domain(const std::string& name, std::int64_t seconds);

    std::string desire_task(api::Task task);
    std::string start_task(const std::string& guid, const std::string& cell);
    std::string complete_task(const api::TaskOutcome& outcome);
    std::string cancel_task(const std::string& guid);
    std::string fail_task(const std::string& guid, const std::string& reason);
    std::string reject_task(const std::string& guid, const std::string& reason);
    std::string resolve_task(const std::string& guid);
    std::string delete_task(const std::string& guid);

    void converge(std::int64_t previous);

    api::ActualLrp* row(const std::string& guid, int index, api::Presence presence);
    api::DesiredLrp* find_desired(const std::string& guid);
    api::Task* find_task(const std::string& guid);

  private:
    void drop(const std::string& guid, int index, api::Presence presence);
    api::ActualLrp fresh_row(const api::LrpKey& key);
    void unclaim(api::ActualLrp& row);
    void crash(api::ActualLrp& row, const std::string& reason);
    void run(api::ActualLrp& row, const api::RunningLrp& running);
    void offer(const std::string& guid, int index);
    void stop(const api::ActualLrp& row);
    void stop_all_from(const std::string& guid, int first);
    api::ActualLrp* of_instance(
            const std::string& guid, int index, const api::InstanceKey& instance);
    bool fresh_domain(const std::string& name) const;
    bool has_turn(std::int64_t from, std::int64_t interval, std::int64_t previous) const;
    void complete(api::Task& task, bool failed, std::string reason, std::string result, bool tell);
    void tell(const api::Task& task);

    void converge_index(
            const std::set<std::string>& fresh,
            const std::string& guid,
            int index,
            std::int64_t previous);
    void converge_ordinary(api::ActualLrp& row, api::DesiredLrp& lrp, std::int64_t previous);
    void converge_tasks(std::int64_t previous);
};

}  // namespace test
