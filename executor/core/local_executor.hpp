// LocalExecutor: the executor of this machine. Keeps the containers of the cell, drives their lives
// (executor-rep §4), and takes them up again after a restart. Used by the program celld and by
// executor/server.
//
//   allocate → reserved ─ run → initializing ─ create worker → created ─ steps ready → running
//        any of these ─ steps ended, stopped, refused → completed ─ remove → gone
#pragma once

#include "base/clock.hpp"
#include "base/keyed_lock.hpp"
#include "base/worker_pool.hpp"
#include "executor/api/executor.hpp"
#include "executor/core/credentials.hpp"
#include "executor/core/event_hub.hpp"
#include "executor/core/ledger.hpp"
#include "executor/core/node.hpp"
#include "executor/core/settings.hpp"
#include "executor/core/spec.hpp"
#include "executor/core/store.hpp"
#include "executor/fetch/fetch.hpp"
#include "executor/loop/loop.hpp"
#include "executor/registry/logins.hpp"
#include "executor/steps/processes.hpp"
#include "executor/steps/slots.hpp"
#include "garden/api/client.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace executor {

class LogHub;  // executor/logs/hub.hpp

// What happened and is worth a line in the program's log: libraries do not log.
struct Notice {
    bool warning = false;
    std::string text;
    std::string guid;
};

class LocalExecutor final : public api::Executor {
  public:
    // What it works with; every reference outlives it. The loop runs already.
    struct Parts {
        garden::api::Client& garden;
        Loop& loop;
        Processes& processes;
        Fetcher& fetcher;
        LogHub& logs;
        const base::Clock& clock;
        std::function<void(const Notice&)> tell;  // any thread, must be quick
        RegistryLogins* logins = nullptr;         // none: recipes have what registries take
    };

    // Reads what is on disk. Errc::corrupt never: damaged records are set aside and told.
    static base::Result<std::unique_ptr<LocalExecutor>> open(Settings settings, Parts parts);
    ~LocalExecutor() override;  // stop()
    LocalExecutor(const LocalExecutor&) = delete;
    LocalExecutor& operator=(const LocalExecutor&) = delete;

    // Starts the threads: adoption as soon as the backend answers, then the chores. Until the
    // adoption is over every call but ping is Errc::unavailable.
    void start();
    // Threads end; containers stay as they are. Idempotent.
    void stop();

    bool ready() const { return ready_; }

    base::Result<void> ping() override;
    base::Result<std::vector<api::AllocationFailure>> allocate(
            const std::vector<api::AllocationRequest>& requests) override;
    base::Result<void> run(const api::RunRequest& request) override;
    base::Result<void> update(const api::UpdateRequest& request) override;
    base::Result<void> stop(std::string_view guid) override;
    base::Result<void> remove(std::string_view guid) override;
    base::Result<api::Container> get(std::string_view guid) override;
    base::Result<std::vector<api::Container>> list(const api::Tags& tags) override;
    base::Result<std::map<std::string, api::ContainerMetrics>> metrics(
            const api::Tags& tags) override;
    base::Result<api::Resources> remaining_resources() override;
    base::Result<api::Resources> total_resources() override;
    base::Result<std::unique_ptr<api::FileStream>> files(
            std::string_view guid, std::string_view path) override;
    base::Result<std::unique_ptr<api::EventSource>> subscribe() override;
    std::vector<std::string> volume_drivers() override;

    bool healthy() override { return healthy_; }

    void say(std::string_view guid, std::string_view line) override;

    const Settings& settings() const { return settings_; }

    struct Figures {
        api::Resources total, remaining;
        std::size_t containers = 0;
        std::size_t starting = 0;  // reserved, initializing, created
        std::uint64_t completed = 0;
        std::uint64_t exited_on_timeout = 0;
        std::uint64_t creations = 0, failed_creations = 0;
        std::uint64_t destructions = 0, failed_destructions = 0;
    };

    Figures figures() const;

  private:
    using NodePtr = std::shared_ptr<Node>;  // owners: the registry, and operations on their way

    LocalExecutor(Settings settings, Parts parts, Store store);
    base::Result<void> must_be_ready() const;
    NodePtr find(std::string_view guid) const;
    base::Result<NodePtr> must_find(std::string_view guid) const;
    std::vector<NodePtr> nodes() const;
    void tell(bool warning, std::string text, std::string_view guid = {}) const;

    // allocate.cpp, run.cpp
    base::Result<void> reserve(const api::AllocationRequest& request);
    base::Result<void> initialize(Node& node, const api::RunRequest& request);
    void submit_creation(const NodePtr& node);
    void create(const NodePtr& node);
    // Errors carry the words that the container completes with.
    base::Result<void> create_in_garden(Node& node);
    base::Result<void> fetch_dependencies(
            Node& node, const api::Container& container, Mounts& mounts);
    base::Result<void> mount_volumes(const api::Container& container, Mounts& mounts);
    base::Result<void> write_mounted_files(const api::Container& container, Mounts& mounts);
    base::Result<void> make_patiently(Node& node, const garden::api::ContainerSpec& spec);
    base::Result<void> create_once(const garden::api::ContainerSpec& spec);
    base::Result<void> read_addresses(Node& node);
    // instance_identity.cpp: what the container's certificates are before, during and after its
    // life
    base::Result<void> mount_credentials(const api::Container& container, Mounts& mounts);
    base::Result<void> issue_credentials(Node& node);
    void name_in_credentials(const Node& node);  // under its mutex
    void renew_routes(const Node& node);
    void adopt_credentials(const Node& node);
    void revoke_credentials(const Node& node);
    void remove_credentials(const Node& node);
    void remove_stray_credentials();
    // What is not there is destroyed.
    base::Result<void> destroy_in_garden(const std::string& handle);
    std::shared_ptr<LogStream> log_of(const Node& node);
    // steps.cpp
    void start_steps(const NodePtr& node);
    void start_on_loop(const NodePtr& node);
    void steps_ready(const NodePtr& node);
    void set_routable(const NodePtr& node, bool routable);
    void steps_done(const NodePtr& node, const Outcome& outcome);
    // complete.cpp
    void complete(Node& node, const Outcome& outcome);
    void save(Node& node);  // under its mutex; a failure is told
    // remove.cpp
    base::Result<void> destroy(const NodePtr& node);
    void forget(const NodePtr& node);
    // adopt.cpp
    void adopt_all();
    void adopt(const NodePtr& node, const std::map<std::string, garden::api::BulkInfo>& infos);
    // chores.cpp
    void chores();
    void prune();
    void reap();
    void watch_garden();
    void check_garden();
    base::Result<void> try_garden(std::string_view handle);
    void sweep_probes();

    const Settings settings_;
    const Parts parts_;
    Store store_;
    std::unique_ptr<InstanceCredentials> credentials_;
    EventHub events_;
    base::KeyedLock operations_;

    mutable std::mutex mutex_;  // the registry: after any node's
    std::map<std::string, NodePtr, std::less<>> nodes_;
    Ledger ledger_{api::Resources{}};

    std::atomic<bool> ready_ = false;
    std::atomic<bool> healthy_ = true;
    std::atomic<std::uint64_t> completed_ = 0, exited_on_timeout_ = 0, creations_ = 0,
                               failed_creations_ = 0, destructions_ = 0, failed_destructions_ = 0;

    base::WorkerPool create_pool_;
    base::WorkerPool delete_pool_;
    base::WorkerPool download_pool_;
    base::WorkerPool upload_pool_;

    Slots health_slots_;  // the loop's: checks that need a process (executor-rep §4.7)

    std::mutex chore_mutex_;
    std::condition_variable chore_wake_;
    bool stopping_ = false;
    std::thread chore_thread_;
    std::thread check_thread_;
    // One check that hangs leaves a thread for the next (executor-rep §23).
    base::WorkerPool check_pool_{{.name = "garden-check", .threads = 4, .queue = 4}};
    std::atomic<std::uint64_t> checks_ = 0;
};

}  // namespace executor
