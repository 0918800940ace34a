#include "brain/receptor/receptor.hpp"

#include "base/fail.hpp"
#include "base/http/router.hpp"
#include "brain/receptor/api.hpp"
#include "brain/receptor/requests.hpp"

namespace brain::receptor {

namespace {

using Method = Response (Api::*)(Request&);

struct Route {
    RouteInfo info;
    Method method;
};

constexpr std::string_view kOpenPrefix = "/v1/sync/";  // the one route without authentication
// A reader that takes nothing for so long is dropped, with what the brain has queued for it.
constexpr std::chrono::seconds kWriteTimeout{30};

const std::vector<Route>& table() {
    static const std::vector<Route> kTable = {
            {{"CreateTask",
              "POST",
              "/v1/tasks",
              201,
              {"InvalidJSON", "InvalidRequest", "InvalidTask", "TaskGuidAlreadyExists"}},
             &Api::create_task},
            {{"Tasks", "GET", "/v1/tasks", 200, {}}, &Api::list_tasks},
            {{"GetTask", "GET", "/v1/tasks/:task_guid", 200, {"InvalidRequest", "TaskNotFound"}},
             &Api::get_task},
            {{"DeleteTask",
              "DELETE",
              "/v1/tasks/:task_guid",
              200,
              {"InvalidRequest", "TaskNotFound", "TaskNotDeletable"}},
             &Api::delete_task},
            {{"CancelTask",
              "POST",
              "/v1/tasks/:task_guid/cancel",
              200,
              {"InvalidRequest", "TaskNotFound"}},
             &Api::cancel_task},
            {{"CreateDesiredLRP",
              "POST",
              "/v1/desired_lrps",
              201,
              {"InvalidJSON", "InvalidRequest", "InvalidLRP", "DesiredLRPAlreadyExists"}},
             &Api::create_desired_lrp},
            {{"DesiredLRPs", "GET", "/v1/desired_lrps", 200, {}}, &Api::list_desired_lrps},
            {{"GetDesiredLRP",
              "GET",
              "/v1/desired_lrps/:process_guid",
              200,
              {"InvalidRequest", "DesiredLRPNotFound"}},
             &Api::get_desired_lrp},
            {{"UpdateDesiredLRP",
              "PUT",
              "/v1/desired_lrps/:process_guid",
              204,
              {"InvalidJSON", "InvalidRequest", "DesiredLRPNotFound", "ResourceConflict"}},
             &Api::update_desired_lrp},
            {{"DeleteDesiredLRP",
              "DELETE",
              "/v1/desired_lrps/:process_guid",
              204,
              {"InvalidRequest", "DesiredLRPNotFound"}},
             &Api::delete_desired_lrp},
            {{"ActualLRPs", "GET", "/v1/actual_lrps", 200, {}}, &Api::list_actual_lrps},
            {{"ActualLRPsByProcessGuid",
              "GET",
              "/v1/actual_lrps/:process_guid",
              200,
              {"InvalidRequest"}},
             &Api::list_actual_lrps_of},
            {{"ActualLRPByProcessGuidAndIndex",
              "GET",
              "/v1/actual_lrps/:process_guid/index/:index",
              200,
              {"InvalidRequest"}},
             &Api::get_actual_lrp},
            {{"KillActualLRPByProcessGuidAndIndex",
              "DELETE",
              "/v1/actual_lrps/:process_guid/index/:index",
              204,
              {"InvalidRequest", "ActualLRPIndexNotFound"}},
             &Api::kill_actual_lrp},
            {{"Cells", "GET", "/v1/cells", 200, {}}, &Api::list_cells},
            {{"UpsertDomain", "PUT", "/v1/domains/:domain", 204, {"InvalidRequest"}},
             &Api::upsert_domain},
            {{"Domains", "GET", "/v1/domains", 200, {}}, &Api::list_domains},
            {{"EventStream", "GET", "/v1/events", 200, {}}, &Api::events},
            {{"DownloadSync", "GET", "/v1/sync/:arch/:artifact", 200, {}}, &Api::sync},
            {{"GenerateCookie", "POST", "/v1/auth_cookie", 204, {"InvalidRequest"}},
             &Api::auth_cookie},
            {{"Version", "GET", "/v1/version", 200, {}}, &Api::version},
    };
    return kTable;
}

// The order of 2015's wrappers: CORS, cookie, authentication, routes.
struct Front {
    std::unique_ptr<Access> access;
    std::unique_ptr<Api> api;
    base::http::Router router;

    Response answer(Request& request) const {
        if (auto preflight = access->preflight(request)) return std::move(*preflight);
        access->apply_cookie(request);
        if (!request.path.starts_with(kOpenPrefix))
            if (auto refused = access->refuse(request)) return std::move(*refused);
        return router(request);
    }
};

}  // namespace

std::string shown(std::string_view text) {
    constexpr std::size_t kShown = 255;
    return std::string(text.substr(0, kShown));
}

Response missing(std::string_view parameter) {
    return refuse(kInvalidRequest, base::format("{} is missing from the path", parameter));
}

bool is_named(const base::Error& error, std::string_view name) {
    return api::error_name(error) == name;
}

const std::vector<RouteInfo>& routes() {
    static const std::vector<RouteInfo> kRoutes = [] {
        std::vector<RouteInfo> all;
        for (const auto& route : table()) all.push_back(route.info);
        return all;
    }();
    return kRoutes;
}

base::Result<base::http::Handler> make_handler(
        api::PublicBrain& brain, const Settings& settings, const base::Clock& clock) {
    // Owner: the handler, which std::function may copy.
    const auto front = std::make_shared<Front>();
    front->access = TRY(Access::create(settings, clock));
    front->api = std::make_unique<Api>(brain, settings, *front->access);
    for (const auto& route : table())
        front->router.add(
                std::string(route.info.method), std::string(route.info.path),
                [api = front->api.get(), method = route.method](Request& request) {
                    return (api->*method)(request);
                });
    return base::http::Handler([front](Request& request) {
        auto response = front->answer(request);
        front->access->add_origin(request, response);
        return response;
    });
}

base::http::ServerLimits server_limits(const Settings& settings) {
    base::http::ServerLimits limits;
    limits.workers = settings.workers + settings.event_readers + settings.downloads;
    limits.connections = 4'096 + settings.event_readers;
    limits.write_timeout = kWriteTimeout;
    return limits;
}

}  // namespace brain::receptor
