#include "garden/server/debug.hpp"

#include "base/sys/file.hpp"
#include "garden/server/answer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include <nlohmann/json.hpp>

namespace garden::server {

namespace {

std::size_t entries(const std::string& directory) {
    const auto opened = base::sys::open_host(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!opened) return 0;
    const auto names = base::sys::list_directory(*opened);
    return names ? names->size() : 0;
}

std::size_t loop_devices() {
    const auto block = base::sys::open_host("/sys/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!block) return 0;
    const auto names = base::sys::list_directory(*block);
    std::size_t found = 0;
    if (names) {
        for (const auto& name : *names)
            if (name.starts_with("loop") &&
                base::sys::exists_at(*block, name + "/loop").value_or(false))
                ++found;
    }
    return found;
}

}  // namespace

base::http::Router debug_routes(
        base::log::Logger& logger,
        const base::metrics::Registry& metrics,
        std::string state_directory,
        std::string store_directory) {
    using base::http::Request;
    using base::http::Response;
    base::http::Router router;
    router.get(
            "/debug/vars",
            [state = std::move(state_directory), store = std::move(store_directory)](Request&) {
                const nlohmann::ordered_json out{
                        // Monitors of Go's expvar read it; for us it is what is resident.
                        {"memstats", {{"Alloc", resident_bytes()}}},
                        {"numCPUS", std::thread::hardware_concurrency()},
                        {"numGoRoutines",
                         entries("/proc/self/task")},  // Garden's name; here: threads
                        {"loopDevices", loop_devices()},
                        {"backingStores", entries(store + "/volumes")},
                        {"depotDirs", entries(state + "/depot")}};
                return Response::json(out.dump() + "\n", 200);
            });
    router.put("/log-level", [&logger](Request& request) {
        const auto word = request.read_body(64);
        const auto level =
                word ? base::log::parse_level(*word) : base::Result<base::log::Level>(word.error());
        if (!level) return Response::text(400, level.error().text + "\n");
        logger.set_level(*level);
        return Response::text(200, "");
    });
    router.get("/metrics", [&metrics](Request&) { return Response::text(200, metrics.text()); });
    return router;
}

}  // namespace garden::server
