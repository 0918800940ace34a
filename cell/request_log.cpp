#include "cell/request_log.hpp"

namespace cell {

std::function<void(const base::http::Served&)> log_requests(const base::log::Logger& log) {
    return [&log](const base::http::Served& served) {
        using base::log::Level;
        log.log(served.method == "GET" ? Level::debug : Level::info, "request served",
                {{"request", served.id},
                 {"method", served.method},
                 {"path", served.path},
                 {"status", served.status},
                 {"took", std::chrono::nanoseconds(served.duration)},
                 {"peer", served.peer}});
    };
}

}  // namespace cell
