// The engine's implementation: one class, its operations spread over files by what they do
// (create.cpp, destroy.cpp, run.cpp, stream.cpp, stop.cpp, query.cpp, recover.cpp, doctor.cpp).
// Private to garden/engine.
#pragma once

#include "garden/audit/collect.hpp"
#include "garden/engine/chores.hpp"
#include "garden/engine/container.hpp"
#include "garden/engine/denials.hpp"
#include "garden/engine/departures.hpp"
#include "garden/engine/depot.hpp"
#include "garden/engine/engine.hpp"
#include "garden/engine/filters.hpp"
#include "garden/engine/grace_timers.hpp"
#include "garden/engine/host_nodes.hpp"
#include "garden/engine/latecomers.hpp"
#include "garden/engine/registry.hpp"
#include "garden/engine/seat.hpp"
#include "garden/engine/turns.hpp"
#include "garden/engine/warm_pool.hpp"
#include "garden/net/explain.hpp"
#include "garden/plan/launch_plan.hpp"
#include "security/accounts.hpp"
#include "security/explain.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace garden {

using ContainerPtr = std::shared_ptr<Container>;

// A mark for every exit code that a killed container's processes get (128 + SIGKILL).
inline constexpr std::int32_t kKilledExitCode = 137;

rootfs::QuotaScope scope_of(DiskScope scope);  // limits.cpp

class Gardener final : public Engine {
  public:
    // What start.cpp has opened; in the order of dependencies.
    struct Parts {
        EngineConfig config;
        std::unique_ptr<security::EventLog> events;
        Depot depot;
        HostNodes nodes;
        plan::HostFacts facts;
        base::Fd copy_program;  // garden-copy, sealed (PL-03)
        std::unique_ptr<security::IdRanges> ranges;
        std::unique_ptr<cgroup::Driver> cgroups;
        std::unique_ptr<net::Network> network;
        std::unique_ptr<rootfs::Images> images;
        std::unique_ptr<rootfs::Volumes> volumes;
        std::unique_ptr<launch::ShimHub> hub;
    };

    explicit Gardener(Parts parts);
    Gardener(const Gardener&) = delete;
    Gardener& operator=(const Gardener&) = delete;
    ~Gardener() override;
    base::Result<void> recover();  // once, before the first operation
    void begin();                  // fills the pool

    base::Result<Handle> create(
            ContainerSpec spec,
            const std::function<void(const rootfs::Progress&)>& progress) override;
    base::Result<void> destroy(const Handle& handle) override;
    std::vector<Handle> list(const std::map<std::string, std::string>& property_filter) override;
    base::Result<ContainerInfo> info(const Handle& handle) override;
    base::Result<ContainerMetrics> metrics(const Handle& handle) override;
    base::Result<ContainerMetrics> process_metrics(const std::string& process_id) override;
    base::Result<LimitsSpec> limits(const Handle& handle) override;
    base::Result<LimitsSpec> change_limits(
            const Handle& handle, const LimitsChange& change) override;
    base::Result<void> stop(const Handle& handle, bool kill) override;
    base::Result<void> set_grace_time(const Handle& handle, std::chrono::nanoseconds time) override;
    std::shared_ptr<void> touch(const Handle& handle) override;
    base::Result<void> net_out(const Handle& handle, std::vector<OutRuleSpec> rules) override;
    base::Result<void> replace_out_rules(
            const Handle& handle, std::vector<OutRuleSpec> rules) override;
    base::Result<std::vector<OutRuleSpec>> out_rules(const Handle& handle) override;
    base::Result<MappedPort> net_in(
            const Handle& handle, std::uint32_t host_port, std::uint32_t container_port) override;
    base::Result<void> limit_bandwidth(
            const Handle& handle, std::uint64_t rate, std::uint64_t burst) override;

    base::Result<std::map<std::string, std::string>> properties(const Handle& handle) override;
    base::Result<std::string> property(const Handle& handle, const std::string& name) override;
    base::Result<void> set_property(
            const Handle& handle, const std::string& name, const std::string& value) override;
    base::Result<void> remove_property(const Handle& handle, const std::string& name) override;

    base::Result<Attachment> run(const Handle& handle, ProcessSpec spec) override;
    base::Result<Attachment> attach(const Handle& handle, const std::string& process_id) override;
    base::Result<void> connect_output(
            const Handle& handle,
            std::uint64_t attachment,
            bool is_stderr,
            base::FdRef sink) override;
    base::Result<void> close_input(const Handle& handle, std::uint64_t attachment) override;
    base::Result<void> detach(const Handle& handle, std::uint64_t attachment) override;
    base::Result<void> signal(
            const Handle& handle, const std::string& process_id, int number) override;
    base::Result<void> resize(
            const Handle& handle, const std::string& process_id, WindowSize size) override;
    void wait(
            const Handle& handle,
            const std::string& process_id,
            std::function<void(base::Result<std::int32_t>)> done) override;
    base::Result<std::vector<ProcessRow>> processes(const Handle& handle) override;
    base::Result<std::string> logs(
            const Handle& handle, const std::string& process_id, bool is_stderr) override;

    base::Result<void> stream_in(
            const Handle& handle,
            const std::string& user,
            const std::string& destination,
            base::FdRef tar) override;
    base::Result<Outgoing> stream_out(
            const Handle& handle, const std::string& user, const std::string& source) override;

    base::Result<ContainerDenials> denials(const Handle& handle) override;

    DenialFigures denial_figures() override { return denials_->figures(); }

    security::EventLog& events() override { return *parts_.events; }

    base::Result<net::Evidence> connections(const Handle& handle, std::uint64_t after) override;

    void wait_for_connections(std::uint64_t after, std::chrono::milliseconds patience) override {
        parts_.network->wait_for_evidence(after, patience);
    }

    base::Result<ExplainReport> explain(
            const Handle& handle, const ExplainRequest& request) override;

    base::Result<net::Integrity> network() override { return parts_.network->integrity(); }

    base::Result<Capacity> capacity() override;
    base::Result<void> ping() override;
    base::Result<std::string> plan_json(ContainerSpec spec) override;
    base::Result<std::vector<Orphan>> doctor() override;
    base::Result<audit::ContainerAudit> audit(const Handle& handle) override;
    api::AuditSubject audit_host() override;

    base::Result<void> tear_down() override;

    void cancel_pulls() override { stopping_ = true; }

    rootfs::Images& images() override { return *parts_.images; }

    base::Result<std::string> features_json() override;

  private:
    // create.cpp
    base::Result<void> complete_spec(ContainerSpec& spec) const;
    base::Result<void> build(
            const ContainerPtr& container, const rootfs::Image& image, std::optional<Seat>& seat);
    base::Result<void> take_seat(const ContainerPtr& container, std::optional<Seat>& seat);
    base::Result<base::Fd> make_volume(
            Container& container, const rootfs::Image& image, const Seat& seat);
    base::Result<void> make_group(Container& container);
    base::Result<void> write_etc_files(Container& container);
    base::Result<void> launch(Container& container, base::Fd root, const Seat& seat);

    // What the descriptors of a plan are opened from.
    struct NeedSources {
        cgroup::Group& group;  // that the process enters
        cgroup::Group& view;   // that it sees
        base::FdRef bundle;
        const std::vector<base::Fd>& bind_sources;
        const std::vector<BindMountSpec>& bind_mounts;
    };

    base::Result<std::vector<base::Fd>> open_needs(
            const NeedSources& sources, const std::vector<plan::FdNeed>& needs, base::Fd& root);
    // limits.cpp
    cgroup::Limits kernel_limits(const LimitsSpec& limits) const;
    base::Result<LimitsSpec> check_change(
            Container& container, const LimitsSpec& before, const LimitsChange& change);
    static base::Result<void> keep_limits(Container& container, const LimitsSpec& limits);
    base::Result<void> limit_disk(Container& container, const LimitsSpec& limits);
    base::Result<void> apply_limits(
            Container& container, const LimitsSpec& before, const LimitsSpec& after);
    base::Result<plan::ContainerFacts> facts_of(
            const ContainerSpec& spec, const security::IdRange& range);
    void listen(const ContainerPtr& container);

    // plugins.cpp
    bool image_by_plugin(const ContainerSpec& spec) const;
    bool network_by_plugin(const ContainerSpec& spec) const;
    base::Result<void> make_image_by_plugin(
            Container& container, ImageSpec requested, rootfs::Image& image);
    base::Result<void> connect_by_plugin(Container& container, const Seat& seat);
    base::Result<void> disconnect_by_plugin(const ContainerRecord& record);
    base::Result<void> drop_image_of_plugin(const ContainerRecord& record);
    base::Result<MappedPort> net_in_by_plugin(Container& container, InPortSpec wanted);
    base::Result<void> net_out_by_plugin(
            Container& container, const std::vector<OutRuleSpec>& rules);

    // destroy.cpp
    base::Result<void> take_down(Container& container);
    base::Result<void> end_processes(Container& container);
    void release_later(const ContainerRecord& record, std::vector<std::string> volumes);
    // Once no file of `volumes` ("" = of any) is being deleted any more.
    void release_range_later(const std::string& owner, std::vector<std::string> volumes);
    std::set<std::string> ranges_being_released() const;
    void bury_later(const std::weak_ptr<Container>& weak, const std::string& reason);
    void bury(const ContainerPtr& container, const std::string& reason);

    // recover.cpp
    struct Recovery;
    base::Result<void> adopt(const Handle& handle, Recovery& recovery);
    void resume(const ContainerPtr& container, const std::vector<ProcessRecord>& processes);
    base::Result<void> join(Container& container, std::chrono::milliseconds deadline);
    bool join_late(const std::weak_ptr<Container>& weak);
    void join_processes(Container& container, const launch::ShimState& state);

    // sweep.cpp
    void sweep();

    // run.cpp
    base::Result<ContainerPtr> living(
            const Handle& handle);  // conflict when the container is dead or going
    base::Result<security::User> resolve_user(Container& container, const std::string& text);
    void forget_stale(Container& container);
    // In the table and in the depot, before it is started; undo_process takes it out again.
    base::Result<void> reserve_process(
            Container& container,
            const ProcessSpec& spec,
            bool chosen,
            std::optional<PeaRecord> pea);
    static void undo_process(Container& container, const std::string& id);
    base::Result<Attachment> start_process(
            Container& container,
            const ProcessSpec& spec,
            const launch::ProcessPlan& plan,
            const std::vector<base::Fd>& fds);
    void forget_internal(Container& container, const std::string& id);

    // peas.cpp
    base::Result<Attachment> run_pea(const ContainerPtr& container, ProcessSpec spec, bool chosen);
    base::Result<Attachment> start_pea(
            const ContainerPtr& container,
            const ProcessSpec& spec,
            const rootfs::Image& image,
            const PeaRecord& record,
            const std::vector<base::Fd>& sources);
    base::Result<base::Fd> make_pea_volume(
            Container& container, const rootfs::Image& image, const PeaRecord& record);
    base::Result<std::shared_ptr<cgroup::Group>> make_pea_group(
            Container& container, const ProcessSpec& spec, const PeaRecord& record);
    void adopt_pea(Container& container, const ProcessRecord& process);
    void pea_exited(const std::weak_ptr<Container>& weak, const std::string& process_id);
    // Takes down what it has besides its process; idempotent.
    base::Result<void> end_pea(Container& container, const PeaRecord& record);
    base::Result<void> end_peas(Container& container);
    void end_dead_peas(Container& container);  // whose processes are gone

    // stream.cpp
    struct Helper;
    base::Result<std::shared_ptr<Helper>> start_copy(
            const Handle& handle,
            const std::string& user,
            std::vector<std::string> arguments,
            base::FdRef input,
            base::FdRef output,
            bool relative_to_home);

    // events.cpp
    void tell_started();
    void tell_created(const ContainerRecord& record);
    void tell_run(
            const Container& container, const ProcessSpec& spec, const launch::ProcessPlan& plan);
    void tell_limits(const Handle& handle, const LimitsSpec& before, const LimitsSpec& after);
    void tell_net_out(
            const Handle& handle, const std::vector<OutRuleSpec>& rules, bool replaced = false);
    void tell_net_in(const Handle& handle, const MappedPort& port);

    // explain.cpp
    base::Result<security::ExplainFacts> explain_facts(
            Container& container, const std::string& process);
    base::Result<bool> is_host_owned(
            Container& container, const std::string& path, security::PathQuestion::Access access);
    base::Result<Explained> explain_inside(Container& container, const ExplainRequest& request);
    base::Result<void> explain_recent(
            Container& container, const ExplainRequest& request, ExplainReport& report);
    // explain_connect.cpp
    base::Result<net::ConnectFacts> connect_facts(Container& container);
    base::Result<Explained> explain_connect(
            Container& container, const net::ConnectQuestion& question);
    base::Result<void> explain_connections(Container& container, ExplainReport& report);

    // audit.cpp
    base::Result<audit::Expected> expected_of(Container& container);
    audit::Outside look_outside(Container& container, const audit::Expected& expected);
    void look_inside(Container& container, audit::Evidence& evidence);
    // What garden-probe answers, run as that user of the container.
    base::Result<std::string> probe(
            Container& container, std::uint32_t uid, const std::string& request);

    // net_in.cpp
    base::Result<void> keep_ports(Container& container, std::vector<net::PortMapping> ports);
    base::Result<MappedPort> map_port(Container& container, InPortSpec wanted);
    base::Result<void> map_ports(Container& container);  // what its spec asks for

    // out_rules.cpp
    static base::Result<void> keep_rules(Container& container, std::vector<OutRuleSpec> rules);

    // connections.cpp
    void remember_rules(const ContainerRecord& record);
    std::vector<Orphan> find_drift();

    // query.cpp
    void watch_oom(const ContainerPtr& container);
    void watch_oom(const ContainerPtr& container, cgroup::Group& group);
    void note_oom(const ContainerPtr& container);
    std::uint64_t entitlement(std::uint64_t shares, std::chrono::nanoseconds age) const;

    // doctor.cpp
    std::vector<Orphan> find_orphans();
    std::vector<Orphan> find_groupless(const std::vector<ContainerPtr>& containers);

    Parts parts_;
    Filters filters_;
    audit::NamespaceIndex audited_;
    Registry registry_;
    Seats seats_;
    std::optional<NetworkPlugin> network_plugin_;
    std::optional<ImagePlugin> image_plugin_;
    Turns creating_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> helpers_{1};
    mutable std::mutex releasing_mutex_;
    std::set<std::string> releasing_;  // owners of id ranges that wait for their files to be gone
    // Destroyed first, in this order: they call into everything above.
    std::unique_ptr<Chores> chores_;
    std::unique_ptr<Departures> departures_;
    std::unique_ptr<GraceTimers> timers_;
    std::unique_ptr<WarmPool> pool_;
    std::unique_ptr<WarmPool> lone_pool_;  // of seats without a network; empty until one is wanted
    std::unique_ptr<Latecomers> latecomers_;
    std::unique_ptr<Denials> denials_;
};

}  // namespace garden
