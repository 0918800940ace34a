// A container's step tree (executor-rep §6).
//
//   serial ── setup
//          └─ readiness( codependent: action, sidecars, health )      … only what the recipe has
#include "executor/steps/combinators.hpp"
#include "executor/steps/health_step.hpp"
#include "executor/steps/readiness_step.hpp"

#include <fmt/format.h>

namespace executor {

namespace {

// What the steps of this container may use, for as long as they live.
class Assembly final : public Step {
  public:
    Assembly(const api::RunInfo& info, Tools& tools);

    void start(Listener listener) override { root_->start(std::move(listener)); }

    void cancel() override { root_->cancel(); }

  private:
    std::unique_ptr<Step> long_lived(const api::RunInfo& info);
    std::unique_ptr<Step> health(const api::RunInfo& info);

    Tools tools_;
    std::string source_;
    std::string health_source_;
    std::unique_ptr<Step> root_;
};

Assembly::Assembly(const api::RunInfo& info, Tools& tools)
    : tools_(tools),
      source_(info.log_config.source_name.empty() ? "LOG" : info.log_config.source_name),
      health_source_(
              info.check_definition.log_source.empty() ? "HEALTH"
                                                       : info.check_definition.log_source) {
    if (info.graceful_shutdown_interval_ms != 0)
        tools_.times.graceful_shutdown = std::chrono::milliseconds(
                static_cast<std::int64_t>(info.graceful_shutdown_interval_ms));
    auto living = long_lived(info);
    if (!info.setup || info.setup->empty()) {
        root_ = std::move(living);
        return;
    }
    Steps both;
    both.push_back(make_step(*info.setup, tools_, source_, "setup"));
    both.push_back(std::move(living));
    root_ = serial(tools_, "container", std::move(both));
}

// A definition with readiness checks only does not displace the monitor: such a container would
// have no liveness check at all (§6, decided otherwise than Diego).
std::unique_ptr<Step> Assembly::health(const api::RunInfo& info) {
    HealthOptions options{
            .path = "monitor",
            .source = health_source_,
            .start_timeout =
                    std::chrono::milliseconds(static_cast<std::int64_t>(info.start_timeout_ms))};
    if (!info.check_definition.checks.empty())
        return make_check_step(info.check_definition.checks, tools_, std::move(options));
    if (info.monitor && !info.monitor->empty())
        return make_monitor_step(*info.monitor, tools_, std::move(options));
    return nullptr;
}

std::unique_ptr<Step> Assembly::long_lived(const api::RunInfo& info) {
    Steps members;
    members.push_back(make_step(info.run.value_or(api::Action{}), tools_, source_, "run"));
    for (const auto& sidecar : info.sidecars)
        members.push_back(make_step(
                sidecar.run, tools_, source_, fmt::format("sidecar/{}", members.size() - 1)));
    if (auto step = health(info)) members.push_back(std::move(step));
    // An exit with success is no error here: with a monitor alone the container stays up, which is
    // how programs that make themselves daemons run; with sidecars everything leaves together.
    auto living = members.size() == 1 ? std::move(members.front())
                                      : codependent(
                                                tools_, std::move(members),
                                                {.error_on_exit = false,
                                                 .cancel_others_on_exit = !info.sidecars.empty()});
    const auto& readiness = info.check_definition.readiness_checks;
    if (readiness.empty()) return living;
    return with_readiness(tools_, readiness, "readiness", health_source_, std::move(living));
}

}  // namespace

std::unique_ptr<Step> assemble(const api::RunInfo& info, Tools& tools) {
    return std::make_unique<Assembly>(info, tools);
}

}  // namespace executor
