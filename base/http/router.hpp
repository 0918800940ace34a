// Maps method and path pattern to a handler; answers 404 and 405 itself. Used by every HTTP API of
// the house.
#pragma once

#include "base/http/request.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace base::http {

// Patterns: "/containers/:handle/info". A parameter matches anything but '/', the empty text
// included; matching is on the escaped path, the first route in order of `add` wins, parameters are
// percent-decoded afterwards (garden-api §2).
class Router {
  public:
    Router& get(std::string pattern, Handler handler) {
        return add("GET", std::move(pattern), std::move(handler));
    }

    Router& post(std::string pattern, Handler handler) {
        return add("POST", std::move(pattern), std::move(handler));
    }

    Router& put(std::string pattern, Handler handler) {
        return add("PUT", std::move(pattern), std::move(handler));
    }

    Router& del(std::string pattern, Handler handler) {
        return add("DELETE", std::move(pattern), std::move(handler));
    }

    Router& add(std::string method, std::string pattern, Handler handler);

    // Fills route and params, runs the handler. Unknown path: 404 "404 page not found\n"; wrong
    // method: 405 with Allow.
    Response operator()(Request& request) const;

  private:
    struct Route {
        std::string method;
        std::string pattern;
        std::vector<std::string> segments;  // of the pattern
        Handler handler;
    };

    std::vector<Route> routes_;
};

}  // namespace base::http
