#include "garden/server/settings.hpp"

#include "base/fail.hpp"
#include "base/version.hpp"

namespace garden::server {

namespace {

// NOLINTNEXTLINE(readability-function-size): a table
void declare_server(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "server.bind_socket",
             .flag = "bind-socket",
             .help = "Unix socket of the Garden API, unless --bind-ip is given",
             .value = "PATH"},
            s.bind_socket);
    schema.add(
            {.key = "server.socket_mode",
             .flag = "socket-mode",
             .help = "Permissions of the unix socket; who may connect is root on this host",
             .value = "OCTAL"},
            s.socket_mode);
    schema.add(
            {.key = "server.socket_group",
             .flag = "socket-group",
             .help = "Group of the unix socket, by name or number",
             .value = "GROUP"},
            s.socket_group);
    schema.add(
            {.key = "server.bind_ip",
             .flag = "bind-ip",
             .help = "Serve the Garden API on this TCP address instead of the socket",
             .value = "IP"},
            s.bind_ip);
    schema.add(
            {.key = "server.bind_port",
             .flag = "bind-port",
             .help = "Port of --bind-ip",
             .value = "PORT"},
            s.bind_port);
    schema.add(
            {.key = "server.listen",
             .flag = "listen",
             .help = "One more endpoint: unix:///path, tcp://ip:port or tls://ip:port",
             .value = "URL"},
            s.listen);
    schema.add(
            {.key = "server.tls_certificate",
             .flag = "tls-certificate",
             .help = "Certificate chain of tls:// endpoints, PEM",
             .value = "FILE"},
            s.tls_certificate);
    schema.add(
            {.key = "server.tls_key",
             .flag = "tls-key",
             .help = "Private key of tls:// endpoints, PEM",
             .value = "FILE"},
            s.tls_key);
    schema.add(
            {.key = "server.tls_client_ca",
             .flag = "tls-client-ca",
             .help = "Clients of tls:// endpoints must show a certificate of this authority",
             .value = "FILE"},
            s.tls_client_ca);
    schema.add(
            {.key = "server.read_header_timeout",
             .flag = "read-header-timeout",
             .help = "Time for the header of a request"},
            s.read_header_timeout);
    schema.add(
            {.key = "server.shutdown_grace",
             .flag = "shutdown-grace",
             .help = "Time for running requests after SIGTERM; containers stay in any case"},
            s.shutdown_grace);
    schema.add(
            {.key = "server.workers",
             .flag = "workers",
             .help = "Requests at work at once; threads are made when needed"},
            s.workers);
    schema.add(
            {.key = "debug.bind_ip",
             .flag = "debug-bind-ip",
             .help = "Serve /debug/vars, /log-level and /metrics on this address",
             .value = "IP"},
            s.debug_bind_ip);
    schema.add(
            {.key = "debug.bind_port",
             .flag = "debug-bind-port",
             .help = "Port of --debug-bind-ip",
             .value = "PORT"},
            s.debug_bind_port);
    schema.add(
            {.key = "log.level",
             .flag = "log-level",
             .help = "Least level that is logged; SIGHUP reads it again",
             .choices = {"debug", "info", "warning", "error", "fatal"}},
            s.log_level);
    schema.add(
            {.key = "log.format",
             .flag = "log-format",
             .help = "Form of log lines",
             .choices = {"text", "json"}},
            s.log_format);
}

// NOLINTNEXTLINE(readability-function-size): a table
void declare_containers(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "engine.tag",
             .flag = "tag",
             .help = "At most two characters in every cgroup, interface and table name, to run "
                     "several daemons on a host",
             .value = "TAG"},
            s.engine.tag);
    schema.add(
            {.key = "engine.take_over",
             .flag = "take-over",
             .help = "Start although the tag's containers belong to another depot, and destroy "
                     "them"},
            s.take_over);
    schema.add(
            {.key = "engine.depot",
             .flag = "depot",
             .help = "State of containers; a tmpfs is fine",
             .value = "DIR"},
            s.engine.state_directory);
    schema.add(
            {.key = "engine.store",
             .flag = "store",
             .help = "Images, volumes and id ranges; on a disk",
             .value = "DIR"},
            s.engine.store_directory);
    schema.add(
            {.key = "engine.quota_driver",
             .flag = "quota-driver",
             .help = "What limits the disk of containers; auto takes the best that works on "
                     "--store",
             .choices = {"auto", "none", "xfs", "btrfs", "loop"}},
            s.engine.quota_driver);
    schema.add(
            {.key = "engine.program_directory",
             .flag = "program-directory",
             .help = "Where garden-shim, garden-init, garden-copy and rootfs-unpack are",
             .value = "DIR"},
            s.program_directory);
    schema.add(
            {.key = "engine.default_rootfs",
             .flag = "default-rootfs",
             .help = "Image of containers whose spec names none",
             .value = "URI"},
            s.engine.default_rootfs);
    schema.add(
            {.key = "engine.default_grace_time",
             .flag = "default-grace-time",
             .help = "A container nobody speaks to for so long is destroyed; 0 = never"},
            s.engine.default_grace_time);
    schema.add(
            {.key = "engine.max_containers",
             .flag = "max-containers",
             .help = "0 = as many as the network pool has subnets"},
            s.engine.max_containers);
    schema.add(
            {.key = "engine.destroy_containers_on_startup",
             .flag = "destroy-containers-on-startup",
             .help = "Start with an empty host instead of taking containers over"},
            s.engine.destroy_on_start);
    schema.add(
            {.key = "engine.pool_size",
             .flag = "pool-size",
             .help = "Prepared namespaces and addresses that wait for a create; 0 = none"},
            s.engine.pool_size);
    schema.add(
            {.key = "engine.parallel_creates",
             .flag = "parallel-creates",
             .help = "Containers that are made at the same time; pulls do not count"},
            s.engine.parallel_creates);
    schema.add(
            {.key = "security.disable_privileged_containers",
             .flag = "disable-privileged-containers",
             .help = "Refuse privileged containers (CL-02)"},
            s.disable_privileged_containers);
    schema.add(
            {.key = "security.no_new_privileges",
             .flag = "no-new-privileges",
             .help = "No process gains privileges by SUID programs or file capabilities"},
            s.engine.no_new_privileges);
    schema.add(
            {.key = "security.apparmor",
             .flag = "apparmor",
             .help = "AppArmor profile of all processes of unprivileged containers; it must be "
                     "loaded",
             .value = "PROFILE"},
            s.engine.apparmor);
    schema.add(
            {.key = "limits.disable_swap_limit",
             .flag = "disable-swap-limit",
             .help = "Memory limits do not limit swap"},
            s.disable_swap_limit);
    schema.add(
            {.key = "limits.cpu_quota_per_share",
             .flag = "cpu-quota-per-share",
             .help = "Microseconds of each 100 ms per CPU share; 0 = no quota"},
            s.engine.cpu_quota_per_share);
    schema.add(
            {.key = "limits.cpu_entitlement_per_share",
             .flag = "cpu-entitlement-per-share",
             .help = "Percent of a CPU per share, for metrics; 0 = 100 x CPUs / memory in MiB"},
            s.engine.cpu_entitlement_per_share);
    schema.add(
            {.key = "compat.garden_inheritable",
             .flag = "compat-garden-inheritable",
             .help = "Fill the inheritable capability set as Garden does (weaker)"},
            s.engine.garden_inheritable);
    schema.add(
            {.key = "compat.garden_id_mapping",
             .flag = "compat-garden-id-mapping",
             .help = "All unprivileged containers share Garden's one range of host ids (weaker, "
                     "ID-01, ID-02, ID-07)"},
            s.engine.garden_id_mapping);
    schema.add(
            {.key = "compat.garden_socket_mode",
             .flag = "compat-garden-socket-mode",
             .help = "Everybody on this host may connect to the unix socket, mode 0777 (weaker: "
                     "who connects is root)"},
            s.garden_socket_mode);
    schema.add(
            {.key = "compat.garden_shared_subnets",
             .flag = "compat-garden-shared-subnets",
             .help = "Containers that asked for one subnet reach each other, as in Garden (weaker, "
                     "NET-01)"},
            s.garden_shared_subnets);
}

void declare_images(base::config::Schema& schema, Settings& s) {
    auto& images = s.engine.images;
    schema.add(
            {.key = "images.docker_registry",
             .flag = "docker-registry",
             .help = "Registry of docker:///name: HOST, HOST:PORT or http://HOST:PORT",
             .value = "REGISTRY"},
            s.docker_registry);
    schema.add(
            {.key = "images.insecure_registries",
             .flag = "insecure-docker-registry",
             .help = "HOST:PORT of a registry that may be spoken to without TLS",
             .value = "HOST:PORT"},
            images.insecure_registries);
    schema.add(
            {.key = "images.mirrors",
             .flag = "docker-mirror",
             .help = "Tried before --docker-registry",
             .value = "REGISTRY"},
            images.mirrors);
    schema.add(
            {.key = "images.ca_file",
             .flag = "registry-ca",
             .help = "Authorities of registries, PEM, instead of the system's",
             .value = "FILE"},
            images.ca_file);
    schema.add(
            {.key = "images.preloaded",
             .flag = "preloaded-image",
             .help = "NAME=URI or NAME=PATH, for preloaded:NAME",
             .value = "NAME=URI"},
            s.preloaded_images);
    schema.add(
            {.key = "images.parallel_downloads",
             .flag = "parallel-downloads",
             .help = "Layers of an image that are fetched at the same time"},
            images.parallel_downloads);
    schema.add(
            {.key = "images.require_digest",
             .flag = "require-image-digest",
             .help = "Refuse registry images without @sha256:... (IMG-06)"},
            images.require_digest);
    schema.add(
            {.key = "images.stall_timeout_seconds",
             .flag = "registry-stall-timeout",
             .help = "Seconds without a byte after which a registry counts as hung"},
            s.registry_timeout_seconds);
    schema.add(
            {.key = "images.policy",
             .flag = "image-policy",
             .help = "Who must have signed which images, JSON (docs/images.md); without it all are "
                     "accepted",
             .value = "FILE"},
            images.policy_file);
    schema.add(
            {.key = "images.gc_max_age",
             .flag = "image-gc-max-age",
             .help = "Images that no container has used for so long are removed; 0 = never"},
            s.image_max_age);
    schema.add(
            {.key = "images.gc_high_watermark",
             .flag = "image-gc-high-watermark",
             .help = "When the disk of the store is fuller (85%) or the layers are larger (20G), "
                     "unused images go",
             .value = "LIMIT"},
            s.image_high_watermark);
    schema.add(
            {.key = "images.gc_low_watermark",
             .flag = "image-gc-low-watermark",
             .help = "Down to this; without it to the high watermark",
             .value = "LIMIT"},
            s.image_low_watermark);
}

void declare_network(base::config::Schema& schema, Settings& s) {
    auto& network = s.engine.network;
    schema.add(
            {.key = "network.pool",
             .flag = "network-pool",
             .help = "Addresses of containers, a /30 each",
             .value = "CIDR"},
            network.pool);
    schema.add(
            {.key = "network.pool6",
             .flag = "network-pool6",
             .help = "IPv6 addresses of containers, a /126 each; without it they have none",
             .value = "CIDR"},
            network.pool6);
    schema.add(
            {.key = "network.deny",
             .flag = "deny-network",
             .help = "Network that containers reach only by a rule of their own",
             .value = "CIDR"},
            network.deny_networks);
    schema.add(
            {.key = "network.allow_host_access",
             .flag = "allow-host-access",
             .help = "Containers may reach services of the host"},
            network.allow_host_access);
    schema.add(
            {.key = "network.external_ip",
             .flag = "external-ip",
             .help = "Address of this host that info reports; detected",
             .value = "IP"},
            s.engine.external_ip);
    schema.add(
            {.key = "network.external_ip6",
             .flag = "external-ip6",
             .help = "IPv6 address of mapped ports; detected where --network-pool6 is given",
             .value = "IP"},
            network.external_ip6);
    schema.add(
            {.key = "network.port_pool_start",
             .flag = "port-pool-start",
             .help = "First of the host ports that NetIn chooses from"},
            network.port_pool_start);
    schema.add(
            {.key = "network.port_pool_size",
             .flag = "port-pool-size",
             .help = "How many they are; start and size are at most 65535 together"},
            network.port_pool_size);
    schema.add(
            {.key = "network.egress_default",
             .flag = "egress-default",
             .help = "What no rule of a container decides: the world outside, or nothing (NET-06)",
             .choices = {"allow-public", "deny"}},
            s.egress_default);
    schema.add(
            {.key = "network.max_connections",
             .flag = "max-connections",
             .help = "Connections that a container has opened at a time; 0 = no limit (NET-11)"},
            network.max_connections);
    schema.add(
            {.key = "network.new_connections",
             .flag = "new-connections",
             .help = "Connections that a container opens in a second; 0 = no limit (NET-11)"},
            network.new_connections);
    schema.add(
            {.key = "network.new_connections_burst",
             .flag = "new-connections-burst",
             .help = "How many may be opened at once beyond --new-connections"},
            network.new_connections_burst);
    schema.add(
            {.key = "network.half_open_connections",
             .flag = "half-open-connections",
             .help = "Connections of a container that nobody has answered yet; 0 = no limit "
                     "(NET-11)"},
            network.half_open_connections);
    schema.add(
            {.key = "network.udp_packets",
             .flag = "udp-packets",
             .help = "UDP packets that a container sends in a second; 0 = no limit (NET-11)"},
            network.udp_packets);
    schema.add(
            {.key = "network.icmp_packets",
             .flag = "icmp-packets",
             .help = "ICMP packets that a container sends in a second; 0 = no limit (NET-11)"},
            network.icmp_packets);
    schema.add(
            {.key = "network.mtu",
             .flag = "mtu",
             .help = "MTU of containers, at most 1500; 0 = of the interface of the external IP"},
            network.mtu);
    schema.add(
            {.key = "network.dns_servers",
             .flag = "dns-server",
             .help = "Name server of containers instead of the host's",
             .value = "IP"},
            network.dns_servers);
    schema.add(
            {.key = "network.additional_dns_servers",
             .flag = "additional-dns-server",
             .help = "Name server of containers besides the host's",
             .value = "IP"},
            network.additional_dns_servers);
    schema.add(
            {.key = "network.additional_host_entries",
             .flag = "additional-host-entry",
             .help = "Line for /etc/hosts of containers",
             .value = "LINE"},
            network.additional_host_entries);
}

// Taken so that an operator's command line of Garden starts, and said once in the log.
void declare_ignored(base::config::Schema& schema) {
    for (const char* flag :
         {"skip-setup", "cleanup-process-dirs-on-wait", "no-image-plugin",
          "use-containerd-for-processes", "enable-container-network-metrics",
          "enable-cpu-throttling"})
        schema.ignore(flag, false);
    for (const char* flag :
         {"properties-path",
          "console-sockets-path",
          "uid-map-start",
          "uid-map-length",
          "gid-map-start",
          "gid-map-length",
          "assets-dir",
          "dadoo-bin",
          "nstar-bin",
          "tar-bin",
          "init-bin",
          "iptables-bin",
          "iptables-restore-bin",
          "runtime-plugin",
          "runtime-plugin-extra-arg",
          "port-pool-properties-path",
          "container-io-max-read-bps",
          "container-io-max-write-bps",
          "container-io-max-read-iops",
          "container-io-max-write-iops",
          "metrics-emission-interval",
          "dropsonde-origin",
          "dropsonde-destination",
          "containerd-socket",
          "cpu-throttling-check-interval",
          "time-format"})
        schema.ignore(flag, true);
}

}  // namespace

base::config::Schema::Options schema_options() {
    return {.program = "gardend",
            .about = "Cloche's container engine: serves the Garden API.",
            .environment = "GARDEND_",
            .default_file = "/etc/cloche/gardend.toml",
            .version = "gardend " + std::string(base::version())};
}

void declare(base::config::Schema& schema, Settings& settings) {
    declare_server(schema, settings);
    declare_containers(schema, settings);
    declare_images(schema, settings);
    declare_network(schema, settings);
    declare_plugins(schema, settings);
    declare_host(schema, settings);
    declare_ignored(schema);
    schema.command("server", "Serve the Garden API (what happens without a command, too)");
    schema.command("setup", "Nothing to do: gardend prepares the host when it starts");
    schema.command(
            "cleanup",
            "Destroy all containers and take down what gardend made on this host, exit; the daemon "
            "must not run");
}

}  // namespace garden::server
