#include "garden/api/client.hpp"

#include "base/fail.hpp"
#include "garden/api/client_detail.hpp"

namespace garden::api {

using base::http::kNoDeadline;
using base::http::percent_encode;
using base::json::encode;

base::Error answer_error(int status, const std::string& body) {
    if (auto error = base::json::decode<Error>(body, base::json::Rest::ignore);
        error && !(error->message.empty() && error->type.empty()))
        return to_error(*error, status);
    const auto text = body.substr(0, 512);
    // What does not answer in our shape is a router or a proxy: only its status is worth something.
    const auto kind = status == 404   ? base::Errc::not_found
                      : status == 503 ? base::Errc::unavailable
                      : status < 500  ? base::Errc::invalid
                                      : base::Errc::internal;
    return base::fail(kind, "status {}: {}", status, text);
}

std::string container_path(std::string_view handle, std::string_view rest) {
    return "/containers/" + percent_encode(handle) + std::string(rest);
}

Client::Client(base::http::ClientConfig config)
    : http_(std::make_shared<base::http::Client>(std::move(config))) {}

base::Result<std::string> Client::call(
        std::string method,
        std::string target,
        std::string body,
        std::chrono::milliseconds timeout) {
    base::http::ClientRequest request{
            .method = std::move(method),
            .target = std::move(target),
            .headers = {},
            .body = std::move(body),
            .upload = {},
            .timeout = timeout};
    if (!request.body.empty()) request.headers.add("Content-Type", "application/json");
    auto answer = TRY(http_->call(std::move(request), kMaxAnswer));
    if (!answer.good()) return answer_error(answer.status, answer.body);
    return std::move(answer.body);
}

base::Result<base::http::ClientStream> Client::open(base::http::ClientRequest request) {
    auto stream = TRY(http_->open(std::move(request)));
    if (stream.good()) return stream;
    return answer_error(
            stream.status(), stream.read_all(kMaxAnswer, kQuickCall).value_or(std::string()));
}

template <class T>
base::Result<T> Client::get(std::string target) {
    const auto body = TRY(call("GET", target));
    return base::json::decode<T>(body, base::json::Rest::ignore, kAnswerLimits).context(target);
}

base::Result<void> Client::ping() {
    TRY(call("GET", "/ping"));
    return base::ok;
}

base::Result<Capacity> Client::capacity() {
    return get<Capacity>("/capacity");
}

base::Result<std::vector<std::string>> Client::list(const StringMap& filter) {
    base::http::Query query;
    for (const auto& [name, value] : filter) query.add(name, value);
    auto answer = TRY(get<ListAnswer>(
            query.empty() ? std::string("/containers") : "/containers?" + query.text()));
    return std::move(answer.handles);
}

base::Result<std::string> Client::create(const ContainerSpec& spec) {
    const auto body = TRY(call("POST", "/containers", encode(spec) + "\n", kNoDeadline));
    return TRY(base::json::decode<CreateAnswer>(body, base::json::Rest::ignore)).handle;
}

base::Result<ContainerInfo> Client::info(std::string_view handle) {
    return get<ContainerInfo>(container_path(handle, "/info"));
}

namespace {

std::string bulk_target(std::string_view path, const std::vector<std::string>& handles) {
    std::string joined;
    for (const auto& handle : handles) joined.append(joined.empty() ? "" : ",").append(handle);
    return std::string(path) + "?handles=" + percent_encode(joined);
}

// A query is a header line of bounded size, so many handles are asked for in several calls.
std::vector<std::vector<std::string>> batches(const std::vector<std::string>& handles) {
    constexpr std::size_t kLimit = base::http::kMaxTargetBytes / 4;
    std::vector<std::vector<std::string>> out;
    std::size_t used = kLimit;
    for (const auto& handle : handles) {
        const auto size = percent_encode(handle).size() + 3;
        if (used + size > kLimit) {
            out.emplace_back();
            used = 0;
        }
        used += size;
        out.back().push_back(handle);
    }
    return out;
}

}  // namespace

base::Result<std::map<std::string, BulkInfo>> Client::bulk_info(
        const std::vector<std::string>& handles) {
    std::map<std::string, BulkInfo> all;
    for (const auto& batch : batches(handles))
        all.merge(TRY((get<std::map<std::string, BulkInfo>>(
                bulk_target("/containers/bulk_info", batch)))));
    return all;
}

base::Result<std::map<std::string, BulkMetrics>> Client::bulk_metrics(
        const std::vector<std::string>& handles) {
    std::map<std::string, BulkMetrics> all;
    for (const auto& batch : batches(handles))
        all.merge(TRY((get<std::map<std::string, BulkMetrics>>(
                bulk_target("/containers/bulk_metrics", batch)))));
    return all;
}

base::Result<void> Client::destroy(std::string_view handle) {
    TRY(call("DELETE", container_path(handle, ""), {}, kNoDeadline));
    return base::ok;
}

base::Result<void> Client::stop(std::string_view handle, bool kill) {
    TRY(
            call("PUT", container_path(handle, "/stop"), encode(StopRequest{.kill = kill}),
                 kNoDeadline));
    return base::ok;
}

base::Result<void> Client::stream_in(
        std::string_view handle, std::string_view user, std::string_view destination, Source tar) {
    base::http::Query query;
    query.add("user", std::string(user));
    query.add("destination", std::string(destination));
    auto stream = TRY(
            open({.method = "PUT",
                  .target = container_path(handle, "/files?") + query.text(),
                  .headers = {{"Content-Type", "application/x-tar"}},
                  .body = {},
                  .upload = std::move(tar),
                  .timeout = kNoDeadline}));
    TRY(stream.read_all(kMaxAnswer, kQuickCall));
    return base::ok;
}

base::Result<base::http::ClientStream> Client::stream_out(
        std::string_view handle, std::string_view user, std::string_view source) {
    base::http::Query query;
    query.add("user", std::string(user));
    query.add("source", std::string(source));
    return open(
            {.method = "GET",
             .target = container_path(handle, "/files?") + query.text(),
             .headers = {},
             .body = {},
             .upload = {},
             .timeout = kNoDeadline});
}

base::Result<BandwidthLimits> Client::bandwidth_limits(std::string_view handle) {
    return get<BandwidthLimits>(container_path(handle, "/limits/bandwidth"));
}

base::Result<CpuLimits> Client::cpu_limits(std::string_view handle) {
    return get<CpuLimits>(container_path(handle, "/limits/cpu"));
}

base::Result<DiskLimits> Client::disk_limits(std::string_view handle) {
    return get<DiskLimits>(container_path(handle, "/limits/disk"));
}

base::Result<DiskLimits> Client::set_disk_limits(
        std::string_view handle, const DiskLimits& limits) {
    const auto body = TRY(call("PUT", container_path(handle, "/limits/disk"), encode(limits)));
    return base::json::decode<DiskLimits>(body, base::json::Rest::ignore);
}

base::Result<MemoryLimits> Client::memory_limits(std::string_view handle) {
    return get<MemoryLimits>(container_path(handle, "/limits/memory"));
}

base::Result<NetInResponse> Client::net_in(
        std::string_view handle, std::uint32_t host_port, std::uint32_t container_port) {
    const NetInRequest request{
            .handle = std::string(handle),
            .host_port = host_port,
            .container_port = container_port};
    const auto body = TRY(call("POST", container_path(handle, "/net/in"), encode(request)));
    return base::json::decode<NetInResponse>(body, base::json::Rest::ignore);
}

base::Result<void> Client::net_out(std::string_view handle, const NetOutRule& rule) {
    TRY(call("POST", container_path(handle, "/net/out"), encode(rule)));
    return base::ok;
}

base::Result<void> Client::bulk_net_out(
        std::string_view handle, const std::vector<NetOutRule>& rules) {
    TRY(call("POST", container_path(handle, "/net/out/bulk"), encode(rules)));
    return base::ok;
}

base::Result<ProcessStream> Client::begin_stream(
        std::string_view handle, base::http::ClientRequest request) {
    request.timeout = kNoDeadline;  // a start may wait for an image
    auto stream = TRY(open(std::move(request)));
    return ProcessStream::begin(
            http_, container_path(handle, "/processes"), TRY(std::move(stream).hijack()));
}

base::Result<ProcessStream> Client::run(std::string_view handle, const ProcessSpec& spec) {
    return begin_stream(
            handle, {.method = "POST",
                     .target = container_path(handle, "/processes"),
                     .headers = {{"Content-Type", "application/json"}},
                     .body = encode(spec) + "\n"});
}

base::Result<ProcessStream> Client::attach(std::string_view handle, std::string_view process_id) {
    return begin_stream(
            handle, {.method = "GET",
                     .target = container_path(handle, "/processes/") + percent_encode(process_id),
                     .headers = {},
                     .body = {}});
}

base::Result<void> Client::set_grace_time(std::string_view handle, std::chrono::nanoseconds time) {
    TRY(call("PUT", container_path(handle, "/grace_time"), std::to_string(time.count())));
    return base::ok;
}

base::Result<StringMap> Client::properties(std::string_view handle) {
    return TRY(get<std::optional<StringMap>>(container_path(handle, "/properties")))
            .value_or(StringMap());
}

base::Result<std::string> Client::property(std::string_view handle, std::string_view name) {
    return TRY(get<PropertyValue>(container_path(handle, "/properties/") + percent_encode(name)))
            .value;
}

base::Result<void> Client::set_property(
        std::string_view handle, std::string_view name, std::string_view value) {
    TRY(
            call("PUT", container_path(handle, "/properties/") + percent_encode(name),
                 encode(PropertyValue{.value = std::string(value)})));
    return base::ok;
}

base::Result<void> Client::remove_property(std::string_view handle, std::string_view name) {
    TRY(call("DELETE", container_path(handle, "/properties/") + percent_encode(name)));
    return base::ok;
}

base::Result<Metrics> Client::metrics(std::string_view handle) {
    return get<Metrics>(container_path(handle, "/metrics"));
}

}  // namespace garden::api
