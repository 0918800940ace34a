// An executor of the tests: containers are entries of a map, and change when a test says so. Used
// by the tests of the rep.
#pragma once

#include "executor/api/executor.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace test {

using executor::api::Container;
using executor::api::State;

class FakeExecutor final : public executor::api::Executor {
  public:
    executor::api::Resources total{.memory_mb = 100'000, .disk_mb = 100'000, .containers = 249};
    std::atomic<bool> away = false;         // every call is unavailable
    std::atomic<bool> refuse_run = false;   // run: steps invalid
    std::atomic<bool> hang_remove = false;  // until release()
    std::atomic<bool> is_healthy = true;
    std::atomic<int> runs = 0;
    std::atomic<int> removes = 0;
    std::atomic<int> lists = 0;

    ~FakeExecutor() override { release(); }

    // What a test does to containers.
    void put(Container c);
    void set(const std::string& guid, State state, bool event = true);
    void complete(const std::string& guid, executor::api::RunResult result, bool event = true);
    void put_file(const std::string& guid, const std::string& path, std::string tar);
    void release();  // what hangs goes on
    void drop_subscribers();
    std::vector<std::string> said() const;
    executor::api::RunInfo info(const std::string& guid) const;

    base::Result<void> ping() override { return here(); }

    base::Result<std::vector<executor::api::AllocationFailure>> allocate(
            const std::vector<executor::api::AllocationRequest>& requests) override;
    base::Result<void> run(const executor::api::RunRequest& request) override;
    base::Result<void> update(const executor::api::UpdateRequest& request) override;
    base::Result<void> stop(std::string_view guid) override;
    base::Result<void> remove(std::string_view guid) override;
    base::Result<Container> get(std::string_view guid) override;
    base::Result<std::vector<Container>> list(const executor::api::Tags& tags = {}) override;
    base::Result<std::map<std::string, executor::api::ContainerMetrics>> metrics(
            const executor::api::Tags& tags = {}) override;
    base::Result<executor::api::Resources> remaining_resources() override;
    base::Result<executor::api::Resources> total_resources() override;
    base::Result<std::unique_ptr<executor::api::FileStream>> files(
            std::string_view guid, std::string_view path) override;
    base::Result<std::unique_ptr<executor::api::EventSource>> subscribe() override;

    std::vector<std::string> volume_drivers() override { return {"nfs"}; }

    bool healthy() override { return is_healthy; }

    void say(std::string_view guid, std::string_view line) override;

    struct Subscriber {
        std::mutex mutex;
        std::condition_variable changed;
        std::deque<executor::api::Event> events;
        bool closed = false;
        bool fell_behind = false;
    };

  private:
    base::Result<void> here() const;
    void emit(executor::api::EventKind kind, const Container& c);
    executor::api::Resources remaining() const;

    mutable std::mutex mutex_;
    std::condition_variable released_;
    bool released_now_ = false;
    std::map<std::string, Container, std::less<>> containers_;
    std::map<std::pair<std::string, std::string>, std::string> files_;
    std::vector<std::shared_ptr<Subscriber>> subscribers_;  // owners: this and the source
    std::vector<std::string> said_;
};

// A tar archive of one regular file.
std::string tar_of(const std::string& name, const std::string& content);

}  // namespace test
