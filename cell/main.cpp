// The program celld: settings in, one executor and its representative behind their APIs, until a
// signal says stop. Containers stay in any case; the next life takes them up again.
#include "base/daemon.hpp"
#include "base/fail.hpp"
#include "base/http/server.hpp"
#include "base/metrics.hpp"
#include "base/sys/file.hpp"
#include "base/version.hpp"
#include "cell/brain.hpp"
#include "cell/metrics.hpp"
#include "cell/request_log.hpp"
#include "cell/settings.hpp"
#include "executor/core/local_executor.hpp"
#include "executor/fetch/cached_fetcher.hpp"
#include "executor/registry/ecr.hpp"
#include "executor/server/routes.hpp"
#include "executor/steps/garden_processes.hpp"
#include "rep/core/rep.hpp"
#include "rep/server/routes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include <systemd/sd-daemon.h>

namespace {

using base::log::Logger;
using cell::Settings;

constexpr std::chrono::seconds kLockPatience{10};
constexpr std::chrono::seconds kShutdownPatience{20};

base::Result<base::config::Loaded> load(const std::vector<std::string>& arguments, Settings& out) {
    Settings settings;
    base::config::Schema schema(cell::schema_options());
    cell::declare(schema, settings);
    auto loaded = TRY(schema.load(arguments, base::environment_of_process()));
    TRY(cell::settle(settings));
    out = std::move(settings);
    return loaded;
}

// The running daemon; members in the order of their start.
struct Daemon {
    Logger& log;
    const std::vector<std::string>& arguments;
    Settings settings;
    base::SystemClock clock;
    base::metrics::Registry metrics;
    std::unique_ptr<garden::api::Client> garden;
    std::unique_ptr<base::WorkerPool> calls;  // that block on the backend
    std::unique_ptr<executor::Loop> loop;
    std::unique_ptr<executor::LogHub> logs;
    std::unique_ptr<executor::Processes> processes;
    std::unique_ptr<executor::Fetcher> fetcher;
    std::unique_ptr<executor::RegistryLogins> logins;
    std::unique_ptr<executor::LocalExecutor> executor;
    std::unique_ptr<base::http::Server> server;
    std::unique_ptr<brain::api::Brain> brain;
    std::unique_ptr<rep::core::Rep> rep;
    base::http::Router network_routes;
    base::http::Router admin_routes;
    std::unique_ptr<base::http::Server> rep_server;
    std::unique_ptr<base::http::Server> rep_network_server;
    bool left = false;  // the cell was evacuated: it does not come back

    base::Result<void> start();
    base::Result<void> start_executor();
    base::Result<void> serve_executor();
    base::Result<void> start_rep();
    base::Result<std::string> presence_owner() const;
    void reload();
    void dump() const;
    bool evacuated();
    void stop();
};

base::Result<void> Daemon::start_executor() {
    // A burst of starts needs as many connections as workers.
    garden = std::make_unique<garden::api::Client>(base::http::ClientConfig{
            .endpoint = settings.garden_endpoint,
            .idle_connections = settings.executor.create_workers,
            .hand_on_trace = true});
    calls = std::make_unique<base::WorkerPool>(base::WorkerPool::Config{
            .name = "garden",
            .threads = settings.executor.garden_workers,
            .queue = std::size_t{1} << 16});
    loop = TRY(executor::Loop::make(clock));
    logs = std::make_unique<executor::LogHub>(clock, settings.logs);
    processes = std::make_unique<executor::GardenProcesses>(*loop, *garden, *calls);
    // What containers of the last life have mounted must not leave the cache.
    std::vector<std::string> in_use;
    auto store = TRY(executor::Store::open(settings.executor.state_directory));
    const auto known = TRY(store.load());
    for (const auto& record : known.records)
        in_use.insert(in_use.end(), record.dependencies.begin(), record.dependencies.end());
    fetcher = TRY(executor::CachedFetcher::make(
            {.directory = settings.cache_directory,
             .cache_bytes = settings.executor.cache_bytes,
             .ca_file = settings.transfer_ca,
             .certificate_file = settings.transfer_certificate,
             .key_file = settings.transfer_key,
             .skip_verification = settings.transfer_skip_verification,
             .in_use = std::move(in_use)}));
    logins = std::make_unique<executor::EcrLogins>(
            executor::EcrLogins::Config{.endpoint = settings.ecr_endpoint, .ca_file = {}}, clock);
    executor = TRY(executor::LocalExecutor::open(
            settings.executor,
            {.garden = *garden,
             .loop = *loop,
             .processes = *processes,
             .fetcher = *fetcher,
             .logs = *logs,
             .clock = clock,
             .tell =
                     [this](const executor::Notice& notice) {
                         const auto level = notice.warning ? base::log::Level::warning
                                                           : base::log::Level::info;
                         if (notice.guid.empty()) {
                             log.log(level, notice.text);
                         } else {
                             log.log(level, notice.text, {{"container", notice.guid}});
                         }
                     },
             .logins = logins.get()}));
    cell::add_metrics(metrics, *executor, *logs);
    return base::ok;
}

base::Result<void> Daemon::serve_executor() {
    base::http::ServerConfig config;
    config.endpoints = settings.executor_endpoints;
    config.on_served = cell::log_requests(log);
    config.limits.workers = executor::kWorkers;
    // The unit has it made; by hand nobody has.
    for (const auto& endpoint : config.endpoints)
        if (endpoint.path.starts_with(std::string(cell::kRuntimeDirectory) + "/"))
            TRY(base::sys::ensure_directory(cell::kRuntimeDirectory, 0755));
    auto router = executor::make_routes(*executor, *logs);
    router.get("/cloche/v1/metrics", [this](base::http::Request&) {
        return base::http::Response::text(200, metrics.text());
    });
    server = TRY(base::http::Server::start(
            std::move(config),
            [router = std::move(router)](base::http::Request& r) { return router(r); }));
    return base::ok;
}

// The lease is renewed by the next life instead of waiting for its end (executor-rep §18).
base::Result<std::string> Daemon::presence_owner() const {
    const auto directory = TRY(base::sys::open_host(
            settings.executor.state_directory.c_str(), O_RDONLY | O_DIRECTORY));
    if (auto known = base::sys::read_file_at(directory, "presence-owner", 256);
        known && !known->empty())
        return known;
    auto made = TRY(base::sys::read_host_file("/proc/sys/kernel/random/uuid", 256));
    while (made.ends_with('\n')) made.pop_back();
    TRY(base::sys::write_atomic_at(
            directory, "presence-owner", made, 0600, base::sys::Durable::no));
    return made;
}

base::Result<void> Daemon::start_rep() {
    settings.rep.owner = TRY(presence_owner());
    settings.rep.on_note = [this](const rep::core::Note& note) {
        log.warning(note.what, {{"container", note.guid}, {"error", note.error.text}});
    };
    brain = cell::make_brain(settings.brain, clock);
    if (settings.brain.kind == cell::BrainKind::memory)
        log.warning("the brain is in memory, for development: work it does not know is destroyed");
    base::http::ServerConfig config;
    config.endpoints = settings.rep_endpoints;
    config.on_served = cell::log_requests(log);
    // Bound first: the rep tells others where it listens.
    rep_server = TRY(base::http::Server::start(
            std::move(config),
            [this](base::http::Request& request) {
                const bool admin = request.path == "/evacuate" || request.path == "/ping";
                return admin ? admin_routes(request) : network_routes(request);
            },
            true));
    auto& cell = settings.rep.cell;
    if (!rep_server->endpoints().empty()) {
        const auto& first = rep_server->endpoints().front();
        const bool tls = first.kind == base::http::Endpoint::Kind::tls;
        const auto address =
                first.kind == base::http::Endpoint::Kind::unix_socket
                        ? first.text()
                        : base::format(
                                  "{}://{}:{}", tls ? "https" : "http", first.host, first.port);
        if (cell.rep_address.empty()) cell.rep_address = address;
        if (cell.rep_url.empty()) cell.rep_url = address;
    }
    rep = std::make_unique<rep::core::Rep>(settings.rep, *executor, brain.get(), metrics);
    network_routes = rep::server::network_routes(*rep);
    admin_routes = rep::server::admin_routes(*rep);
    rep->start();
    rep_server->resume();
    if (settings.rep_network_endpoints.empty()) return base::ok;
    config = {};
    config.endpoints = settings.rep_network_endpoints;
    config.on_served = cell::log_requests(log);
    rep_network_server =
            TRY(base::http::Server::start(std::move(config), [this](base::http::Request& request) {
                return network_routes(request);
            }));
    return base::ok;
}

base::Result<void> Daemon::start() {
    TRY(start_executor());
    TRY(serve_executor());
    loop->start();
    executor->start();
    TRY(start_rep());
    std::string where;
    for (const auto& endpoint : server->endpoints())
        where += (where.empty() ? "" : " ") + endpoint.text();
    log.info(
            "serving", {{"version", base::version()},
                        {"endpoints", where},
                        {"cell", settings.cell_id},
                        {"brain", settings.brains.empty() ? "none" : settings.brains.front()}});
    (void)::sd_notify(0, "READY=1");
    return base::ok;
}

void Daemon::reload() {
    Settings fresh;
    const auto loaded = load(arguments, fresh);
    if (!loaded) {
        log.error("configuration not read again", {{"error", loaded.error().text}});
        return;
    }
    log.set_level(fresh.level);
    log.info("configuration read again; only the log level changes", {{"level", fresh.log_level}});
}

void Daemon::dump() const {
    const auto figures = executor->figures();
    log.info(
            "state", {{"containers", figures.containers},
                      {"starting", figures.starting},
                      {"completed", figures.completed},
                      {"remaining_memory_mb", figures.remaining.memory_mb},
                      {"healthy", executor->healthy()},
                      {"ready", executor->ready()}});
}

// A cell that was evacuated ends by itself.
bool Daemon::evacuated() {
    const auto over = rep->wait_left(std::chrono::milliseconds(0));
    if (!over) return false;
    log.info("evacuated", {{"empty", over->empty}, {"stranded", over->stranded}});
    left = true;
    return true;
}

void Daemon::stop() {
    (void)::sd_notify(0, "STOPPING=1");
    const base::Patience patience(log, settings.shutdown_grace + kShutdownPatience);
    const auto grace =
            std::chrono::duration_cast<std::chrono::milliseconds>(settings.shutdown_grace);
    if (rep_network_server) (void)rep_network_server->stop(grace);
    if (rep_server) (void)rep_server->stop(grace);
    using rep::core::Lease;
    if (rep && !rep->stop(grace, left ? Lease::release : Lease::keep)) {
        log.warning("an operation hangs; leaving it");
        ::_exit(left ? 0 : base::kExitFailed);
    }
    rep_network_server.reset();
    rep_server.reset();
    rep.reset();
    // Then what waits for events, so that the server's requests can end.
    if (executor) executor->stop();
    if (logs)
        for (const auto& guid : logs->containers()) logs->close(guid);
    if (server) (void)server->stop(grace);
    server.reset();
    executor.reset();
    calls.reset();
    log.info("stopped");
}

int serve(Logger& log, const std::vector<std::string>& arguments, Settings settings) {
    const auto signals = base::block_signals();
    const auto made = base::sys::ensure_directory(settings.executor.state_directory, 0700);
    const auto lock = made ? base::lock_file(
                                     settings.executor.state_directory + "/celld.lock", "celld",
                                     std::chrono::steady_clock::now() + kLockPatience)
                           : base::Result<base::Fd>(made.error());
    if (!lock) {
        log.error("cannot start", {{"error", lock.error().text}});
        return base::kExitFailed;
    }
    base::raise_descriptor_limit(log);
    Daemon daemon{.log = log, .arguments = arguments, .settings = std::move(settings)};
    const auto started = daemon.start();
    if (!started) log.error("cannot start", {{"error", started.error().text}});
    if (started)
        base::answer_signals(
                log, signals,
                {.reload = [&] { daemon.reload(); },
                 .dump = [&] { daemon.dump(); },
                 .over = [&] { return daemon.evacuated(); }});
    daemon.stop();
    return started ? 0 : base::kExitFailed;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    Settings settings;
    const auto loaded = load(arguments, settings);
    if (!loaded) {
        (void)std::fprintf(stderr, "celld: %s\n", loaded.error().text.c_str());
        return base::kExitUsage;
    }
    if (loaded->next == base::config::Loaded::Next::done) {
        (void)std::fputs(loaded->text.c_str(), stdout);
        return 0;
    }
    Logger log(
            {.component = "celld",
             .level = settings.level,
             .format = settings.format,
             .journal = base::log::stderr_is_journal()});
    return serve(log, arguments, std::move(settings));
}
