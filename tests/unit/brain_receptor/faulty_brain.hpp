// FaultyBrain: passes every call on to another brain, but for those that a test has scripted to
// fail; counts calls. Used by the tests of the Receptor and of callbacks.
#pragma once

#include "brain/api/public_brain.hpp"

#include <deque>
#include <map>
#include <mutex>
#include <string>

namespace test {

class FaultyBrain final : public brain::api::PublicBrain {
  public:
    explicit FaultyBrain(brain::api::PublicBrain& real) : real_(real) {}

    // The next call of that name fails so; several are used up in their order.
    void fail_next(const std::string& call, base::Error error) {
        const std::lock_guard lock(mutex_);
        faults_[call].push_back(std::move(error));
    }

    std::size_t calls(const std::string& call) const {
        const std::lock_guard lock(mutex_);
        const auto found = calls_.find(call);
        return found == calls_.end() ? 0 : found->second;
    }

    base::Result<void> desire_task(brain::api::Task task) override {
        TRY(script("desire_task"));
        return real_.desire_task(std::move(task));
    }

    base::Result<brain::api::TaskPtr> find_task(std::string_view guid) override {
        TRY(script("find_task"));
        return real_.find_task(guid);
    }

    base::Result<std::vector<brain::api::TaskPtr>> list_tasks(std::string_view domain) override {
        TRY(script("list_tasks"));
        return real_.list_tasks(domain);
    }

    base::Result<void> cancel_task(std::string_view guid) override {
        TRY(script("cancel_task"));
        return real_.cancel_task(guid);
    }

    base::Result<void> resolve_task(std::string_view guid) override {
        TRY(script("resolve_task"));
        return real_.resolve_task(guid);
    }

    base::Result<void> delete_task(std::string_view guid) override {
        TRY(script("delete_task"));
        return real_.delete_task(guid);
    }

    base::Result<void> desire_lrp(brain::api::DesiredLrp desired) override {
        TRY(script("desire_lrp"));
        return real_.desire_lrp(std::move(desired));
    }

    base::Result<brain::api::DesiredPtr> find_desired_lrp(std::string_view guid) override {
        TRY(script("find_desired_lrp"));
        return real_.find_desired_lrp(guid);
    }

    base::Result<std::vector<brain::api::DesiredPtr>> list_desired_lrps(
            std::string_view domain) override {
        TRY(script("list_desired_lrps"));
        return real_.list_desired_lrps(domain);
    }

    base::Result<void> update_desired_lrp(
            std::string_view guid, const brain::api::DesiredLrpUpdate& update) override {
        TRY(script("update_desired_lrp"));
        return real_.update_desired_lrp(guid, update);
    }

    base::Result<void> remove_desired_lrp(std::string_view guid) override {
        TRY(script("remove_desired_lrp"));
        return real_.remove_desired_lrp(guid);
    }

    base::Result<std::vector<brain::api::ActualLrpGroup>> list_actual_lrps(
            std::string_view domain) override {
        TRY(script("list_actual_lrps"));
        return real_.list_actual_lrps(domain);
    }

    base::Result<std::vector<brain::api::ActualLrpGroup>> list_actual_lrps_of(
            std::string_view guid) override {
        TRY(script("list_actual_lrps_of"));
        return real_.list_actual_lrps_of(guid);
    }

    base::Result<brain::api::ActualLrpGroup> find_actual_lrp(
            std::string_view guid, std::int32_t index) override {
        TRY(script("find_actual_lrp"));
        return real_.find_actual_lrp(guid, index);
    }

    base::Result<void> retire_actual_lrp(std::string_view guid, std::int32_t index) override {
        TRY(script("retire_actual_lrp"));
        return real_.retire_actual_lrp(guid, index);
    }

    base::Result<std::vector<brain::api::CellPresence>> list_cells() override {
        TRY(script("list_cells"));
        return real_.list_cells();
    }

    base::Result<void> upsert_domain(std::string_view name, std::chrono::seconds ttl) override {
        TRY(script("upsert_domain"));
        return real_.upsert_domain(name, ttl);
    }

    base::Result<std::vector<std::string>> fresh_domains() override {
        TRY(script("fresh_domains"));
        return real_.fresh_domains();
    }

    base::Result<std::unique_ptr<brain::api::EventStream>> subscribe() override {
        TRY(script("subscribe"));
        return real_.subscribe();
    }

  private:
    base::Result<void> script(const std::string& call) {
        const std::lock_guard lock(mutex_);
        ++calls_[call];
        auto& faults = faults_[call];
        if (faults.empty()) return base::ok;
        auto error = std::move(faults.front());
        faults.pop_front();
        return error;
    }

    brain::api::PublicBrain& real_;
    mutable std::mutex mutex_;
    std::map<std::string, std::deque<base::Error>> faults_;
    std::map<std::string, std::size_t> calls_;
};

}  // namespace test
