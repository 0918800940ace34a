#include "executor/server/routes.hpp"

#include "base/fail.hpp"
#include "base/gate.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"
#include "executor/logs/hub.hpp"

#include <array>

namespace executor {

using base::http::Request;
using base::http::Response;

namespace {

// A whole allocation of 2015 carries its recipe.
constexpr std::size_t kMaxBody = std::size_t{16} << 20;
constexpr std::size_t kMaxRecent = 10'000;
// Of the server's workers (routes.hpp: kWorkers): what waits long leaves room for what does not.
constexpr std::size_t kDeletes = 128;
constexpr std::size_t kStreams = 256;
constexpr std::size_t kStreamsPerContainer = 32;
constexpr std::chrono::seconds kKeepAlive{15};

Response refuse(const base::Error& error) {
    const auto name = api::error_name(error);
    int status = base::http_status(error.kind);
    for (const auto& known : api::named_errors())
        if (known.name == name) status = known.status;
    auto response = Response::text(status, error.text);
    if (!name.empty()) response.headers.add("X-Executor-Error", std::string(name));
    return response;
}

template <class T>
Response answer(const base::Result<T>& value) {
    if (!value) return refuse(value.error());
    return Response::json(base::json::encode(*value) + "\n");
}

Response answer(const base::Result<void>& done, int status) {
    if (!done) return refuse(done.error());
    return {.status = status};
}

// Who may ask what runs here need not know how to log in to a registry.
api::Container shown(api::Container container) {
    container.info.image_password.clear();
    return container;
}

template <class T>
base::Result<T> body_of(Request& request) {
    const auto text = TRY(request.read_body(kMaxBody));
    return base::json::decode<T>(
            text, base::json::Rest::ignore, base::json::Limits{.bytes = kMaxBody});
}

// tag=NAME:VALUE, repeatable; a value may have colons.
base::Result<api::Tags> tags_of(const Request& request) {
    api::Tags tags;
    for (const auto& [name, value] : request.query) {
        if (name != "tag") continue;
        const auto colon = value.find(':');
        if (colon == std::string::npos)
            return base::fail(base::Errc::invalid, "tag: '{}' is not NAME:VALUE", value);
        tags[value.substr(0, colon)] = value.substr(colon + 1);
    }
    return tags;
}

class Routes {
  public:
    Routes(api::Executor& executor, LogHub& logs) : executor_(executor), logs_(logs) {}

    Response ping(Request&) {
        if (auto done = executor_.ping(); !done) return Response::text(502, done.error().text);
        return {.status = 200};
    }

    Response healthy(Request&) {
        return executor_.healthy() ? Response{.status = 200}
                                   : Response::text(503, "the backend is not healthy");
    }

    Response list(Request& request) {
        const auto tags = tags_of(request);
        if (!tags) return refuse(tags.error());
        auto list = executor_.list(*tags);
        if (!list) return refuse(list.error());
        for (auto& one : *list) one = shown(std::move(one));
        return answer(list);
    }

    // The recipe of 2015 is kept with the reservation; today's comes with the run request.
    Response allocate(Request& request) {
        auto wanted = body_of<std::vector<api::Container>>(request);
        if (!wanted) return refuse(wanted.error());
        std::vector<api::AllocationRequest> requests;
        for (auto& one : *wanted)
            requests.push_back(
                    {.guid = one.guid,
                     .memory_mb = one.memory_mb,
                     .disk_mb = one.disk_mb,
                     .max_pids = one.max_pids,
                     .tags = one.tags,
                     .info = one.info});
        const auto failures = executor_.allocate(requests);
        if (!failures) return refuse(failures.error());
        std::map<std::string, std::string> refused;
        for (const auto& failure : *failures) refused[failure.request.guid] = failure.message;
        return Response::json(base::json::encode(refused) + "\n");
    }

    Response get(Request& request) {
        auto found = executor_.get(request.param("guid"));
        if (!found) return refuse(found.error());
        return answer(base::Result<api::Container>(shown(std::move(*found))));
    }

    Response run(Request& request) {
        const std::string guid(request.param("guid"));
        const auto text = request.read_body(kMaxBody);
        if (!text) return refuse(text.error());
        api::RunRequest wanted{.guid = guid};
        if (text->find_first_not_of(" \t\r\n") == std::string::npos) {
            // [2015]: everything was said at the allocation.
            auto container = executor_.get(guid);
            if (!container) return refuse(container.error());
            wanted.info = std::move(container->info);
        } else {
            auto read = base::json::decode<api::RunRequest>(
                    *text, base::json::Rest::ignore, base::json::Limits{.bytes = kMaxBody});
            if (!read) return refuse(read.error());
            if (!read->guid.empty() && read->guid != guid)
                return refuse(base::fail(
                        base::Errc::invalid, "guid: '{}' is not the '{}' of the path", read->guid,
                        guid));
            wanted = std::move(*read);
            wanted.guid = guid;
        }
        return answer(executor_.run(wanted), 201);
    }

    Response update(Request& request) {
        auto wanted = body_of<api::UpdateRequest>(request);
        if (!wanted) return refuse(wanted.error());
        wanted->guid = request.param("guid");
        return answer(executor_.update(*wanted), 202);
    }

    Response stop(Request& request) { return answer(executor_.stop(request.param("guid")), 200); }

    Response remove(Request& request) {
        const auto pass = deletes_.enter(std::string(request.param("guid")));
        if (!pass) return refuse(pass.error());
        return answer(executor_.remove(request.param("guid")), 200);
    }

    Response say(Request& request) {
        const auto line = request.read_body(4096);
        if (!line) return refuse(line.error());
        executor_.say(request.param("guid"), *line);
        return {.status = 200};
    }

    Response files(Request& request) {
        auto opened = executor_.files(request.param("guid"), request.query.get("source"));
        if (!opened) return refuse(opened.error());
        Response response{.status = 200, .headers = {{"Content-Type", "application/x-tar"}}};
        response.stream = [files = std::shared_ptr<api::FileStream>(std::move(*opened))](
                                  base::http::Writer& writer) -> base::Result<void> {
            std::array<char, base::http::kChunkBytes> buffer;
            for (;;) {
                const auto count = TRY(files->read_some(buffer));
                if (count == 0) return base::ok;
                TRY(writer.write(std::string_view(buffer.data(), count)));
            }
        };
        return response;
    }

    Response container_metrics(Request& request) {
        const std::string guid(request.param("guid"));
        if (auto found = executor_.get(guid); !found) return refuse(found.error());
        const auto all = executor_.metrics({});
        if (!all) return refuse(all.error());
        const auto one = all->find(guid);
        return Response::json(
                base::json::encode(one == all->end() ? api::ContainerMetrics{} : one->second) +
                "\n");
    }

    Response metrics(Request& request) {
        const auto tags = tags_of(request);
        if (!tags) return refuse(tags.error());
        return answer(executor_.metrics(*tags));
    }

    Response remaining(Request&) { return answer(executor_.remaining_resources()); }

    Response total(Request&) { return answer(executor_.total_resources()); }

    Response volume_drivers(Request&) {
        return Response::json(base::json::encode(executor_.volume_drivers()) + "\n");
    }

    Response events(Request&) {
        auto pass = enter_stream("events");
        if (!pass) return refuse(pass.error());
        auto subscribed = executor_.subscribe();
        if (!subscribed) return refuse(subscribed.error());
        return Response::events(
                [pass = std::move(*pass),
                 source = std::shared_ptr<api::EventSource>(std::move(*subscribed))](
                        base::http::EventWriter& writer) -> base::Result<void> {
                    for (std::uint64_t id = 0;;) {
                        auto event = source->next(kKeepAlive);
                        if (!event && event.error().kind == base::Errc::timeout) {
                            TRY(writer.comment("still here"));
                            continue;
                        }
                        // Behind, or the program ends: the client lists anew.
                        if (!event) return base::ok;
                        event->container = shown(std::move(event->container));
                        TRY(writer.send(
                                to_string(event->kind), base::json::encode(*event),
                                std::to_string(id++)));
                    }
                });
    }

    Response recent(Request& request) {
        return answer(logs_.recent(request.param("guid"), kMaxRecent));
    }

    // ?recent=N: begins with that many lines of the past.

    Response follow(Request& request) {
        auto pass = enter_stream(std::string(request.param("guid")));
        if (!pass) return refuse(pass.error());
        std::size_t recent = 0;
        if (request.query.has("recent")) {
            const auto asked =
                    base::parse_number<std::size_t>(request.query.get("recent"), "recent");
            if (!asked) return refuse(asked.error());
            recent = std::min(*asked, kMaxRecent);
        }
        auto followed = logs_.follow(request.param("guid"), recent);
        if (!followed) return refuse(followed.error());
        return Response::events(
                [pass = std::move(*pass),
                 follower = std::shared_ptr<LogFollower>(std::move(*followed))](
                        base::http::EventWriter& writer) -> base::Result<void> {
                    for (;;) {
                        const auto record = follower->next(kKeepAlive);
                        if (!record && record.error().kind == base::Errc::timeout) {
                            TRY(writer.comment("still here"));
                            continue;
                        }
                        // Its container is gone, or the program ends.
                        if (!record || !*record) return base::ok;
                        const auto& line = **record;
                        TRY(writer.send(
                                "log", base::json::encode(line), std::to_string(line.sequence)));
                    }
                });
    }

  private:
    // Held as long as the stream lasts.
    base::Result<std::shared_ptr<base::Gate::Pass>> enter_stream(const std::string& key) {
        auto pass = TRY(streams_.enter(key));
        return std::make_shared<base::Gate::Pass>(std::move(pass));
    }

    api::Executor& executor_;
    LogHub& logs_;
    base::Gate deletes_{{.name = "deletes", .total = kDeletes, .per_key = 4}};
    base::Gate streams_{{.name = "streams", .total = kStreams, .per_key = kStreamsPerContainer}};
};

}  // namespace

base::http::Router make_routes(api::Executor& executor, LogHub& logs) {
    // Owner: the handlers.
    const auto routes = std::make_shared<Routes>(executor, logs);
    const auto to = [&](Response (Routes::*method)(Request&)) {
        return [routes, method](Request& request) { return ((*routes).*method)(request); };
    };
    base::http::Router router;
    router.get("/ping", to(&Routes::ping))
            .get("/healthy", to(&Routes::healthy))
            .get("/events", to(&Routes::events))
            .get("/containers", to(&Routes::list))
            .post("/containers", to(&Routes::allocate))
            .get("/containers/:guid", to(&Routes::get))
            .post("/containers/:guid/run", to(&Routes::run))
            .put("/containers/:guid/update", to(&Routes::update))
            .get("/containers/:guid/files", to(&Routes::files))
            .get("/containers/:guid/metrics", to(&Routes::container_metrics))
            .get("/metrics", to(&Routes::metrics))
            .post("/containers/:guid/stop", to(&Routes::stop))
            .del("/containers/:guid", to(&Routes::remove))
            .post("/containers/:guid/say", to(&Routes::say))
            .get("/containers/:guid/logs", to(&Routes::recent))
            .get("/containers/:guid/logs/follow", to(&Routes::follow))
            .get("/resources/remaining", to(&Routes::remaining))
            .get("/resources/total", to(&Routes::total))
            .get("/volume_drivers", to(&Routes::volume_drivers));
    return router;
}

}  // namespace executor
