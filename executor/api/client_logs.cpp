// The client's side of log streams.
#include "base/fail.hpp"
#include "executor/api/client.hpp"
#include "executor/api/client_parts.hpp"

namespace executor::api {

namespace {

class HttpLogs final : public LogSource {
  public:
    explicit HttpLogs(base::http::ClientStream stream) : reader_(std::move(stream)) {}

    base::Result<std::optional<LogRecord>> next(std::chrono::milliseconds timeout) override {
        const auto event = TRY(reader_.next(timeout));
        if (!event) return std::optional<LogRecord>();
        if (event->name != "log")
            return base::fail(
                    base::Errc::corrupt, "'{}' is no event of a log", event->name.substr(0, 64));
        return std::optional(TRY(base::json::decode<LogRecord>(event->data)));
    }

    void close() override { reader_.stream().cancel(); }

  private:
    base::http::EventReader reader_;
};

}  // namespace

base::Result<std::vector<LogRecord>> Client::recent_logs(std::string_view guid) {
    const auto body = TRY(call("GET", container_path(guid, "/logs")));
    return base::json::decode<std::vector<LogRecord>>(body, base::json::Rest::ignore);
}

base::Result<std::unique_ptr<LogSource>> Client::follow_logs(
        std::string_view guid, std::size_t recent) {
    base::http::ClientRequest request{
            .method = "GET",
            .target = container_path(guid, base::format("/logs/follow?recent={}", recent))};
    auto stream = TRY(http_->open(std::move(request)));
    if (!stream.good())
        return refusal(
                stream.status(), stream.headers(),
                stream.read_all(base::http::kMaxJsonBody, kQuickCall).value_or(std::string()));
    std::unique_ptr<LogSource> logs = std::make_unique<HttpLogs>(std::move(stream));
    return logs;
}

}  // namespace executor::api
