#include "executor/api/client.hpp"

#include "base/fail.hpp"
#include "executor/api/client_parts.hpp"
#include "executor/api/http_files.hpp"

namespace executor::api {

using base::http::kNoDeadline;
using base::http::percent_encode;

base::Error refusal(int status, const base::http::Headers& headers, const std::string& body) {
    const auto name = headers.get("X-Executor-Error");
    for (const auto& known : named_errors())
        if (known.name == name) {
            const auto detail = std::string_view(body).substr(
                    body.starts_with(known.message) ? known.message.size() : body.size());
            return base::fail(known.kind, "{}{}", known.message, detail);
        }
    const auto kind = status == 404   ? base::Errc::not_found
                      : status == 502 ? base::Errc::unavailable
                      : status == 503 ? base::Errc::unavailable
                      : status < 500  ? base::Errc::invalid
                                      : base::Errc::internal;
    return base::fail(kind, "status {}: {}", status, body.substr(0, 512));
}

std::string container_path(std::string_view guid, std::string_view rest) {
    return "/containers/" + percent_encode(guid) + std::string(rest);
}

namespace {

constexpr std::size_t kMaxAnswer = std::size_t{64} << 20;  // 250 recipes of 4 MB never happen
constexpr base::json::Limits kAnswerLimits{.bytes = kMaxAnswer};

std::string with_tags(std::string path, const Tags& tags) {
    base::http::Query query;
    for (const auto& [name, value] : tags) query.add("tag", name + ":" + value);
    return query.empty() ? path : path + "?" + query.text();
}

class HttpEvents final : public EventSource {
  public:
    explicit HttpEvents(base::http::ClientStream stream) : reader_(std::move(stream)) {}

    base::Result<Event> next(std::chrono::milliseconds timeout) override {
        auto event = TRY(reader_.next(timeout));
        if (!event) return base::fail(base::Errc::unavailable, "the executor's events ended");
        const auto kind = parse_event_kind(event->name);
        if (!kind)
            return base::fail(base::Errc::corrupt, "'{}' is no event of an executor", event->name);
        auto value = TRY(
                base::json::decode<Event>(event->data, base::json::Rest::reject, kAnswerLimits));
        value.kind = *kind;
        return value;
    }

    void close() override { reader_.stream().cancel(); }

  private:
    base::http::EventReader reader_;
};

}  // namespace

Client::Client(base::http::ClientConfig config)
    : http_(std::make_shared<base::http::Client>(std::move(config))) {}

base::Result<std::string> Client::call(std::string method, std::string target, std::string body) {
    // What ends a container takes as long as its grace; so does a creation that is waited for.
    const bool waits = method == "DELETE" || target.ends_with("/stop");
    base::http::ClientRequest request{
            .method = std::move(method),
            .target = std::move(target),
            .headers = {},
            .body = std::move(body),
            .upload = {},
            .timeout = waits ? kNoDeadline : std::chrono::milliseconds(kQuickCall)};
    if (!request.body.empty()) request.headers.add("Content-Type", "application/json");
    auto answer = TRY(http_->call(std::move(request), kMaxAnswer));
    if (!answer.good()) return refusal(answer.status, answer.headers, answer.body);
    return std::move(answer.body);
}

base::Result<void> Client::ping() {
    TRY(call("GET", "/ping"));
    return base::ok;
}

base::Result<std::vector<AllocationFailure>> Client::allocate(
        const std::vector<AllocationRequest>& requests) {
    const auto body = TRY(call("POST", "/containers", base::json::encode(requests)));
    using Refused = std::map<std::string, std::string>;
    const auto refused = TRY(base::json::decode<Refused>(body));
    std::vector<AllocationFailure> failures;
    for (const auto& request : requests) {
        const auto found = refused.find(request.guid);
        if (found == refused.end()) continue;
        const auto error = base::fail(base::Errc::internal, "{}", found->second);
        AllocationFailure failure{.request = request, .name = {}, .message = found->second};
        for (const auto& known : named_errors())
            if (failure.message.starts_with(known.message)) failure.name = known.name;
        failures.push_back(std::move(failure));
    }
    return failures;
}

base::Result<std::map<std::string, std::string>> Client::allocate_recipes(
        const std::vector<Container>& containers) {
    const auto body = TRY(call("POST", "/containers", base::json::encode(containers)));
    using Refused = std::map<std::string, std::string>;
    return base::json::decode<Refused>(body);
}

base::Result<void> Client::run(const RunRequest& request) {
    TRY(call("POST", container_path(request.guid, "/run"), base::json::encode(request)));
    return base::ok;
}

base::Result<void> Client::update(const UpdateRequest& request) {
    TRY(call("PUT", container_path(request.guid, "/update"), base::json::encode(request)));
    return base::ok;
}

base::Result<void> Client::stop(std::string_view guid) {
    TRY(call("POST", container_path(guid, "/stop")));
    return base::ok;
}

base::Result<void> Client::remove(std::string_view guid) {
    TRY(call("DELETE", container_path(guid)));
    return base::ok;
}

base::Result<Container> Client::get(std::string_view guid) {
    const auto body = TRY(call("GET", container_path(guid)));
    return base::json::decode<Container>(body, base::json::Rest::ignore, kAnswerLimits);
}

base::Result<std::vector<Container>> Client::list(const Tags& tags) {
    const auto body = TRY(call("GET", with_tags("/containers", tags)));
    return base::json::decode<std::vector<Container>>(
            body, base::json::Rest::ignore, kAnswerLimits);
}

base::Result<std::map<std::string, ContainerMetrics>> Client::metrics(const Tags& tags) {
    const auto body = TRY(call("GET", with_tags("/metrics", tags)));
    using All = std::map<std::string, ContainerMetrics>;
    return base::json::decode<All>(body, base::json::Rest::ignore, kAnswerLimits);
}

base::Result<Resources> Client::remaining_resources() {
    const auto body = TRY(call("GET", "/resources/remaining"));
    return base::json::decode<Resources>(body, base::json::Rest::ignore);
}

base::Result<Resources> Client::total_resources() {
    const auto body = TRY(call("GET", "/resources/total"));
    return base::json::decode<Resources>(body, base::json::Rest::ignore);
}

base::Result<std::unique_ptr<FileStream>> Client::files(
        std::string_view guid, std::string_view path) {
    base::http::ClientRequest request{
            .method = "GET",
            .target = container_path(guid, "/files?source=") + percent_encode(path)};
    auto stream = TRY(http_->open(std::move(request)));
    if (!stream.good())
        return refusal(
                stream.status(), stream.headers(),
                stream.read_all(base::http::kMaxJsonBody, kQuickCall).value_or(std::string()));
    std::unique_ptr<FileStream> files = std::make_unique<HttpFiles>(std::move(stream));
    return files;
}

base::Result<std::unique_ptr<EventSource>> Client::subscribe() {
    base::http::ClientRequest request{.method = "GET", .target = "/events"};
    auto stream = TRY(http_->open(std::move(request)));
    if (!stream.good()) return refusal(stream.status(), stream.headers(), {});
    std::unique_ptr<EventSource> events = std::make_unique<HttpEvents>(std::move(stream));
    return events;
}

std::vector<std::string> Client::volume_drivers() {
    const auto body = call("GET", "/volume_drivers");
    if (!body) return {};
    return base::json::decode<std::vector<std::string>>(*body).value_or(std::vector<std::string>());
}

bool Client::healthy() {
    return call("GET", "/healthy").has_value();
}

void Client::say(std::string_view guid, std::string_view line) {
    (void)call("POST", container_path(guid, "/say"), std::string(line));  // a courtesy
}

}  // namespace executor::api
