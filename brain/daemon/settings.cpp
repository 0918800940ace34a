#include "brain/daemon/settings.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/http/listen.hpp"
#include "base/sys/file.hpp"
#include "base/version.hpp"

namespace brain::daemon {

namespace {

using base::Errc;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::size_t kMaxPassword = 4'096;

void declare_places(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "brain.name",
             .flag = "name",
             .help = "How cells, clients and other brains reach this brain; its first endpoint "
                     "unless given",
             .value = "NAME"},
            s.name);
    schema.add(
            {.key = "brain.state_directory",
             .flag = "state-directory",
             .help = "Where the database is kept",
             .value = "DIR"},
            s.state_directory);
    schema.add(
            {.key = "api.listen",
             .flag = "listen",
             .help = "Endpoint of the Receptor API and the dashboard: tcp://ip:port, tls:// or "
                     "unix:///path",
             .value = "URL"},
            s.listen);
    schema.add(
            {.key = "api.cell_listen",
             .flag = "cell-listen",
             .help = "Endpoint that cells call",
             .value = "URL"},
            s.cell_listen);
    schema.add(
            {.key = "api.admin_listen",
             .flag = "admin-listen",
             .help = "Endpoint with every API, metrics and the state dump; for this machine",
             .value = "URL"},
            s.admin_listen);
    schema.add(
            {.key = "api.socket_mode",
             .flag = "socket-mode",
             .help = "Permissions of unix sockets; who may connect commands the cluster",
             .value = "OCTAL"},
            s.socket_mode);
    schema.add(
            {.key = "api.plain_tcp",
             .flag = "plain-tcp",
             .help = "Take tcp:// endpoints beyond loopback: whoever reaches them commands the "
                     "cluster"},
            s.plain_tcp);
    schema.add(
            {.key = "api.tls_certificate",
             .flag = "tls-certificate",
             .help = "Certificate chain of tls:// endpoints, PEM",
             .value = "FILE"},
            s.tls_certificate);
    schema.add(
            {.key = "api.tls_key",
             .flag = "tls-key",
             .help = "Private key of tls:// endpoints, PEM",
             .value = "FILE"},
            s.tls_key);
    schema.add(
            {.key = "api.tls_client_ca",
             .flag = "tls-client-ca",
             .help = "Clients of tls:// endpoints must show a certificate of this authority",
             .value = "FILE"},
            s.tls_client_ca);
    schema.add(
            {.key = "api.workers",
             .flag = "workers",
             .help = "Requests served at once by each endpoint group"},
            s.workers);
}

void declare_access(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "access.username",
             .flag = "username",
             .help = "User of basic authentication; without it nobody is asked",
             .value = "NAME"},
            s.username);
    schema.add(
            {.key = "access.password_file",
             .flag = "password-file",
             .help = "File with that user's password",
             .value = "FILE"},
            s.password_file);
    schema.add(
            {.key = "access.cors",
             .flag = "cors",
             .help = "Answer requests of pages from other origins"},
            s.cors);
    schema.add(
            {.key = "access.jwt_keys",
             .flag = "jwt-keys",
             .help = "JWKS file or https URL: bearer tokens signed by one of these keys are taken",
             .value = "URL"},
            s.jwt_keys);
    schema.add(
            {.key = "access.jwt_issuer",
             .flag = "jwt-issuer",
             .help = "Issuer that a token must name",
             .value = "TEXT"},
            s.jwt_issuer);
    schema.add(
            {.key = "access.jwt_audience",
             .flag = "jwt-audience",
             .help = "Audience that a token must name",
             .value = "TEXT"},
            s.jwt_audience);
    schema.add(
            {.key = "api.version_files",
             .flag = "version-files",
             .help = "Directory of the one-line files behind /v1/version",
             .value = "DIR"},
            s.version_files);
    schema.add(
            {.key = "api.sync_files",
             .flag = "sync-files",
             .help = "Directory behind /v1/sync",
             .value = "DIR"},
            s.sync_files);
}

void declare_store(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "store.kind",
             .flag = "store",
             .help = "Where records are kept",
             .choices = {"sqlite", "etcd"}},
            s.store_kind);
    schema.add(
            {.key = "store.path",
             .flag = "store-path",
             .help = "Database of sqlite; brain.db below the state directory unless given",
             .value = "FILE"},
            s.store_path);
    schema.add(
            {.key = "store.timeout",
             .flag = "store-timeout",
             .help = "Longest wait for one answer of the store"},
            s.store_timeout);
    schema.add(
            {.key = "etcd.endpoints",
             .flag = "etcd-endpoint",
             .help = "Client URL of a node of etcd",
             .value = "URL"},
            s.etcd_endpoints);
    schema.add(
            {.key = "etcd.prefix",
             .flag = "etcd-prefix",
             .help = "What all our keys begin with",
             .value = "TEXT"},
            s.etcd_prefix);
    schema.add(
            {.key = "etcd.ca",
             .flag = "etcd-ca",
             .help = "Authority of the nodes, PEM; the system's unless given",
             .value = "FILE"},
            s.etcd_ca);
    schema.add(
            {.key = "etcd.certificate",
             .flag = "etcd-certificate",
             .help = "Certificate we show to etcd, PEM",
             .value = "FILE"},
            s.etcd_certificate);
    schema.add(
            {.key = "etcd.key",
             .flag = "etcd-key",
             .help = "Its private key, PEM",
             .value = "FILE"},
            s.etcd_key);
    schema.add(
            {.key = "etcd.user",
             .flag = "etcd-user",
             .help = "User of etcd's authentication",
             .value = "NAME"},
            s.etcd_user);
    schema.add(
            {.key = "etcd.password_file",
             .flag = "etcd-password-file",
             .help = "File with that user's password",
             .value = "FILE"},
            s.etcd_password_file);
}

void declare_times(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "lead.time",
             .flag = "lead-time",
             .help = "How long a brain that is gone keeps the lead at most"},
            s.lead_time);
    schema.add(
            {.key = "converge.interval",
             .flag = "convergence-interval",
             .help = "Time between passes over everything; changes are acted on at once"},
            s.convergence);
    schema.add(
            {.key = "converge.presence_grace",
             .flag = "presence-grace",
             .help = "After a start: how long known cells may take to be heard"},
            s.presence_grace);
    schema.add(
            {.key = "converge.stale_unclaimed",
             .flag = "stale-unclaimed",
             .help = "When an instance without a place is offered again"},
            s.stale_unclaimed);
    schema.add(
            {.key = "crash.reset",
             .flag = "crash-reset",
             .help = "An instance that ran longer begins to count crashes anew"},
            s.crash_reset);
    schema.add(
            {.key = "crash.backoff",
             .flag = "crash-backoff",
             .help = "First wait before a restart; doubles up to 32 times as long"},
            s.crash_backoff);
    schema.add(
            {.key = "crash.immediate_restarts",
             .flag = "immediate-restarts",
             .help = "Crashes below this number restart at once"},
            s.immediate_restarts);
    schema.add(
            {.key = "crash.max_restarts",
             .flag = "max-restarts",
             .help = "After so many crashes an instance stays down"},
            s.max_restarts);
    schema.add(
            {.key = "tasks.max_retries",
             .flag = "max-task-retries",
             .help = "Placements of a task that may fail before the task fails"},
            s.max_task_retries);
    schema.add(
            {.key = "tasks.pending_expires",
             .flag = "pending-task-expires",
             .help = "A task that has not started by then fails"},
            s.pending_task);
    schema.add(
            {.key = "tasks.completed_expires",
             .flag = "completed-task-expires",
             .help = "How long a completed task is kept"},
            s.completed_task);
}

void declare_cells(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "cells.timeout",
             .flag = "cell-timeout",
             .help = "Longest wait for one answer of a cell"},
            s.cell_timeout);
    schema.add(
            {.key = "cells.state_deadline",
             .flag = "state-deadline",
             .help = "Cells that have not told their state by then sit a round out"},
            s.state_deadline);
    schema.add(
            {.key = "cells.ca",
             .flag = "cells-ca",
             .help = "Authority of the cells, PEM; for https",
             .value = "FILE"},
            s.cell_ca);
    schema.add(
            {.key = "cells.certificate",
             .flag = "cells-certificate",
             .help = "Certificate we show to cells, PEM",
             .value = "FILE"},
            s.cell_certificate);
    schema.add(
            {.key = "cells.key",
             .flag = "cells-key",
             .help = "Its private key, PEM",
             .value = "FILE"},
            s.cell_key);
    schema.add(
            {.key = "auction.starting_weight",
             .flag = "starting-weight",
             .help = "How much a container that is starting counts against its cell",
             .value = "NUMBER"},
            s.starting_weight);
    schema.add(
            {.key = "auction.bin_pack_weight",
             .flag = "bin-pack-weight",
             .help = "How much cells of low index are preferred; 0 = spread",
             .value = "NUMBER"},
            s.bin_pack_weight);
    schema.add(
            {.key = "auction.max_starting",
             .flag = "max-starting",
             .help = "Containers starting at once in the cluster; 0 = no limit"},
            s.max_starting);
    schema.add(
            {.key = "auction.max_starting_per_cell",
             .flag = "max-starting-per-cell",
             .help = "Containers starting at once on a cell; 0 = no limit"},
            s.max_starting_per_cell);
}

void declare_log(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "server.shutdown_grace",
             .flag = "shutdown-grace",
             .help = "Time for running requests after SIGTERM"},
            s.shutdown_grace);
    schema.add(
            {.key = "log.level",
             .flag = "log-level",
             .help = "What is logged at least",
             .choices = {"debug", "info", "warning", "warn", "error", "fatal"}},
            s.log_level);
    schema.add(
            {.key = "log.format",
             .flag = "log-format",
             .help = "Form of the log",
             .choices = {"text", "json"}},
            s.log_format);
}

base::Result<std::string> password_of(const std::string& file, std::string_view key) {
    if (file.empty()) return std::string();
    auto text = TRY(base::sys::read_host_file(file.c_str(), kMaxPassword).context(key));
    while (text.ends_with('\n')) text.pop_back();
    if (text.empty()) return base::fail(Errc::invalid, "{}: {} is empty", key, file);
    return text;
}

base::Result<void> settle_endpoints(Settings& s) {
    base::http::ListenPolicy policy{
            .socket_mode = TRY(base::http::parse_socket_mode(s.socket_mode, "api.socket_mode")),
            .plain_tcp = s.plain_tcp,
            .tls = {.ca = s.tls_client_ca,
                    .certificate = s.tls_certificate,
                    .key = s.tls_key,
                    .require_client_certificate = true,
                    .server_name = {}},
            .prefix = "api."};
    using base::http::listen_endpoints;
    s.cell_endpoints = TRY(listen_endpoints(s.cell_listen, policy, "api.cell_listen"));
    s.admin_endpoints = TRY(listen_endpoints(s.admin_listen, policy, "api.admin_listen"));
    // Clients of the API may prove themselves by password or token instead.
    if (s.tls_client_ca.empty() && (!s.username.empty() || !s.jwt_keys.empty()))
        policy.tls.require_client_certificate = false;
    s.endpoints = TRY(listen_endpoints(s.listen, policy, "api.listen"));
    if (s.endpoints.empty() && s.admin_endpoints.empty())
        return base::fail(Errc::invalid, "api.listen and api.admin_listen: nobody could call");
    return base::ok;
}

base::Result<void> settle_store(Settings& s) {
    s.sqlite.path = s.store_path.empty() ? s.state_directory + "/brain.db" : s.store_path;
    s.sqlite.busy_timeout = duration_cast<milliseconds>(s.store_timeout);
    s.etcd.endpoints = s.etcd_endpoints;
    s.etcd.prefix = s.etcd_prefix;
    s.etcd.ca_file = s.etcd_ca;
    s.etcd.certificate_file = s.etcd_certificate;
    s.etcd.key_file = s.etcd_key;
    s.etcd.username = s.etcd_user;
    s.etcd.password = TRY(password_of(s.etcd_password_file, "etcd.password_file"));
    s.etcd.timeout = duration_cast<milliseconds>(s.store_timeout);
    if (s.store_kind == "etcd" && s.etcd_endpoints.empty())
        return base::fail(Errc::invalid, "etcd.endpoints: at least one is needed");
    return base::ok;
}

base::Result<void> settle_core(Settings& s) {
    auto& limits = s.core.limits;
    limits.stale_unclaimed_ns = s.stale_unclaimed.count();
    limits.crash_reset_ns = s.crash_reset.count();
    limits.crash_backoff_ns = s.crash_backoff.count();
    limits.immediate_restarts = static_cast<std::int32_t>(s.immediate_restarts);
    limits.max_restarts = static_cast<std::int32_t>(s.max_restarts);
    limits.max_task_retries = static_cast<std::int32_t>(s.max_task_retries);
    limits.pending_task_ns = s.pending_task.count();
    limits.completed_task_ns = s.completed_task.count();
    s.core.lead_time = duration_cast<milliseconds>(s.lead_time);
    s.core.convergence = duration_cast<milliseconds>(s.convergence);
    s.core.presence_grace = duration_cast<milliseconds>(s.presence_grace);
    if (s.core.lead_time < std::chrono::seconds(2))
        return base::fail(
                Errc::invalid, "lead.time: {} is below 2s: the lead would be lost by every hiccup",
                base::to_text(s.lead_time));
    if (s.core.convergence < std::chrono::seconds(1))
        return base::fail(
                Errc::invalid, "converge.interval: {} is below 1s", base::to_text(s.convergence));
    if (s.immediate_restarts > s.max_restarts)
        return base::fail(
                Errc::invalid, "crash.immediate_restarts: {} is above crash.max_restarts, {}",
                s.immediate_restarts, s.max_restarts);
    return base::ok;
}

}  // namespace

base::config::Schema::Options schema_options() {
    return {.program = "braind",
            .about = "Brain of a cluster: keeps what is desired, decides where it runs",
            .environment = "BRAIND_",
            .default_file = "/etc/cloche/braind.toml",
            .version = std::string(base::version())};
}

void declare(base::config::Schema& schema, Settings& settings) {
    declare_places(schema, settings);
    declare_access(schema, settings);
    declare_store(schema, settings);
    declare_times(schema, settings);
    declare_cells(schema, settings);
    declare_log(schema, settings);
}

base::Result<void> settle(Settings& s) {
    TRY(settle_endpoints(s));
    TRY(settle_store(s));
    TRY(settle_core(s));
    if (s.username.empty() != s.password_file.empty())
        return base::fail(
                Errc::invalid, "access.username and access.password_file: both or neither");
    s.password = TRY(password_of(s.password_file, "access.password_file"));
    if (s.workers == 0 || s.workers > 4'096)
        return base::fail(Errc::invalid, "api.workers: {}, at least 1 and at most 4096", s.workers);
    s.level = TRY(base::log::parse_level(s.log_level));
    s.format = TRY(base::log::parse_format(s.log_format));
    return base::ok;
}

}  // namespace brain::daemon
