// Create, destroy, list and everything that is asked or set about a container.
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

#include <condition_variable>
#include <mutex>
#include <set>

namespace garden::server {

using base::Errc;
using base::http::Request;
using base::http::Response;

void Service::add_container_routes() {
    // The order of garden-api §2: the first match wins.
    add("GET", "/containers", &Service::list);
    add("POST", "/containers", &Service::create);
    add("GET", "/containers/:handle/info", &Service::info, Touch::yes);
    add("GET", "/containers/bulk_info", &Service::bulk_info);
    add("GET", "/containers/bulk_metrics", &Service::bulk_metrics);
    add("DELETE", "/containers/:handle", &Service::destroy, Touch::last);
    add("PUT", "/containers/:handle/stop", &Service::stop, Touch::yes);
    add("PUT", "/containers/:handle/files", &Service::stream_in);
    add("GET", "/containers/:handle/files", &Service::stream_out);
    add("GET", "/containers/:handle/limits/bandwidth", &Service::bandwidth, Touch::yes);
    add("GET", "/containers/:handle/limits/cpu", &Service::cpu, Touch::yes);
    add("GET", "/containers/:handle/limits/disk", &Service::disk, Touch::yes);
    add("GET", "/containers/:handle/limits/memory", &Service::memory, Touch::yes);
    add("POST", "/containers/:handle/net/in", &Service::net_in, Touch::yes);
    add("POST", "/containers/:handle/net/out", &Service::net_out, Touch::yes);
    add("POST", "/containers/:handle/net/out/bulk", &Service::net_out, Touch::yes);
    add("PUT", "/containers/:handle/grace_time", &Service::set_grace_time, Touch::no);
    add("GET", "/containers/:handle/properties", &Service::properties, Touch::yes);
    add("GET", "/containers/:handle/properties/:key", &Service::property, Touch::yes);
    add("PUT", "/containers/:handle/properties/:key", &Service::set_property, Touch::yes);
    add("DELETE", "/containers/:handle/properties/:key", &Service::remove_property, Touch::yes);
    add("GET", "/containers/:handle/metrics", &Service::container_metrics, Touch::yes);
}

Response Service::list(Request& request) {
    std::map<std::string, std::string> filter;
    for (const auto& [name, value] : request.query)
        filter.try_emplace(name, value);  // the first value wins
    api::ListAnswer answer;
    for (const auto& handle : engine_.list(filter)) answer.handles.push_back(handle.get());
    return json_answer(answer);
}

Response Service::create(Request& request) {
    auto wire = json_body<api::ContainerSpec>(request);
    if (!wire) return refuse_body(request, wire.error());
    auto spec = to_spec(std::move(*wire));
    if (!spec) return refuse(request, spec.error());
    const auto pass = creates_.enter(image_source(spec->image.uri));
    if (!pass) return refuse(request, pass.error());
    const auto handle = engine_.create(std::move(*spec), {});
    if (!handle) return refuse(request, handle.error());
    return json_answer(api::CreateAnswer{.handle = handle->get()});
}

Response Service::destroy(Request& request, const Handle& handle) {
    const auto done = engine_.destroy(handle);
    if (!done) return refuse(request, done.error());
    return none();
}

Response Service::stop(Request& request, const Handle& handle) {
    const auto body = json_body<api::StopRequest>(request);
    if (!body) return refuse_body(request, body.error());
    const auto done = engine_.stop(handle, body->kill);
    if (!done) return refuse(request, done.error());
    return none();
}

Response Service::info(Request& request, const Handle& handle) {
    auto info = engine_.info(handle);
    if (!info) return refuse(request, info.error());
    return json_answer(to_wire(std::move(*info)));
}

Response Service::container_metrics(Request& request, const Handle& handle) {
    const auto metrics = engine_.metrics(handle);
    if (!metrics) return refuse(request, metrics.error());
    return json_answer(to_wire(*metrics));
}

Response Service::bandwidth(Request& request, const Handle& handle) {
    const auto limits = engine_.limits(handle);
    if (!limits) return refuse(request, limits.error());
    return json_answer(
            api::BandwidthLimits{.rate = limits->bandwidth_rate, .burst = limits->bandwidth_burst});
}

Response Service::memory(Request& request, const Handle& handle) {
    const auto limits = engine_.limits(handle);
    if (!limits) return refuse(request, limits.error());
    return json_answer(api::MemoryLimits{.limit_in_bytes = limits->memory_bytes});
}

Response Service::net_out(Request& request, const Handle& handle) {
    const auto known = engine_.properties(handle);
    if (!known) return refuse(request, known.error());
    std::vector<OutRuleSpec> rules;
    if (request.route.ends_with("/bulk")) {
        const auto text = request.read_body();
        if (!text) return refuse_body(request, text.error());
        auto read = base::json::decode<std::optional<std::vector<api::NetOutRule>>>(
                *text, base::json::Rest::ignore);
        if (!read) return refuse_body(request, read.error());
        if (!*read || (*read)->empty()) return none();  // null and [] are no-ops
        for (auto& rule : **read) rules.push_back(to_rule(std::move(rule)));
    } else {
        auto rule = json_body<api::NetOutRule>(request);
        if (!rule) return refuse_body(request, rule.error());
        rules.push_back(to_rule(*std::move(rule)));
    }
    const auto done = engine_.net_out(handle, std::move(rules));
    return done ? none() : refuse(request, done.error());
}

Response Service::set_grace_time(Request& request, const Handle& handle) {
    const auto nanoseconds = json_body<std::int64_t>(request);
    if (!nanoseconds) return refuse_body(request, nanoseconds.error());
    const auto done = engine_.set_grace_time(handle, std::chrono::nanoseconds(*nanoseconds));
    if (!done) return refuse(request, done.error());
    return none();
}

Response Service::properties(Request& request, const Handle& handle) {
    const auto all = engine_.properties(handle);
    if (!all) return refuse(request, all.error());
    return json_answer(*all);
}

Response Service::property(Request& request, const Handle& handle) {
    const auto value = engine_.property(handle, std::string(request.param("key")));
    if (!value) return refuse(request, value.error());
    return json_answer(api::PropertyValue{.value = *value});
}

Response Service::set_property(Request& request, const Handle& handle) {
    const auto body = json_body<api::PropertyValue>(request);
    if (!body) return refuse_body(request, body.error());
    const auto done = engine_.set_property(handle, std::string(request.param("key")), body->value);
    if (!done) return refuse(request, done.error());
    return none();
}

Response Service::remove_property(Request& request, const Handle& handle) {
    const auto done = engine_.remove_property(handle, std::string(request.param("key")));
    if (!done) return refuse(request, done.error());
    return none();
}

namespace {

constexpr std::size_t kMaxBulkHandles = 10'000;

std::vector<std::string> split_handles(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        if (comma > 0) out.emplace_back(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return out;
}

// What the jobs of one bulk call fill; outlives the call when a container hangs.
template <class T>
struct BulkState {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, T> answers;
};

api::Error bulk_error(const base::Error& error, const std::string& handle) {
    return api::refusal_of(error, handle).error;
}

}  // namespace

// Each container on its own thread and with a deadline: one that hangs costs its own entry only.
template <class T, class Ask>
Response Service::bulk(Request& request, Ask ask) {
    const auto place = bulk_calls_.enter("");
    if (!place) return refuse(request, place.error());
    const auto handles = split_handles(request.query.get("handles"));
    if (handles.size() > kMaxBulkHandles) {
        return refuse(
                request, base::fail(
                                 Errc::invalid, "handles: {} are named, at most {} are allowed",
                                 handles.size(), kMaxBulkHandles));
    }
    auto state = std::make_shared<BulkState<T>>();
    const auto put = [](BulkState<T>& s, const std::string& handle, T answer) {
        const std::lock_guard lock(s.mutex);
        s.answers.insert_or_assign(handle, std::move(answer));
        s.changed.notify_all();
    };
    const std::set<std::string> distinct(handles.begin(), handles.end());
    for (const auto& handle : distinct) {
        auto pass = bulks_.enter(handle);
        auto submitted = pass ? base::Result<void>() : base::Result<void>(pass.error());
        if (pass) {
            auto held = std::make_shared<base::Gate::Pass>(std::move(*pass));
            submitted = bulk_pool_.submit(
                    [state, handle, ask, put, held] { put(*state, handle, ask(handle)); });
        }
        if (!submitted) {
            T failed;
            failed.error = bulk_error(submitted.error(), handle);
            put(*state, handle, std::move(failed));
        }
    }
    std::unique_lock lock(state->mutex);
    (void)state->changed.wait_for(
            lock, config_.bulk_deadline, [&] { return state->answers.size() == distinct.size(); });
    auto answers = state->answers;
    lock.unlock();
    for (const auto& handle : distinct) {
        const auto [it, missing] = answers.try_emplace(handle);
        if (!missing) continue;
        it->second.error = bulk_error(
                base::fail(
                        Errc::timeout, "container {}: no answer in {} ms", handle,
                        config_.bulk_deadline.count()),
                handle);
    }
    return json_answer(answers);
}

Response Service::bulk_info(Request& request) {
    return bulk<api::BulkInfo>(request, [this](const std::string& handle) {
        api::BulkInfo out;
        auto info = engine_.info(Handle(handle));
        if (info) {
            out.info = to_wire(std::move(*info));
        } else {
            out.error = bulk_error(info.error(), handle);
        }
        return out;
    });
}

Response Service::bulk_metrics(Request& request) {
    return bulk<api::BulkMetrics>(request, [this](const std::string& handle) {
        api::BulkMetrics out;
        auto metrics = engine_.metrics(Handle(handle));
        // The id of a running pea stands for a handle here, and nowhere else (garden-api §6).
        if (!metrics && metrics.error().kind == Errc::not_found)
            metrics = engine_.process_metrics(handle);
        if (metrics) {
            out.metrics = to_wire(*metrics);
        } else {
            out.error = bulk_error(metrics.error(), handle);
        }
        return out;
    });
}

}  // namespace garden::server
