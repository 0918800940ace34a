#include "cell/settings.hpp"

#include "base/fail.hpp"
#include "base/http/listen.hpp"
#include "base/parse.hpp"
#include "base/version.hpp"
#include "cell/brain_settings.hpp"
#include "cell/extra_rootfs.hpp"
#include "cell/identity_settings.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

namespace cell {

namespace {

void declare_places(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "cell.id",
             .flag = "cell-id",
             .help = "Name of this cell; the host's name unless given",
             .value = "NAME"},
            s.cell_id);
    schema.add(
            {.key = "cell.zone",
             .flag = "zone",
             .help = "Failure domain of this cell",
             .value = "NAME"},
            s.zone);
    schema.add(
            {.key = "cell.state_directory",
             .flag = "state-directory",
             .help = "What a restart of celld takes up again",
             .value = "DIR"},
            s.executor.state_directory);
    schema.add(
            {.key = "garden.endpoint",
             .flag = "garden",
             .help = "The Garden API: unix:///path or tcp://ip:port",
             .value = "URL"},
            s.garden);
    schema.add(
            {.key = "garden.owner",
             .flag = "container-owner",
             .help = "Mark of our containers in Garden; containers with another mark are left "
                     "alone",
             .value = "NAME"},
            s.executor.owner);
    schema.add(
            {.key = "executor.listen",
             .flag = "executor-listen",
             .help = "Endpoint of the executor's API: unix:///path or tcp://ip:port",
             .value = "URL"},
            s.executor_listen);
    schema.add(
            {.key = "executor.socket_mode",
             .flag = "executor-socket-mode",
             .help = "Permissions of unix sockets; who may connect runs what he likes in "
                     "containers",
             .value = "OCTAL"},
            s.socket_mode);
}

void declare_rep(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "rep.listen",
             .flag = "rep-listen",
             .help = "Endpoint with every route of the rep, evacuate included",
             .value = "URL"},
            s.rep_listen);
    schema.add(
            {.key = "rep.network_listen",
             .flag = "rep-network-listen",
             .help = "Endpoint for auctioneer and brain: every route but evacuate",
             .value = "URL"},
            s.rep_network_listen);
    schema.add(
            {.key = "rep.plain_tcp",
             .flag = "rep-plain-tcp",
             .help = "Take tcp:// endpoints beyond loopback: whoever reaches them commands this "
                     "cell"},
            s.plain_tcp);
    schema.add(
            {.key = "rep.tls_certificate",
             .flag = "rep-tls-certificate",
             .help = "Certificate chain of tls:// endpoints, PEM",
             .value = "FILE"},
            s.tls_certificate);
    schema.add(
            {.key = "rep.tls_key",
             .flag = "rep-tls-key",
             .help = "Private key of tls:// endpoints, PEM",
             .value = "FILE"},
            s.tls_key);
    schema.add(
            {.key = "rep.tls_client_ca",
             .flag = "rep-tls-client-ca",
             .help = "Clients of tls:// endpoints must show a certificate of this authority",
             .value = "FILE"},
            s.tls_client_ca);
    schema.add(
            {.key = "rep.url",
             .flag = "rep-url",
             .help = "How others reach this rep; the first endpoint unless given",
             .value = "URL"},
            s.rep_url);
    schema.add(
            {.key = "rep.address",
             .flag = "rep-address",
             .help = "The same in its old form, http://ip:port",
             .value = "URL"},
            s.rep_address);
    schema.add(
            {.key = "rep.bulk_interval",
             .flag = "bulk-interval",
             .help = "How often containers and records are compared"},
            s.bulk_interval);
    schema.add(
            {.key = "rep.evacuation_timeout",
             .flag = "evacuation-timeout",
             .help = "Hard end of an evacuation"},
            s.evacuation_timeout);
    schema.add(
            {.key = "rep.evacuation_budget",
             .flag = "evacuation-budget",
             .help = "How long one app or task may hold an evacuation"},
            s.evacuation_budget);
}

void declare_placement(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "placement.tags",
             .flag = "placement-tag",
             .help = "Tag that work must ask for to come here",
             .value = "TAG"},
            s.placement_tags);
    schema.add(
            {.key = "placement.optional_tags",
             .flag = "optional-placement-tag",
             .help = "Tag that work may ask for",
             .value = "TAG"},
            s.optional_placement_tags);
    schema.add(
            {.key = "placement.preloaded",
             .flag = "preloaded-rootfs",
             .help = "Stack of this cell, with what Garden is given for it: NAME or NAME=ROOTFS",
             .value = "NAME[=ROOTFS]"},
            s.preloaded);
    schema.add(
            {.key = "placement.extra_rootfs_directory",
             .flag = "extra-rootfs-directory",
             .help = "Directory of more stacks: NAME.tar is the stack NAME",
             .value = "DIR"},
            s.extra_rootfs_directory);
    schema.add(
            {.key = "placement.layering_mode",
             .flag = "layering-mode",
             .help = "What becomes of the first exclusive layer of work on a stack: a download, or "
                     "part of the root file system",
             .choices = {"single-layer", "two-layer"}},
            s.layering_mode);
    schema.add(
            {.key = "placement.rootfs_providers",
             .flag = "rootfs-provider",
             .help = "Scheme of root filesystems that are taken whatever their name",
             .value = "SCHEME"},
            s.rootfs_providers);
    schema.add(
            {.key = "placement.proxy_memory_mb",
             .flag = "proxy-memory-mb",
             .help = "Memory of the proxy, added to every app; 0 = there is no proxy"},
            s.proxy_memory_mb);
}

void declare_resources(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "resources.memory_mb",
             .flag = "memory-mb",
             .help = "Memory to promise, or auto: what the backend has",
             .value = "MB"},
            s.memory_mb);
    schema.add(
            {.key = "resources.disk_mb",
             .flag = "disk-mb",
             .help = "Disk to promise, or auto: the backend's without the cache",
             .value = "MB"},
            s.disk_mb);
    schema.add(
            {.key = "resources.max_containers",
             .flag = "max-containers",
             .help = "Containers at most; one of them is the health check's"},
            s.max_containers);
    schema.add(
            {.key = "resources.max_cpu_shares",
             .flag = "max-cpu-shares",
             .help = "Shares of a container of cpu weight 100"},
            s.executor.max_cpu_shares);
    schema.add(
            {.key = "resources.inode_limit",
             .flag = "inode-limit",
             .help = "Files a container may have"},
            s.executor.inode_limit);
    schema.add(
            {.key = "resources.start_workers",
             .flag = "start-workers",
             .help = "Containers created at once"},
            s.start_workers);
    schema.add(
            {.key = "resources.delete_workers",
             .flag = "delete-workers",
             .help = "Containers destroyed at once"},
            s.delete_workers);
}

void declare_content(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "cache.directory",
             .flag = "cache-directory",
             .help = "Downloads that are kept; below the state directory unless given",
             .value = "DIR"},
            s.cache_directory);
    schema.add(
            {.key = "cache.bytes",
             .flag = "cache-bytes",
             .help = "Size of the cache; what is in use may exceed it"},
            s.executor.cache_bytes);
    schema.add(
            {.key = "cache.downloads", .flag = "downloads", .help = "Downloads at once"},
            s.downloads);
    schema.add(
            {.key = "transfers.ca",
             .flag = "transfer-ca",
             .help = "Authorities of https servers of downloads and uploads, PEM; the system's "
                     "unless given",
             .value = "FILE"},
            s.transfer_ca);
    schema.add(
            {.key = "transfers.certificate",
             .flag = "transfer-certificate",
             .help = "Certificate we show to such servers, PEM",
             .value = "FILE"},
            s.transfer_certificate);
    schema.add(
            {.key = "transfers.key",
             .flag = "transfer-key",
             .help = "Its private key, PEM",
             .value = "FILE"},
            s.transfer_key);
    schema.add(
            {.key = "transfers.skip_cert_verify",
             .flag = "skip-cert-verify",
             .help = "Take any certificate of such servers: whoever is on the way reads and "
                     "changes "
                     "what is transferred"},
            s.transfer_skip_verification);
    schema.add(
            {.key = "images.ecr_endpoint",
             .flag = "ecr-endpoint",
             .help = "Where logins of AWS's registry are exchanged for tokens; AWS's own of the "
                     "region unless given",
             .value = "URL"},
            s.ecr_endpoint);
    schema.add(
            {.key = "containers.environment",
             .flag = "container-environment",
             .help = "Variable of every container",
             .value = "NAME=VALUE"},
            s.environment);
    schema.add(
            {.key = "containers.trusted_certificates",
             .flag = "trusted-certificates",
             .help = "Directory of certificates that containers see read-only",
             .value = "DIR"},
            s.executor.trusted_certificates);
    schema.add(
            {.key = "containers.lifecycle_programs",
             .flag = "lifecycle-programs",
             .help = "Directory of healthcheck and launcher, seen at /etc/cf-assets/healthcheck",
             .value = "DIR"},
            s.executor.healthcheck_directory);
    schema.add(
            {.key = "containers.volumes",
             .flag = "volumes",
             .help = "Directory of the volumes of driver local; without it there is no driver",
             .value = "DIR"},
            s.executor.volume_directory);
}

void declare_times(base::config::Schema& schema, Settings& s) {
    auto& steps = s.executor.steps;
    schema.add(
            {.key = "health.unhealthy_interval",
             .flag = "unhealthy-interval",
             .help = "Longest time between probes until an instance is healthy"},
            steps.unhealthy_interval);
    schema.add(
            {.key = "health.healthy_interval",
             .flag = "healthy-interval",
             .help = "Time between probes of a healthy instance"},
            steps.healthy_interval);
    schema.add(
            {.key = "health.first_probe",
             .flag = "first-probe",
             .help = "Time to the first probe; doubles up to the unhealthy interval, 0 = begin "
                     "there"},
            steps.first_probe);
    schema.add(
            {.key = "stop.graceful_shutdown",
             .flag = "graceful-shutdown",
             .help = "Time between SIGTERM and SIGKILL unless the recipe says another"},
            steps.graceful_shutdown);
    schema.add(
            {.key = "chores.reservation_expires",
             .flag = "reservation-expires",
             .help = "Life of a reservation that nobody runs"},
            s.executor.reservation_expires);
    schema.add(
            {.key = "chores.reap_interval",
             .flag = "reap-interval",
             .help = "How often containers and records are compared"},
            s.executor.reap_interval);
    schema.add(
            {.key = "garden.check",
             .flag = "garden-check",
             .help = "Make, use and destroy a container from time to time"},
            s.executor.garden_check);
    schema.add(
            {.key = "garden.check_interval",
             .flag = "garden-check-interval",
             .help = "Time between such checks"},
            s.executor.garden_check_interval);
    schema.add(
            {.key = "garden.check_timeout",
             .flag = "garden-check-timeout",
             .help = "When such a check has failed"},
            s.executor.garden_check_timeout);
    schema.add(
            {.key = "garden.check_rootfs",
             .flag = "garden-check-rootfs",
             .help = "Image of such a check; the backend's default unless given",
             .value = "URL"},
            s.executor.garden_check_rootfs);
}

void declare_log(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "logs.lines_per_second",
             .flag = "log-lines-per-second",
             .help = "Lines a second of one container, 0 = no limit"},
            s.log_lines_per_second);
    schema.add(
            {.key = "server.shutdown_grace",
             .flag = "shutdown-grace",
             .help = "Time for running requests after SIGTERM; containers stay in any case"},
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

base::Result<std::optional<std::int64_t>> amount(const std::string& text, std::string_view key) {
    if (text == "auto") return std::optional<std::int64_t>();
    const auto value = TRY(base::parse_number<std::int64_t>(text, key));
    if (value < 0) return base::fail(base::Errc::invalid, "{}: {} is below 0", key, value);
    return std::optional(value);
}

base::Result<void> settle_endpoints(Settings& s) {
    const base::http::ListenPolicy policy{
            .socket_mode =
                    TRY(base::http::parse_socket_mode(s.socket_mode, "executor.socket_mode")),
            .plain_tcp = s.plain_tcp,
            .tls = {.ca = s.tls_client_ca,
                    .certificate = s.tls_certificate,
                    .key = s.tls_key,
                    .require_client_certificate = true,
                    .server_name = {}},
            .prefix = "rep."};
    using base::http::listen_endpoints;
    s.executor_endpoints = TRY(listen_endpoints(s.executor_listen, policy, "executor.listen"));
    s.rep_endpoints = TRY(listen_endpoints(s.rep_listen, policy, "rep.listen"));
    s.rep_network_endpoints =
            TRY(listen_endpoints(s.rep_network_listen, policy, "rep.network_listen"));
    return base::ok;
}

base::Result<void> settle_rep(Settings& s) {
    const auto milliseconds = [](std::chrono::nanoseconds time) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(time);
    };
    auto& cell = s.rep.cell;
    cell.id = s.cell_id;
    cell.zone = s.zone;
    cell.rep_url = s.rep_url;
    cell.rep_address = s.rep_address;
    cell.placement_tags = s.placement_tags;
    cell.optional_placement_tags = s.optional_placement_tags;
    cell.arbitrary_schemes = s.rootfs_providers;
    cell.proxy_memory_mb = s.proxy_memory_mb;
    for (const auto& text : s.preloaded) {
        const auto equals = text.find('=');
        const auto name = text.substr(0, equals);
        if (name.empty())
            return base::fail(
                    base::Errc::invalid, "placement.preloaded: '{}' is not NAME=ROOTFS", text);
        cell.stacks[name] = equals == std::string::npos ? "" : text.substr(equals + 1);
    }
    if (!s.extra_rootfs_directory.empty())
        TRY(add_extra_stacks(s.extra_rootfs_directory, cell.stacks)
                    .context("placement.extra_rootfs_directory"));
    cell.two_layers = s.layering_mode == "two-layer";
    s.rep.times.bulk = milliseconds(s.bulk_interval);
    s.rep.times.bulk_evacuating = std::min(s.rep.times.bulk, s.rep.times.bulk_evacuating);
    s.rep.evacuation.timeout = milliseconds(s.evacuation_timeout);
    s.rep.evacuation.lrp_budget = milliseconds(s.evacuation_budget);
    s.rep.evacuation.task_budget = milliseconds(s.evacuation_budget);
    // What a container may take to end, and some (executor-rep §19).
    s.rep.evacuation.cleanup =
            milliseconds(s.executor.steps.graceful_shutdown + std::chrono::seconds(10));
    return base::ok;
}

base::Result<std::string> host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return base::fail_errno("cell.id");
    return std::string(name.data());
}

}  // namespace

base::config::Schema::Options schema_options() {
    return {.program = "celld",
            .about = "Cell agent: turns work into containers through the Garden API",
            .environment = "CELLD_",
            .default_file = "/etc/cloche/celld.toml",
            .version = std::string(base::version())};
}

void declare(base::config::Schema& schema, Settings& settings) {
    declare_places(schema, settings);
    declare_brain(schema, settings);
    declare_rep(schema, settings);
    declare_placement(schema, settings);
    declare_resources(schema, settings);
    declare_content(schema, settings);
    declare_identity(schema, settings);
    declare_times(schema, settings);
    declare_log(schema, settings);
}

base::Result<void> settle(Settings& s) {
    s.level = TRY(base::log::parse_level(s.log_level));
    s.format = TRY(base::log::parse_format(s.log_format));
    if (s.cell_id.empty()) s.cell_id = TRY(host_name());
    s.executor.cell_id = s.cell_id;
    s.garden_endpoint = TRY(base::http::Endpoint::parse(s.garden).context("garden.endpoint"));
    TRY(settle_endpoints(s));
    TRY(settle_brain(s));
    TRY(settle_rep(s));
    TRY(settle_identity(s));
    s.executor.memory_mb = TRY(amount(s.memory_mb, "resources.memory_mb"));
    s.executor.disk_mb = TRY(amount(s.disk_mb, "resources.disk_mb"));
    s.executor.max_containers = s.max_containers;
    s.executor.create_workers = s.start_workers;
    s.executor.delete_workers = s.delete_workers;
    s.executor.downloads = s.downloads;
    if (s.max_containers == 0 || s.start_workers == 0 || s.delete_workers == 0 || s.downloads == 0)
        return base::fail(
                base::Errc::invalid,
                "resources.max_containers, resources.start_workers, resources.delete_workers and "
                "cache.downloads: must not be 0");
    if (s.cache_directory.empty()) s.cache_directory = s.executor.state_directory + "/cache";
    for (const auto& text : s.environment) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0)
            return base::fail(
                    base::Errc::invalid, "containers.environment: '{}' is not NAME=VALUE", text);
        s.executor.environment.push_back(
                {.name = text.substr(0, equals), .value = text.substr(equals + 1)});
    }
    s.logs.lines_per_second = s.log_lines_per_second;
    return base::ok;
}

}  // namespace cell
