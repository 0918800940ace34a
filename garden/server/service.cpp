#include "garden/server/service.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "garden/server/answer.hpp"
#include "garden/server/event_routes.hpp"

#include <unistd.h>

#include <algorithm>

namespace garden::server {

Shares Shares::of(std::size_t workers) {
    const Shares full;
    workers = std::max<std::size_t>(workers, 16);
    const auto part = [&](std::size_t of_full) {
        return std::max<std::size_t>(1, of_full * workers / full.workers);
    };
    Shares out;
    out.workers = workers;
    out.creates = part(full.creates);
    out.creates_per_source = part(full.creates_per_source);
    out.operations = part(full.operations);
    out.operations_per_container = std::max<std::size_t>(2, part(full.operations_per_container));
    out.file_streams = part(full.file_streams);
    out.file_streams_per_container = part(full.file_streams_per_container);
    out.pulls = part(full.pulls);
    out.pulls_per_source = part(full.pulls_per_source);
    out.bulk_calls = part(full.bulk_calls);
    out.queries = part(full.queries);
    out.queries_per_route = part(full.queries_per_route);
    return out;
}

base::Result<std::unique_ptr<Service>> Service::start(
        Engine& engine, const base::log::Logger& logger, Config config) {
    std::unique_ptr<Service> service(new Service(engine, logger, config));
    service->streams_ = TRY(Streams::start(engine, config.stream_times));
    service->add_metrics();
    return service;
}

Service::Service(Engine& engine, const base::log::Logger& logger, Config config)
    : engine_(engine),
      logger_(logger),
      config_(config),
      creates_(
              {.name = "creates",
               .total = config.shares.creates,
               .per_key = config.shares.creates_per_source}),
      operations_(
              {.name = "operations",
               .total = config.shares.operations,
               .per_key = config.shares.operations_per_container}),
      file_streams_(
              {.name = "file streams",
               .total = config.shares.file_streams,
               .per_key = config.shares.file_streams_per_container}),
      pulls_({.name = "pulls",
              .total = config.shares.pulls,
              .per_key = config.shares.pulls_per_source}),
      bulks_({.name = "bulk queries", .total = 4096, .per_key = 4}),
      bulk_calls_(
              {.name = "bulk calls",
               .total = config.shares.bulk_calls,
               .per_key = config.shares.bulk_calls}),
      queries_(
              {.name = "queries",
               .total = config.shares.queries,
               .per_key = config.shares.queries_per_route}),
      pull_pool_({.name = "pulls", .threads = config.shares.pulls, .queue = 0}),
      bulk_pool_({.name = "bulk", .threads = 64, .queue = 8192}) {
    add("GET", "/ping", &Service::ping);
    add("GET", "/capacity", &Service::capacity);
    add_container_routes();
    add_limit_routes();
    add_process_routes();
    add_extension_routes();
    add_denial_routes();
    add_explain_routes();
    add_image_routes();
    add_event_routes();
    add_evidence_routes();
    add_audit_routes();
}

Service::~Service() = default;

base::http::Response Service::handle(Request& request) {
    const security::ActorScope actor(actor_of(request.peer));  // API-02
    auto response = router_(request);
    tell_call(request, response);
    return response;
}

void Service::add(const char* method, const char* pattern, Method handler) {
    router_.add(method, pattern, [this, handler](Request& request) {
        return (this->*handler)(request);
    });
}

void Service::add(const char* method, const char* pattern, Operation handler, Touch touch) {
    router_.add(method, pattern, [this, handler, touch](Request& request) {
        const Handle handle{std::string(request.param("handle"))};
        // A container whose operations all hang must still be destroyable.
        const auto pass =
                operations_.enter(handle.get() + (touch == Touch::last ? "/destroy" : ""));
        if (!pass) return refuse(request, pass.error());
        const auto held = touch == Touch::yes ? engine_.touch(handle) : nullptr;  // garden-api §9
        return (this->*handler)(request, handle);
    });
}

void Service::add_query(const char* method, const char* pattern, Method handler) {
    router_.add(method, pattern, [this, handler](Request& request) {
        const auto pass = queries_.enter(request.method + " " + request.route);
        if (!pass) return refuse(request, pass.error());
        return (this->*handler)(request);
    });
}

base::http::Response Service::busy(const base::Error& error) {
    auto refusal = api::refusal_of(base::fail(base::Errc::unavailable, "{}", error.text));
    auto response = json_answer(refusal.error, refusal.status);
    response.silent_close = true;
    return response;
}

base::http::Response Service::refuse(
        const Request& request, const base::Error& error, std::string_view process_id) {
    const auto refusal = api::refusal_of(error, request.param("handle"), process_id);
    // A client that asks for what is not there is everyday; the rest is told once, here.
    const auto level = refusal.status >= 500   ? base::log::Level::error
                       : refusal.status == 404 ? base::log::Level::debug
                                               : base::log::Level::warning;
    logger_.log(
            level, "request refused",
            {{"request", request.id},
             {"vcap_request", std::string(request.headers.get("X-Vcap-Request-Id"))},
             {"method", request.method},
             {"route", request.route},
             {"handle", std::string(request.param("handle"))},
             {"kind", base::to_string(error.kind)},
             {"error", error.text},
             {"where", base::format("{}:{}", error.where.file, error.where.line)}});
    if (refusal.status == 403) {
        engine_.events().append(
                "api.refused", request.param("handle"),
                {{"method", request.method}, {"route", request.route}, {"error", error.text}});
    }
    auto response = json_answer(refusal.error, refusal.status);
    response.silent_close = true;  // it may be a Run, whose client would not read it otherwise
    return response;
}

// What is over a limit here is the request, not a resource of ours.
base::http::Response Service::refuse_body(const Request& request, const base::Error& error) {
    auto response = refuse(request, error);
    if (error.kind == base::Errc::exhausted) response.status = 413;
    return response;
}

base::http::Response Service::none() {
    return Response::json("{}\n");
}

void Service::served(const base::http::Served& served) {
    const auto route = served.route.empty() ? std::string("none") : served.route;
    metrics_.counter(
                    "gardend_requests_total", "Requests answered.",
                    // Any token is a method: what no route knows must not fill the family.
                    {{"method", served.route.empty() ? "other" : served.method},
                     {"route", route},
                     {"code", std::to_string(served.status)}})
            .add();
    const auto seconds = std::chrono::duration<double>(served.duration).count();
    metrics_.histogram(
                    "gardend_request_seconds", "Time until the answer was written.",
                    {{"route", route}})
            .observe(seconds);
    logger_.log(
            served.method == "GET" ? base::log::Level::debug : base::log::Level::info,
            "request served",
            {{"request", served.id},
             {"method", served.method},
             {"path", served.path},
             {"status", served.status},
             {"took", std::chrono::nanoseconds(served.duration)},
             {"peer", served.peer}});
}

void Service::add_metrics() {
    const auto ask = [this](const char* name, const char* help, const base::metrics::Labels& labels,
                            auto value) {
        metrics_.ask(name, help, labels, false, [value] { return static_cast<double>(value()); });
    };
    ask("gardend_containers", "Containers, half-made ones included.", {}, [this] {
        return engine_.list({{"garden.state", "all"}}).size();
    });
    ask("gardend_streams", "Run and Attach connections.", {}, [this] { return streams_->size(); });
    for (auto* gate :
         {&creates_, &operations_, &file_streams_, &pulls_, &bulks_, &bulk_calls_, &queries_}) {
        ask("gardend_at_work", "Requests at work, by share.", {{"share", gate->name()}},
            [gate] { return gate->figures().inside; });
        metrics_.ask(
                "gardend_refused_total", "Requests refused because a share was full.",
                {{"share", gate->name()}}, true,
                [gate] { return static_cast<double>(gate->figures().refused); });
    }
    for (auto* pool : {&pull_pool_, &bulk_pool_}) {
        ask("gardend_pool_threads", "Threads of a pool.", {{"pool", pool->name()}},
            [pool] { return pool->figures().threads; });
        ask("gardend_pool_busy", "Busy threads of a pool.", {{"pool", pool->name()}},
            [pool] { return pool->figures().busy; });
        ask("gardend_pool_queued", "Jobs that wait for a thread.", {{"pool", pool->name()}},
            [pool] { return pool->figures().queued; });
    }
    ask("gardend_pool_threads", "Threads of a pool.", {{"pool", "streams"}},
        [this] { return streams_->pool_figures().threads; });
    ask("gardend_pool_busy", "Busy threads of a pool.", {{"pool", "streams"}},
        [this] { return streams_->pool_figures().busy; });
    ask("gardend_pool_queued", "Jobs that wait for a thread.", {{"pool", "streams"}},
        [this] { return streams_->pool_figures().queued; });
    ask("process_resident_memory_bytes", "Resident memory of gardend.", {},
        [] { return resident_bytes(); });
    add_image_metrics();
    metrics_.gauge("gardend_info", "Always 1; the label says the version.",
                   {{"version", CLOCHE_VERSION}})
            .set(1);
}

base::http::Response Service::ping(Request& request) {
    const auto alive = engine_.ping();
    if (!alive) return refuse(request, alive.error());
    return none();
}

base::http::Response Service::capacity(Request& request) {
    const auto capacity = engine_.capacity();
    if (!capacity) return refuse(request, capacity.error());
    return json_answer(to_wire(*capacity));
}

}  // namespace garden::server
