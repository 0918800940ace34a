// TransferStep: a step whose work blocks and runs on a bounded pool; what downloads and uploads
// share. Private to executor/steps.
//
//   begin ─► waits for a thread of the pool ─► work(stop) there ─► outcome back on the loop
//              cancel: over at once              cancel: stop is asked, work returns soon
#pragma once

#include "base/error.hpp"
#include "executor/logs/stream.hpp"
#include "executor/steps/basic_step.hpp"
#include "executor/steps/tools.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

namespace executor {

inline constexpr std::size_t kMaxLoggedError = 1'024;  // bytes (executor-rep §5.4)

// The words of one transfer: says them into the container's log when its artifact has a name.
class TransferTalk {
  public:
    TransferTalk(Tools& tools, std::string source, std::string artifact)
        : tools_(tools), source_(std::move(source)), artifact_(std::move(artifact)) {}

    void say(std::string_view line) const;
    // `message`: for users. The log says more: "MESSAGE: CAUSE".
    Outcome fail(std::string message, const base::Error& cause) const;
    void say_error(std::string_view message, std::string_view cause) const;

    const std::string& artifact() const { return artifact_; }

    // "artifact " or nothing, in front of another word.
    std::string named() const { return artifact_.empty() ? "" : artifact_ + " "; }

    // " for artifact" or nothing.
    std::string for_named() const { return artifact_.empty() ? "" : " for " + artifact_; }

  private:
    Tools& tools_;
    std::string source_;
    std::string artifact_;
};

// "512B", "1.5M": powers of 1,024 with one digit, none when it is 0.
std::string short_size(std::uint64_t bytes);
std::string cut_error(std::string_view text);

class TransferStep final : public BasicStep {
  public:
    using Work = std::function<Outcome(const std::stop_token&)>;

    // `work` runs on `pool`; what it refers to outlives the step.
    TransferStep(Tools& tools, base::WorkerPool& pool, std::string path, Work work);
    // Waits for work that runs: it uses the tools of a container that may go next.
    ~TransferStep() override;

  protected:
    void begin() override;
    void on_cancel() override;

  private:
    struct Job;
    void end(Outcome outcome);

    Tools& tools_;
    base::WorkerPool& pool_;
    const std::string path_;
    std::shared_ptr<Job> job_;  // owners: the step and what is queued in the pool
};

}  // namespace executor
