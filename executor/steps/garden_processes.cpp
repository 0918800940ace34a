#include "executor/steps/garden_processes.hpp"

#include "executor/steps/garden_process.hpp"

namespace executor {

namespace {

class Handle final : public RunningProcess {
  public:
    explicit Handle(std::shared_ptr<GardenProcess> process) : process_(std::move(process)) {}

    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    ~Handle() override { process_->forget(); }

    void terminate() override { process_->signal(garden::api::StreamSignal::terminate); }

    void kill() override { process_->signal(garden::api::StreamSignal::kill); }

  private:
    std::shared_ptr<GardenProcess> process_;
};

}  // namespace

std::unique_ptr<RunningProcess> GardenProcesses::run(ProcessRequest request, ProcessEvents events) {
    auto process = std::make_shared<GardenProcess>(
            GardenProcess::Means{.loop = loop_, .client = client_, .pool = pool_, .times = times_},
            std::move(request), std::move(events));
    process->connect();
    return std::make_unique<Handle>(std::move(process));
}

}  // namespace executor
