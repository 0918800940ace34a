// The implementation of network.hpp. Its methods are in network.cpp (leases, what exists),
// connect.cpp (links), network_rules.cpp (security groups, ports), flows.cpp, and
// network_evidence.cpp (counters, the log, repair). Used by these alone.
#pragma once

#include "garden/net/evidence_log.hpp"
#include "garden/net/flow_ender.hpp"
#include "garden/net/group.hpp"
#include "garden/net/host.hpp"
#include "garden/net/netlink.hpp"
#include "garden/net/network.hpp"
#include "garden/net/parsed_lease.hpp"
#include "garden/net/pool.hpp"
#include "garden/net/port_pool.hpp"
#include "garden/net/table.hpp"
#include "garden/net/watcher.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace garden::net {

inline constexpr int kLoopback = 1;  // the index of lo in every namespace
inline constexpr std::array kGone = {ENODEV, ENOENT, ESRCH, EADDRNOTAVAIL};

class BuiltIn final : public Network {
  public:
    BuiltIn(Config config, HostPolicy policy, Pool pool, PortPool ports, std::uint16_t mtu)
        : config_(std::move(config)),
          policy_(std::move(policy)),
          mtu_(mtu),
          pool_(std::move(pool)),
          ports_(std::move(ports)) {
        // Unique across restarts as long as fewer than a million leases are made per second.
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        next_id_ = static_cast<std::uint64_t>(
                std::chrono::duration_cast<std::chrono::microseconds>(now).count());
    }

    base::Result<Lease> lease(std::string_view request) override;
    base::Result<void> adopt(const Lease& lease) override;
    void release_all(std::span<const Lease> leases) override;
    base::Result<void> connect(const Lease& lease, base::FdRef network_namespace) override;
    base::Result<void> disconnect(const Lease& lease, bool namespace_gone) override;

    base::Result<void> allow(const Lease& lease, std::span<const OutRule> rules) override;
    base::Result<void> remember(const Lease& lease, std::span<const OutRule> rules) override;
    base::Result<void> settle() override;
    base::Result<Evidence> evidence(const Lease& lease, std::uint64_t after) override;

    void wait_for_evidence(std::uint64_t after, std::chrono::milliseconds patience) override {
        log_.wait(after, patience);
    }

    base::Result<Integrity> integrity() override;
    // Once, before anything else: the log, the watch on the rules, the end of flows.
    base::Result<void> begin_watch();

    base::Result<void> replace(const Lease& lease, std::span<const OutRule> rules) override;
    base::Result<void> shape(const Lease& lease, base::FdRef network_namespace) override;
    base::Result<PortMapping> reserve_port(
            const Lease& lease, std::uint32_t host_port, std::uint32_t container_port) override;
    void release_port(const Lease& lease, const PortMapping& mapping) override;
    base::Result<void> map_ports(const Lease& lease) override;
    base::Result<void> isolate(base::FdRef network_namespace) override;

    std::string hosts_file(const Lease* lease, std::string_view hostname) const override {
        return lease == nullptr ? hosts_text_of_loopback(config_, hostname)
                                : hosts_text(config_, *lease, hostname);
    }

    std::string resolv_file(const Lease* lease) const override {
        return lease == nullptr ? "" : resolv_text(config_, *lease, read_host_resolv());
    }

    base::Result<Counters> counters(const Lease& lease) override;

    std::uint64_t capacity() const override { return pool_.capacity(); }

    std::uint64_t free_subnets() const override {
        const std::lock_guard lock(mutex_);
        return pool_.free();
    }

    base::Result<std::vector<std::string>> present() override;
    base::Result<void> sweep(std::string_view lease_id) override;
    base::Result<void> tear_down() override;

  private:
    base::Result<void> check_host_networks(std::string_view request);
    base::Result<int> ensure_bridge(Netlink& route, const Lease& lease, const Placement& placement);
    void drop_bridge_if_unused(const ParsedLease& parsed, bool except_self);
    base::Result<void> set_host_end(
            Netlink& route, const Lease& lease, const ParsedLease& parsed, int link);
    base::Result<void> set_container_end(
            const Lease& lease, const ParsedLease& parsed, base::FdRef network_namespace);
    base::Result<void> remove_rules(const Binding& binding);
    base::Result<void> remove_everything(std::string_view id);
    void keep_port_order();

    // network_evidence.cpp: what is in force, in memory and in the kernel.
    struct Applied {
        Binding binding;
        std::vector<OutRule> rules;  // in the order given

        Group group() const { return compile(rules, binding.address6.has_value()); }
    };

    // flows.cpp
    void end_behind(const std::set<std::string>& ids);
    bool permits(const Applied& applied, const Call& call) const;
    base::Result<void> end_refused_flows(const std::set<std::string>& ids);
    base::Result<void> end_all_flows(std::span<const Binding> bindings);
    void note_silence(Netlink& route, const Binding& binding);
    bool was_silent(const std::string& id);

    Binding binding_of(const ParsedLease& parsed) const;
    void note_applied(const Binding& binding);
    Group note_removed(std::string_view id);    // what it had
    void note_binding(const Binding& binding);  // its rules stay
    std::vector<OutRule> rules_of(std::string_view id) const;
    void note_rules(std::string_view id, std::vector<OutRule> rules);
    // From the rules it has to these, in the kernel and in the memory.
    base::Result<void> change_rules(const Binding& binding, std::vector<OutRule> wanted);
    // Changes the rules of one container, in the memory first. When something of the table is not
    // there, because somebody has just deleted it, the change comes with the repair.
    base::Result<void> commit(Batch& batch, const std::function<void()>& note);
    base::Result<void> mend(const std::string& reason, bool look_first);
    base::Result<void> put_everything(Batch& batch, const std::set<std::string>& interfaces);
    base::Result<bool> is_in_force(Netlink& netfilter);

    const Config config_;
    const HostPolicy policy_;
    const std::uint16_t mtu_;
    mutable std::mutex mutex_;  // pool_, and what says so
    Pool pool_;
    std::set<std::string> silent_;  // disconnected, never sent or got a packet; under mutex_
    std::mutex ports_mutex_;        // ports_ and their file
    PortPool ports_;
    // Held around what makes interfaces. The kernel has one lock for all of it, and a write of
    // disable_ipv6 does not wait for it but is begun anew until it gets it, burning a processor.
    // Innermost.
    std::mutex links_;
    std::mutex bridges_;  // a bridge appears with its first and goes with its last container
    std::atomic<std::uint64_t> next_id_{0};
    SocketPool netfilter_{NETLINK_NETFILTER};

    // Shared: by who changes the rules of one container, kernel and memory together. Alone: by who
    // puts all of them back. Taken after the locks of the engine and `bridges_`, before `mutex_`.
    std::shared_mutex whole_table_;
    std::map<std::string, Applied, std::less<>> applied_;  // by lease id; under mutex_
    Integrity integrity_;                                  // under mutex_
    std::string unended_behind_;                           // under mutex_; as integrity_ has it
    bool torn_down_ = false;                               // under whole_table_
    ConnectionLog log_;
    std::unique_ptr<FlowEnder> ender_;  // its thread calls end_behind()
    std::unique_ptr<Watcher> watcher_;  // last: its thread calls mend()
};

}  // namespace garden::net
