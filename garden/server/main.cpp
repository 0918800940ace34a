// The program gardend: settings in, one engine behind one API, until a signal says stop. Order
// matters: listen, recover, serve; at the end first the streams, then the requests, then the engine
// (garden-api §1). Containers stay in any case.
#include "base/daemon.hpp"
#include "base/fail.hpp"
#include "base/http/server.hpp"
#include "base/version.hpp"
#include "garden/server/debug.hpp"
#include "garden/server/image_reports.hpp"
#include "garden/server/lock.hpp"
#include "garden/server/owner.hpp"
#include "garden/server/service.hpp"
#include "garden/server/settings.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <systemd/sd-daemon.h>

namespace {

using base::log::Logger;
using garden::server::Settings;

constexpr std::chrono::seconds kLockPatience{10};
// What a shutdown may take beyond the grace of running requests: then the process ends where it
// stands, as after kill -9, which is safe (design 3.5).
constexpr std::chrono::seconds kShutdownPatience{20};

base::Result<base::config::Loaded>
load(const std::vector<std::string>& arguments, Settings& out, std::vector<std::string>& ignored) {
    Settings settings;
    base::config::Schema schema(garden::server::schema_options());
    garden::server::declare(schema, settings);
    const auto environment = base::environment_of_process();
    auto loaded = TRY(schema.load(arguments, environment));
    const auto left = environment.find("SOCKET2ME_FD");
    if (left != environment.end()) settings.inherited_socket = left->second;
    TRY(garden::server::settle(settings));
    ignored = schema.ignored();
    out = std::move(settings);
    return loaded;
}

// The running daemon; members in the order of their start.
struct Daemon {
    Logger& log;
    const std::vector<std::string>& arguments;
    Settings settings;
    std::unique_ptr<garden::Engine> engine;
    std::unique_ptr<garden::server::Service> service;
    std::unique_ptr<base::http::Server> server;
    std::unique_ptr<base::http::Server> debug_server;

    base::Result<void> start();
    base::Result<void> start_debug();
    void reload();
    void dump() const;
    void stop();
};

base::Result<void> Daemon::start() {
    // Bound before state is restored: clients wait in the backlog instead of being refused.
    base::http::ServerConfig config;
    config.endpoints = settings.endpoints;
    config.inherited = settings.inherited;
    config.limits.workers = settings.workers;
    config.limits.header_timeout =
            std::chrono::duration_cast<std::chrono::milliseconds>(settings.read_header_timeout);
    config.on_served = [this](const base::http::Served& served) { service->served(served); };
    config.busy = &garden::server::Service::busy;
    server = TRY(base::http::Server::start(
            std::move(config), [this](base::http::Request& r) { return service->handle(r); },
            true));
    const auto before = std::chrono::steady_clock::now();
    garden::server::report_images(settings.engine.images, log);
    settings.engine.network.on_repair = [this](const std::string& reason) {
        log.warning("network rules put back", {{"reason", reason}});
    };
    engine = TRY(garden::Engine::start(settings.engine));
    service = TRY(garden::server::Service::start(
            *engine, log, {.shares = garden::server::Shares::of(settings.workers)}));
    TRY(start_debug());
    server->resume();
    std::string where;
    for (const auto& endpoint : server->endpoints())
        where += (where.empty() ? "" : " ") + endpoint.text();
    log.info(
            "serving", {{"version", base::version()},
                        {"endpoints", where},
                        {"containers", engine->list({{"garden.state", "all"}}).size()},
                        {"recovered_in", std::chrono::steady_clock::now() - before}});
    (void)::sd_notify(0, "READY=1");
    return base::ok;
}

base::Result<void> Daemon::start_debug() {
    if (!settings.debug_endpoint) return base::ok;
    base::http::ServerConfig config;
    config.endpoints = {*settings.debug_endpoint};
    config.limits.workers = 2;
    auto router = garden::server::debug_routes(
            log, service->metrics(), settings.engine.state_directory,
            settings.engine.store_directory);
    debug_server = TRY(base::http::Server::start(
            std::move(config),
            [router = std::move(router)](base::http::Request& r) { return router(r); }));
    return base::ok;
}

void Daemon::reload() {
    Settings fresh;
    std::vector<std::string> ignored;
    const auto loaded = load(arguments, fresh, ignored);
    if (!loaded) {
        log.error("configuration not read again", {{"error", loaded.error().text}});
        return;
    }
    log.set_level(fresh.level);
    log.info("configuration read again; only the log level changes", {{"level", fresh.log_level}});
}

void Daemon::dump() const {
    const auto features = engine->features_json();
    const auto list = engine->list({{"garden.state", "all"}});
    std::string handles;
    for (const auto& handle : list) handles += (handles.empty() ? "" : " ") + handle.get();
    log.info(
            "state", {{"containers", list.size()},
                      {"handles", handles},
                      {"connections", server->connections()},
                      {"features", features ? *features : features.error().text}});
}

void Daemon::stop() {
    (void)::sd_notify(0, "STOPPING=1");
    const base::Patience patience(log, settings.shutdown_grace + kShutdownPatience);
    debug_server.reset();
    if (engine) engine->cancel_pulls();
    if (service) service->abandon_streams();  // at once; everything else may finish
    if (server)
        (void)server->stop(
                std::chrono::duration_cast<std::chrono::milliseconds>(settings.shutdown_grace));
    server.reset();
    service.reset();
    engine.reset();
    log.info("stopped");
}

int serve(Logger& log, const std::vector<std::string>& arguments, Settings settings) {
    const auto signals = base::block_signals();
    const auto locks = garden::server::lock_host(
            settings.engine.state_directory, settings.engine.store_directory, settings.engine.tag,
            kLockPatience, settings.take_over);
    if (!locks) {
        log.error("cannot start", {{"error", locks.error().text}});
        return base::kExitFailed;
    }
    base::raise_descriptor_limit(log);
    Daemon daemon{
            .log = log,
            .arguments = arguments,
            .settings = std::move(settings),
            .engine = nullptr,
            .service = nullptr,
            .server = nullptr,
            .debug_server = nullptr};
    const auto started = daemon.start();
    if (!started) log.error("cannot start", {{"error", started.error().text}});
    if (started)
        base::answer_signals(
                log, signals,
                {.reload = [&] { daemon.reload(); }, .dump = [&] { daemon.dump(); }, .over = {}});
    daemon.stop();
    return started ? 0 : base::kExitFailed;
}

int clean_up(const Logger& log, Settings settings) {
    settings.engine.pool_size = 0;
    const auto done = [&]() -> base::Result<void> {
        const auto locks = TRY(garden::server::lock_host(
                settings.engine.state_directory, settings.engine.store_directory,
                settings.engine.tag, kLockPatience, settings.take_over));
        const auto engine = TRY(garden::Engine::start(settings.engine));
        TRY(engine->tear_down());
        return garden::server::release_tag(locks.owner);
    }();
    if (!done) log.error("cleanup failed", {{"error", done.error().text}});
    if (done) log.info("cleaned up; images stay in the store");
    return done ? 0 : base::kExitFailed;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    Settings settings;
    std::vector<std::string> ignored;
    const auto loaded = load(arguments, settings, ignored);
    if (!loaded) {
        (void)std::fprintf(stderr, "gardend: %s\n", loaded.error().text.c_str());
        return base::kExitUsage;
    }
    if (loaded->next == base::config::Loaded::Next::done) {
        (void)std::fputs(loaded->text.c_str(), stdout);
        return 0;
    }
    Logger log(
            {.component = "gardend",
             .level = settings.level,
             .format = settings.format,
             .journal = base::log::stderr_is_journal()});
    for (const auto& flag : ignored)
        log.warning("flag without function here, taken for compatibility", {{"flag", "--" + flag}});
    if (::geteuid() != 0) {
        log.error("gardend must run as root");
        return base::kExitFailed;
    }
    if (loaded->command == "setup") return 0;
    if (loaded->command == "cleanup") return clean_up(log, std::move(settings));
    return serve(log, arguments, std::move(settings));
}
