// The implementation of network.hpp. Its methods are in network.cpp (leases, links, rules) and
// network_evidence.cpp (counters, the log, repair). Used by these alone.
#pragma once

#include "garden/net/host.hpp"
#include "garden/net/netlink.hpp"
#include "garden/net/network.hpp"
#include "garden/net/parsed_lease.hpp"
#include "garden/net/pool.hpp"
#include "garden/net/table.hpp"

#include <linux/netlink.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace garden::net {

class BuiltIn final : public Network {
  public:
    BuiltIn(Config config, Pool pool, std::uint16_t mtu)
        : config_(std::move(config)), mtu_(mtu), pool_(std::move(pool)) {
        // Unique across restarts as long as fewer than a million leases are made per second.
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        next_id_ = static_cast<std::uint64_t>(
                std::chrono::duration_cast<std::chrono::microseconds>(now).count());
    }

    base::Result<Lease> lease(std::string_view request) override;
    base::Result<void> adopt(const Lease& lease) override;
    void release(const Lease& lease) override;
    base::Result<void> connect(const Lease& lease, base::FdRef network_namespace) override;
    base::Result<void> disconnect(const Lease& lease, bool namespace_gone) override;

    base::Result<void> allow(const Lease& lease, std::span<const OutRule> rules) override;
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

    const Config config_;
    const std::uint16_t mtu_;
    mutable std::mutex mutex_;  // pool_
    Pool pool_;
    std::mutex bridges_;  // a bridge appears with its first and goes with its last container
    std::atomic<std::uint64_t> next_id_{0};
    SocketPool netfilter_{NETLINK_NETFILTER};
};

}  // namespace garden::net
