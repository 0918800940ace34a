// Settings: every key, flag and variable of gardend, and what they mean for the engine and the
// server. Flags carry the names Garden's operators know (garden-behaviours §E) wherever the
// function exists. Used by garden/server/main.cpp and the tests of the documents.
#pragma once

#include "base/config.hpp"
#include "base/http/endpoint.hpp"
#include "base/log.hpp"
#include "garden/engine/engine.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace garden::server {

inline constexpr std::uint32_t kMinWorkers = 16;
inline constexpr std::uint32_t kMaxWorkers = 4096;
inline constexpr std::uint32_t kMaxPoolSize = 1024;
inline constexpr std::size_t kMaxTagLength = 2;  // interface names have 15 characters (C.2)

struct Settings {
    // Where the API is served.
    std::string bind_socket = "/run/cloche/garden.sock";
    std::string socket_mode = "0660";
    std::string socket_group;
    std::string bind_ip;
    std::uint16_t bind_port = 0;
    std::vector<std::string> listen;
    std::string tls_certificate;
    std::string tls_key;
    std::string tls_client_ca;
    std::string debug_bind_ip;
    std::uint16_t debug_bind_port = 17013;
    std::chrono::nanoseconds read_header_timeout{std::chrono::seconds(30)};
    std::chrono::nanoseconds shutdown_grace{std::chrono::seconds(10)};
    std::uint32_t workers = 704;

    std::string log_level = "info";
    std::string log_format = "text";

    bool take_over = false;
    std::string program_directory;  // "" = beside gardend, else the installed place
    std::vector<std::string> preloaded_images;
    std::string docker_registry = "registry-1.docker.io";
    std::uint32_t registry_timeout_seconds = 20;
    std::chrono::nanoseconds image_max_age{0};
    std::string image_high_watermark;
    std::string image_low_watermark;
    bool disable_privileged_containers = false;
    bool disable_swap_limit = false;
    bool garden_shared_subnets = false;
    bool garden_socket_mode = false;
    // 0 = the host's (settings_host.cpp).
    std::uint32_t tcp_keepalive_time = 0, tcp_keepalive_interval = 0, tcp_keepalive_probes = 0;
    std::uint32_t tcp_retries1 = 0, tcp_retries2 = 0;
    std::vector<std::string> device_cgroup_rules;
    std::string egress_default = "allow-public";
    EngineConfig engine{
            .state_directory = "/run/cloche",
            .store_directory = "/var/lib/cloche",
            .program_directory = {},
            .tag = {},
            .default_rootfs = {},
            .external_ip = {},
            .network = {},
            .images = {},
            .sysctls = {}};

    // SOCKET2ME_FD of the environment: the number of a socket that listens already, instead of
    // bind_ip and bind_socket (garden-behaviours E).
    std::string inherited_socket;

    // What main needs, checked and put together by settle().
    std::vector<int> inherited;
    std::vector<base::http::Endpoint> endpoints;
    std::optional<base::http::Endpoint> debug_endpoint;
    base::log::Level level = base::log::Level::info;
    base::log::Format format = base::log::Format::text;
};

// Declares every setting; `settings` is filled by schema.load().
void declare(base::config::Schema& schema, Settings& settings);
// settings_host.cpp
void declare_host(base::config::Schema& schema, Settings& settings);
base::Result<void> settle_host(Settings& settings);
// settings_plugins.cpp
void declare_plugins(base::config::Schema& schema, Settings& settings);
base::Result<void> check_plugins(const Settings& settings);
base::config::Schema::Options schema_options();
// Checks what belongs together and fills the last part; errors name the flag, its value and the
// limit.
base::Result<void> settle(Settings& settings);

}  // namespace garden::server
