// The executor alone, as `celld` assembles it, without a rep beside it: celld's own rep would take
// what another rep delivers for containers of nobody. Used by tests/e2e/rep, which kills it.
//
//   rep-test-executor GARDEN_SOCKET SOCKET STATE_DIRECTORY MEMORY_MB DISK_MB CONTAINERS CHECK_MS
#include "base/http/server.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "executor/core/local_executor.hpp"
#include "executor/fetch/cached_fetcher.hpp"
#include "executor/logs/hub.hpp"
#include "executor/server/routes.hpp"
#include "executor/steps/garden_processes.hpp"

#include <signal.h>

#include <cstdio>

namespace {

constexpr std::size_t kQueue = std::size_t{1} << 16;

struct Options {
    std::string garden, socket;
    executor::Settings settings;
};

base::Result<Options> parse(const std::vector<std::string>& words) {
    if (words.size() != 7) return base::Error{.kind = base::Errc::invalid, .text = "seven words"};
    Options out{.garden = words[0], .socket = words[1], .settings = {}};
    auto& s = out.settings;
    s.cell_id = "cell-1";
    s.state_directory = words[2];
    s.memory_mb = TRY(base::parse_number<std::int64_t>(words[3], "memory"));
    s.disk_mb = TRY(base::parse_number<std::int64_t>(words[4], "disk"));
    s.max_containers = TRY(base::parse_number<std::int64_t>(words[5], "containers"));
    const auto check = TRY(base::parse_number<std::int64_t>(words[6], "check"));
    s.garden_check = check > 0;
    s.garden_check_interval = std::chrono::milliseconds(check);
    s.garden_check_pause = std::chrono::milliseconds(10);
    s.reap_interval = std::chrono::seconds(2);
    s.steps.graceful_shutdown = std::chrono::seconds(2);
    s.steps.unhealthy_interval = std::chrono::milliseconds(300);
    return out;
}

base::http::Endpoint unix_endpoint(const std::string& path) {
    base::http::Endpoint endpoint;
    endpoint.kind = base::http::Endpoint::Kind::unix_socket;
    endpoint.path = path;
    return endpoint;
}

base::Result<void> serve(const Options& options, const sigset_t& signals) {
    const base::SystemClock clock;
    TRY(base::sys::ensure_directory(options.settings.state_directory, 0700));
    garden::api::Client garden({.endpoint = unix_endpoint(options.garden), .idle_connections = 32});
    auto calls = std::make_unique<base::WorkerPool>(
            base::WorkerPool::Config{.name = "garden", .threads = 64, .queue = kQueue});
    const auto loop = TRY(executor::Loop::make(clock));
    executor::LogHub logs(clock, {});
    executor::GardenProcesses processes(*loop, garden, *calls);
    std::vector<std::string> in_use;
    {
        auto store = TRY(executor::Store::open(options.settings.state_directory));
        const auto known = TRY(store.load());
        for (const auto& record : known.records)
            in_use.insert(in_use.end(), record.dependencies.begin(), record.dependencies.end());
    }
    const auto fetcher = TRY(executor::CachedFetcher::make(
            {.directory = options.settings.state_directory + "/cache",
             .cache_bytes = std::uint64_t{1} << 30,
             .in_use = std::move(in_use)}));
    auto local = TRY(executor::LocalExecutor::open(
            options.settings, {.garden = garden,
                               .loop = *loop,
                               .processes = processes,
                               .fetcher = *fetcher,
                               .logs = logs,
                               .clock = clock,
                               .tell = [](const executor::Notice& notice) {
                                   (void)std::fprintf(
                                           stderr, "executor: %s %s\n", notice.guid.c_str(),
                                           notice.text.c_str());
                               }}));
    base::http::ServerConfig config;
    config.endpoints = {unix_endpoint(options.socket)};
    auto router = executor::make_routes(*local, logs);
    auto server = TRY(base::http::Server::start(
            std::move(config),
            [&router](base::http::Request& request) { return router(request); }));
    loop->start();
    local->start();
    int number = 0;
    (void)::sigwait(&signals, &number);
    local->stop();
    for (const auto& guid : logs.containers()) logs.close(guid);
    (void)server->stop(std::chrono::seconds(5));
    server.reset();
    local.reset();
    calls.reset();  // what it still does tells the loop
    return base::ok;
}

}  // namespace

int main(int argc, char** argv) {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    (void)::sigprocmask(SIG_BLOCK, &signals, nullptr);
    (void)::signal(SIGPIPE, SIG_IGN);
    const auto options = parse({argv + 1, argv + argc});
    const auto served = options ? serve(*options, signals) : base::Result<void>(options.error());
    if (served) return 0;
    (void)std::fprintf(stderr, "rep-test-executor: %s\n", served.error().text.c_str());
    return 1;
}
