// The executor behind its HTTP API (executor-rep §3.2). Used by the rep of a split cell, by the CLI
// and by tests. Safe from any thread.
#pragma once

#include "base/http/client.hpp"
#include "executor/api/executor.hpp"
#include "executor/api/log_record.hpp"

namespace executor::api {

// One container's lines as they come.
class LogSource {
  public:
    virtual ~LogSource() = default;
    // Nothing: the container is gone. Errc::timeout leaves it usable; Errc::cancelled after
    // close().
    virtual base::Result<std::optional<LogRecord>> next(std::chrono::milliseconds timeout) = 0;
    virtual void close() = 0;  // any thread
};

class Client final : public Executor {
  public:
    explicit Client(base::http::ClientConfig config);

    base::Result<void> ping() override;
    base::Result<std::vector<AllocationFailure>> allocate(
            const std::vector<AllocationRequest>& requests) override;
    base::Result<void> run(const RunRequest& request) override;
    base::Result<void> update(const UpdateRequest& request) override;
    base::Result<void> stop(std::string_view guid) override;
    base::Result<void> remove(std::string_view guid) override;
    base::Result<Container> get(std::string_view guid) override;
    base::Result<std::vector<Container>> list(const Tags& tags) override;
    base::Result<std::map<std::string, ContainerMetrics>> metrics(const Tags& tags) override;
    base::Result<Resources> remaining_resources() override;
    base::Result<Resources> total_resources() override;
    base::Result<std::unique_ptr<FileStream>> files(
            std::string_view guid, std::string_view path) override;
    base::Result<std::unique_ptr<EventSource>> subscribe() override;
    std::vector<std::string> volume_drivers() override;
    bool healthy() override;
    void say(std::string_view guid, std::string_view line) override;

    // The 2015 allocation: the whole recipe at once. Map guid → message of those refused.
    base::Result<std::map<std::string, std::string>> allocate_recipes(
            const std::vector<Container>& containers);

    // What is kept of a container's lines, oldest first.
    base::Result<std::vector<LogRecord>> recent_logs(std::string_view guid);
    // Begins with the newest `recent` of them; nothing is missing between those and what comes.
    base::Result<std::unique_ptr<LogSource>> follow_logs(std::string_view guid, std::size_t recent);

  private:
    base::Result<std::string> call(std::string method, std::string target, std::string body = {});
    std::shared_ptr<base::http::Client> http_;  // owners: this and the streams it made
};

}  // namespace executor::api
