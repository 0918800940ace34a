#include "base/http/router.hpp"

#include <algorithm>

namespace base::http {

namespace {

std::vector<std::string> split_path(std::string_view path) {
    std::vector<std::string> segments;
    while (!path.empty() && path.front() == '/') {
        path.remove_prefix(1);
        const auto end = std::min(path.find('/'), path.size());
        segments.emplace_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return segments;
}

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
    return pattern.size() == path.size() && std::equal(
                                                    pattern.begin(), pattern.end(), path.begin(),
                                                    [](const auto& want, const auto& have) {
                                                        return want.starts_with(':') ||
                                                               want == have;
                                                    });
}

}  // namespace

Router& Router::add(std::string method, std::string pattern, Handler handler) {
    auto segments = split_path(pattern);
    routes_.push_back(
            Route{.method = std::move(method),
                  .pattern = std::move(pattern),
                  .segments = std::move(segments),
                  .handler = std::move(handler)});
    return *this;
}

Response Router::operator()(Request& request) const {
    const auto path = split_path(request.path);
    std::string allowed;
    for (const auto& route : routes_) {
        if (!matches(route.segments, path)) continue;
        if (route.method != request.method) {
            if (allowed.find(route.method) == std::string::npos)
                allowed.append(allowed.empty() ? "" : ", ").append(route.method);
            continue;
        }
        request.route = route.pattern;
        request.params.clear();
        for (std::size_t i = 0; i < path.size(); ++i) {
            if (!route.segments[i].starts_with(':')) continue;
            auto value = percent_decode(path[i]);
            if (!value) return Response::text(400, value.error().text + "\n");
            request.params.emplace_back(route.segments[i].substr(1), std::move(value).value());
        }
        return route.handler(request);
    }
    if (allowed.empty()) return Response::text(404, "404 page not found\n");
    auto response = Response::text(405, "Method Not Allowed\n");
    response.headers.set("Allow", std::move(allowed));
    return response;
}

}  // namespace base::http
