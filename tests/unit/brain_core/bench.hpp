// A brain on a real SQLite database in a directory of its own, with effects that are written down.
// Used by the tests of brain/core.
#pragma once

#include "base/clock.hpp"
#include "brain/core/core.hpp"
#include "tests/support/needs.hpp"

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace test {

namespace api = brain::api;
namespace auctioneer = brain::auctioneer;
namespace core = brain::core;
namespace model = brain::model;
namespace store = brain::store;

// What the brain asked of others.
class Recorder final : public core::Effects {
  public:
    void start_lrps(const model::LrpStart& start) override {
        const std::lock_guard lock(mutex);
        for (const auto index : start.indices)
            starts.push_back(start.desired->process_guid + "/" + std::to_string(index));
    }

    void start_task(const api::TaskPtr& task) override {
        const std::lock_guard lock(mutex);
        starts.push_back(task->task_guid);
    }

    void stop_instance(
            const api::CellPresence& cell, const model::StopInstance& instance) override {
        const std::lock_guard lock(mutex);
        stops.push_back(cell.cell_id + ":" + instance.instance.instance_guid);
    }

    void cancel_task(const api::CellPresence& cell, const std::string& task_guid) override {
        const std::lock_guard lock(mutex);
        stops.push_back(cell.cell_id + ":" + task_guid);
    }

    void update_instance(const api::CellPresence&, const model::UpdateInstance&) override {}

    void call_back(const api::TaskPtr& task) override {
        const std::lock_guard lock(mutex);
        callbacks.push_back(task->task_guid);
    }

    void forget_everything() override {
        const std::lock_guard lock(mutex);
        starts.clear();
    }

    std::vector<std::string> take_starts() {
        const std::lock_guard lock(mutex);
        return std::exchange(starts, {});
    }

    std::mutex mutex;
    std::vector<std::string> starts, stops, callbacks;
};

// A store that fails when it is told to; everything else is the store behind it.
class Unreliable final : public store::Store {
  public:
    explicit Unreliable(store::Store& behind) : behind_(behind) {}

    // The next commit fails so; `done`: though it was carried out.
    void fail_next(base::Errc kind, bool done = false) {
        const std::lock_guard lock(mutex_);
        next_ = kind;
        done_ = done;
    }

    base::Result<std::optional<std::string>> get(std::string_view key) override {
        return behind_.get(key);
    }

    base::Result<void> list(std::string_view prefix, const Visit& visit) override {
        return behind_.list(prefix, visit);
    }

    base::Result<void> commit(store::Term term, std::span<const store::Change> changes) override;

    base::Result<bool> compare_and_swap(
            store::Term term,
            const std::string& key,
            const std::optional<std::string>& expected,
            const std::optional<std::string>& value) override {
        return behind_.compare_and_swap(term, key, expected, value);
    }

    base::Result<std::optional<store::Term>> campaign(
            const std::string& name,
            std::chrono::milliseconds time_to_live,
            std::chrono::milliseconds patience) override {
        return behind_.campaign(name, time_to_live, patience);
    }

    base::Result<void> keep_lead(store::Term term) override { return behind_.keep_lead(term); }

    base::Result<void> resign(store::Term term) override { return behind_.resign(term); }

    base::Result<std::optional<store::Leader>> leader() override { return behind_.leader(); }

    base::Result<std::unique_ptr<Watch>> watch(
            std::string_view prefix,
            std::function<void(const store::Change&)> seen,
            std::function<void(const base::Error&)> broken) override {
        return behind_.watch(prefix, std::move(seen), std::move(broken));
    }

    store::Health health() override { return behind_.health(); }

    base::Result<std::vector<std::string>> verify() override { return behind_.verify(); }

    base::Result<void> backup(const std::string& path) override { return behind_.backup(path); }

    std::size_t commits = 0;  // guarded by the mutex; read when nobody writes

  private:
    store::Store& behind_;
    std::mutex mutex_;
    std::optional<base::Errc> next_;
    bool done_ = false;
};

// A directory that goes with the test.
struct Directory {
    std::filesystem::path path;
    Directory();
    ~Directory();
};

// One life of a brain over the database in `directory`.
struct Life {
    explicit Life(const Directory& directory, core::Config config = quick());
    ~Life();

    static core::Config quick();  // short times, real clock

    void wait_until_leading();
    api::CellPresence cell(const std::string& id) const;
    // A cell that is heard, for a minute.
    void arrive(const std::string& id);

    base::SystemClock clock;
    Recorder effects;
    std::unique_ptr<store::Store> sqlite;
    std::unique_ptr<Unreliable> store;
    std::unique_ptr<core::Core> core;
};

api::DesiredLrp app(const std::string& guid, int instances);
api::Task job(const std::string& guid);
api::LrpKey key(const std::string& guid, int index);
api::InstanceKey instance(const std::string& guid, const std::string& cell);
api::RunningLrp running(
        const std::string& guid, int index, const std::string& instance, const std::string& cell);
// Until `holds` or 10 s have passed.
bool soon(const std::function<bool()>& holds);

}  // namespace test
