// Typed client of the Garden API and of our extensions: one blocking call per operation. Used by
// the CLI and the executor. Safe from any thread. Errors carry the kind that the server's answer
// stands for (error.hpp: to_error).
#pragma once

#include "base/http/client.hpp"
#include "garden/api/audit.hpp"
#include "garden/api/connections.hpp"
#include "garden/api/denials.hpp"
#include "garden/api/error.hpp"
#include "garden/api/event_log.hpp"
#include "garden/api/explain.hpp"
#include "garden/api/extensions.hpp"
#include "garden/api/image_checks.hpp"
#include "garden/api/process_stream.hpp"
#include "garden/api/types.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace garden::api {

// Calls that the server answers from memory; the others (create, destroy, stop, files, pull) take
// as long as they take.
inline constexpr std::chrono::seconds kQuickCall{30};

class Client {
  public:
    explicit Client(base::http::ClientConfig config);

    base::Result<void> ping();
    base::Result<Capacity> capacity();
    // Properties that must match; "garden.state" = "all" shows half-made containers too.
    base::Result<std::vector<std::string>> list(const StringMap& filter = {});
    base::Result<std::string> create(const ContainerSpec& spec);
    base::Result<ContainerInfo> info(std::string_view handle);
    base::Result<std::map<std::string, BulkInfo>> bulk_info(
            const std::vector<std::string>& handles);
    base::Result<std::map<std::string, BulkMetrics>> bulk_metrics(
            const std::vector<std::string>& handles);
    base::Result<void> destroy(std::string_view handle);
    base::Result<void> stop(std::string_view handle, bool kill);

    using Source = std::function<base::Result<std::size_t>(std::span<char>)>;
    base::Result<void> stream_in(
            std::string_view handle,
            std::string_view user,
            std::string_view destination,
            Source tar);
    base::Result<base::http::ClientStream> stream_out(
            std::string_view handle, std::string_view user, std::string_view source);

    base::Result<BandwidthLimits> bandwidth_limits(std::string_view handle);
    base::Result<CpuLimits> cpu_limits(std::string_view handle);
    base::Result<DiskLimits> disk_limits(std::string_view handle);
    base::Result<DiskLimits> set_disk_limits(std::string_view handle, const DiskLimits& limits);
    base::Result<MemoryLimits> memory_limits(std::string_view handle);
    base::Result<NetInResponse> net_in(
            std::string_view handle, std::uint32_t host_port, std::uint32_t container_port);
    base::Result<void> net_out(std::string_view handle, const NetOutRule& rule);
    base::Result<void> bulk_net_out(std::string_view handle, const std::vector<NetOutRule>& rules);

    base::Result<ProcessStream> run(std::string_view handle, const ProcessSpec& spec);
    base::Result<ProcessStream> attach(std::string_view handle, std::string_view process_id);

    base::Result<void> set_grace_time(std::string_view handle, std::chrono::nanoseconds time);
    base::Result<StringMap> properties(std::string_view handle);
    base::Result<std::string> property(std::string_view handle, std::string_view name);
    base::Result<void> set_property(
            std::string_view handle, std::string_view name, std::string_view value);
    base::Result<void> remove_property(std::string_view handle, std::string_view name);
    base::Result<Metrics> metrics(std::string_view handle);

    // Extensions, below /cloche/v1.
    base::Result<std::vector<ImageRow>> images();
    base::Result<Image> image(std::string_view reference);
    base::Result<void> remove_image(std::string_view reference);
    // Bytes freed; only of what no container has used for so long.
    base::Result<std::uint64_t> prune_images(
            std::chrono::seconds unused_for = std::chrono::seconds(0));
    base::Result<VerifyAnswer> verify_images(std::string_view reference);  // "" = all of them
    base::Result<Image> pull(
            const ImageRef& image, const std::function<void(const PullProgress&)>& progress);
    base::Result<std::string> plan(const ContainerSpec& spec);  // JSON
    base::Result<std::vector<Orphan>> doctor();
    base::Result<std::string> features();  // JSON
    // No handles: every container, and the proof that no two of them share anything.
    base::Result<AuditReport> audit(const std::vector<std::string>& handles = {});
    base::Result<AuditReport> audit_host();
    base::Result<std::vector<ProcessRow>> processes(std::string_view handle);
    base::Result<Denials> denials(std::string_view handle);
    base::Result<ExplainAnswer> explain(std::string_view handle, const ExplainRequest& request);
    base::Result<EventLogPage> event_log(std::uint64_t since, std::uint64_t limit);
    base::Result<Connections> connections(std::string_view handle);
    base::Result<NetworkState> network();
    base::Result<std::string> logs(
            std::string_view handle, std::string_view process_id, bool is_stderr);

  private:
    base::Result<std::string> call(
            std::string method,
            std::string target,
            std::string body = {},
            std::chrono::milliseconds timeout = kQuickCall);
    base::Result<base::http::ClientStream> open(base::http::ClientRequest request);
    template <class T>
    base::Result<T> get(std::string target);
    base::Result<ProcessStream> begin_stream(
            std::string_view handle, base::http::ClientRequest request);

    std::shared_ptr<base::http::Client> http_;  // owners: this and the streams it made
};

}  // namespace garden::api
