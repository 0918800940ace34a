// A cell behind its HTTP API (executor-rep §14.2). Used by the auctioneer, the brain, the CLI and
// tests. Safe from any thread.
#pragma once

#include "base/http/client.hpp"
#include "rep/api/types.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace rep::api {

inline constexpr std::chrono::milliseconds kCallTimeout{10'000};  // auction §4

struct HealthyState {
    CellState state;
    bool healthy = true;
};

class Client {
  public:
    explicit Client(
            base::http::ClientConfig config, std::chrono::milliseconds timeout = kCallTimeout);

    base::Result<void> ping();
    // Errc::unavailable for a cell that is unhealthy, too (503 with a state).
    base::Result<CellState> state();
    // The same for people, who want to see what an unhealthy cell has.
    base::Result<HealthyState> state_and_health();
    // What the cell refused.
    base::Result<Work> perform(const Work& work);
    base::Result<void> stop_lrp(std::string_view process_guid, std::string_view instance_guid);
    // v2, then v1 without metric tags for a cell of old; who knows neither has nothing to update.
    base::Result<void> update_lrp(const LrpUpdate& update);
    base::Result<void> cancel_task(std::string_view task_guid);
    base::Result<ContainerMetrics> container_metrics();
    base::Result<std::string> evacuate();  // where to ping until nobody answers; admin listener

  private:
    base::Result<base::http::ClientResponse> call(
            std::string method, std::string target, std::string body = {});
    base::Result<std::string> good(std::string method, std::string target, std::string body = {});

    std::chrono::milliseconds timeout_;
    base::http::Client http_;
};

}  // namespace rep::api
