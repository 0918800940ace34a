// Looking at a living container from the host, and at the host itself. Reads only; what cannot be
// read is a problem of its part, never of the whole. Used by garden/engine/audit.cpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/audit/facts.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace garden::audit {

// Which processes of the host are in which namespace: a stranger in a container's namespaces need
// not be in its cgroup. Kept for a moment, because an audit of all containers asks once for each.
class NamespaceIndex {
  public:
    // Pids in the namespace of this kind ("pid", "mnt", "user"), by its inode.
    std::vector<std::int32_t> members(const std::string& kind, std::uint64_t inode);

  private:
    using Scan = std::map<std::pair<std::string, std::uint64_t>, std::vector<std::int32_t>>;
    std::shared_ptr<const Scan> scan();

    std::mutex mutex_;
    std::shared_ptr<const Scan> scan_;
    std::chrono::steady_clock::time_point at_;
};

struct Target {
    std::int32_t init_pid = 0;
    std::vector<std::int32_t> members;                       // of the group
    std::vector<std::pair<std::string, base::FdRef>> views;  // hierarchy -> the container's group
};

// Everything of Outside but limits and the stored filter, which are the engine's to read.
Outside look_outside(const Expected& expected, const Target& target, NamespaceIndex& index);

// One process as /proc shows it; not_found once it has gone.
base::Result<ProcessView> look_at_process(std::int32_t pid, bool init);
std::map<std::string, std::uint64_t> own_namespaces();

void look_at_mounts(const Expected& expected, std::int32_t init_pid, Outside& outside);
void look_at_cgroups(
        std::span<const std::pair<std::string, base::FdRef>> views,
        security::Class container_class,
        Outside& outside);
// In the network namespace of the calling thread.
void look_at_network(const Expected& expected, Outside& outside);

struct HostQuestion {
    std::string store_directory, state_directory;
    std::vector<std::string> endpoints;  // "unix:/run/…", "tcp://…": base::http::Endpoint::text()
    std::set<std::string> hierarchies;
};

HostView look_at_host(const HostQuestion& question);

}  // namespace garden::audit
