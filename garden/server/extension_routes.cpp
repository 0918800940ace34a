// What our server has beyond the Garden API: images, plan, doctor, processes, metrics
// (docs/api.md).
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

#include <condition_variable>
#include <mutex>

namespace garden::server {

using base::Errc;
using base::http::EventWriter;
using base::http::Request;
using base::http::Response;

void Service::add_extension_routes() {
    add_query("GET", "/cloche/v1/images", &Service::images);
    add_query("DELETE", "/cloche/v1/images", &Service::remove_image);
    add("POST", "/cloche/v1/images/pull", &Service::pull);
    add_query("POST", "/cloche/v1/plan", &Service::plan);
    add_query("GET", "/cloche/v1/doctor", &Service::doctor);
    add_query("GET", "/cloche/v1/features", &Service::features);
    add("GET", "/cloche/v1/containers/:handle/processes", &Service::processes, Touch::no);
    add("GET", "/cloche/v1/containers/:handle/processes/:id/logs", &Service::logs, Touch::no);
    add("GET", "/cloche/v1/containers/:handle/net/out", &Service::out_rules, Touch::yes);
    add("PUT", "/cloche/v1/containers/:handle/net/out", &Service::replace_out_rules, Touch::yes);
    add("GET", "/metrics", &Service::prometheus);
    add("GET", "/healthz", &Service::healthz);
}

Response Service::images(Request& request) {
    const auto rows = engine_.images().list();
    if (!rows) return refuse(request, rows.error());
    api::ImageList answer;
    for (const auto& row : *rows) answer.images.push_back(to_wire(row));
    return json_answer(answer);
}

Response Service::remove_image(Request& request) {
    if (!request.query.has("reference"))
        return refuse(request, base::fail(Errc::invalid, "reference: missing"));
    const auto done = engine_.images().remove(request.query.get("reference"));
    if (!done) return refuse(request, done.error());
    return none();
}

namespace {

// Shared by the request and the job that pulls; outlives the request when the source hangs.
struct Pull {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, api::PullProgress>
            news;  // the latest of each layer: bounded by the image
    std::optional<base::Result<api::Image>> result;
    std::atomic<bool> cancelled{false};
};

base::Result<void> tell(EventWriter& events, const base::Result<api::Image>& result) {
    if (result) return events.send("done", base::json::encode(*result));
    const auto& error = result.error();
    return events.send(
            "error",
            base::json::encode(api::PullError{
                    .kind = std::string(base::to_string(error.kind)), .message = error.text}));
}

// Until the image is there or the client is gone.
base::Result<void> follow(EventWriter& events, Pull& pull, std::chrono::milliseconds check) {
    constexpr std::chrono::seconds kKeepAlive{10};
    auto silent_since = std::chrono::steady_clock::now();
    for (;;) {
        std::unique_lock lock(pull.mutex);
        (void)pull.changed.wait_for(lock, check, [&] { return pull.result || !pull.news.empty(); });
        const auto news = std::exchange(pull.news, {});
        const bool over = pull.result.has_value();
        lock.unlock();
        for (const auto& [layer, progress] : news)
            TRY(events.send("progress", base::json::encode(progress)));
        if (over) return tell(events, *pull.result);
        if (events.peer_gone()) return base::fail(Errc::cancelled, "the client went away");
        const auto now = std::chrono::steady_clock::now();
        if (!news.empty()) silent_since = now;
        if (now - silent_since > kKeepAlive) {
            TRY(events.comment("still at work"));
            silent_since = now;
        }
    }
}

}  // namespace

Response Service::pull(Request& request) {
    auto ref = json_body<api::ImageRef>(request);
    if (!ref) return refuse_body(request, ref.error());
    if (ref->uri.empty()) return refuse(request, base::fail(Errc::invalid, "uri: missing"));
    auto pass = pulls_.enter(image_source(ref->uri));
    if (!pass) return refuse(request, pass.error());
    auto held = std::make_shared<base::Gate::Pass>(std::move(*pass));
    const rootfs::ImageRequest wanted{
            .uri = std::move(ref->uri),
            .username = std::move(ref->username),
            .password = std::move(ref->password)};
    auto pull = std::make_shared<Pull>();
    // The place is given back by the job, not by the request: a hung source keeps what it really
    // holds.
    const auto submitted = pull_pool_.submit([this, wanted, pull, held] {
        const auto progress = [&](const rootfs::Progress& step) {
            const std::lock_guard lock(pull->mutex);
            pull->news.insert_or_assign(step.layer, to_wire(step));
            pull->changed.notify_all();
        };
        auto answer = [&]() -> base::Result<api::Image> {
            const auto image = TRY(engine_.images().ensure(wanted, progress, pull->cancelled));
            return describe(image, image.reference);
        }();
        const std::lock_guard lock(pull->mutex);
        pull->result = std::move(answer);
        pull->changed.notify_all();
    });
    if (!submitted) return refuse(request, submitted.error());
    // Whoever has gone, before the answer or during it, wants no image any more.
    auto follower = std::shared_ptr<Pull>(pull.get(), [pull](Pull* of) { of->cancelled = true; });
    return Response::events([this, follower](EventWriter& events) {
        return follow(events, *follower, config_.pull_check);
    });
}

Response Service::plan(Request& request) {
    auto wire = json_body<api::ContainerSpec>(request);
    if (!wire) return refuse_body(request, wire.error());
    auto spec = to_spec(std::move(*wire));
    if (!spec) return refuse(request, spec.error());
    auto text = engine_.plan_json(std::move(*spec));
    if (!text) return refuse(request, text.error());
    return Response::json(std::move(*text));
}

Response Service::doctor(Request& request) {
    const auto orphans = engine_.doctor();
    if (!orphans) return refuse(request, orphans.error());
    api::DoctorAnswer answer;
    for (const auto& orphan : *orphans) answer.orphans.push_back(to_wire(orphan));
    return json_answer(answer);
}

Response Service::features(Request& request) {
    auto text = engine_.features_json();
    if (!text) return refuse(request, text.error());
    return Response::json(std::move(*text));
}

Response Service::processes(Request& request, const Handle& handle) {
    const auto rows = engine_.processes(handle);
    if (!rows) return refuse(request, rows.error());
    api::ProcessList answer;
    for (const auto& row : *rows) answer.processes.push_back(to_wire(row));
    return json_answer(answer);
}

Response Service::logs(Request& request, const Handle& handle) {
    const auto stream = request.query.get("stream");
    if (!stream.empty() && stream != "out" && stream != "err") {
        return refuse(
                request, base::fail(
                                 Errc::invalid, "stream: expected out or err, got \"{}\"",
                                 stream.substr(0, 32)));
    }
    const std::string id(request.param("id"));
    auto text = engine_.logs(handle, id, stream == "err");
    if (!text) return refuse(request, text.error(), id);
    return Response::text(200, std::move(*text), "application/octet-stream");
}

Response Service::prometheus(Request&) {
    return Response::text(200, metrics_.text(), "text/plain; version=0.0.4");
}

Response Service::healthz(Request&) {
    const auto alive = engine_.ping();
    if (!alive) return Response::text(503, alive.error().text + "\n");
    return Response::text(200, "ok\n");
}

}  // namespace garden::server
