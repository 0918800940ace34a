// Settings of celld: every key, flag and variable, and what they mean for executor and rep. Used by
// cell/main.cpp and by the test of the documents.
#pragma once

#include "base/config.hpp"
#include "base/http/endpoint.hpp"
#include "base/log.hpp"
#include "cell/brain.hpp"
#include "executor/core/settings.hpp"
#include "executor/logs/hub.hpp"
#include "rep/core/config.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cell {

// Of the executor's socket; celld.service has the same.
inline constexpr const char* kRuntimeDirectory = "/run/cloche-cell";

struct Settings {
    std::string garden = "unix:///run/cloche/garden.sock";
    std::vector<std::string> executor_listen = {"unix:///run/cloche-cell/cell.sock"};
    std::string socket_mode = "0660";
    std::string cell_id;  // "": the host's name
    std::string zone = "z1";
    std::vector<std::string> rep_listen = {"tcp://127.0.0.1:1800"};
    std::vector<std::string> rep_network_listen;
    std::vector<std::string> brains = {"none"};
    std::string brain_ca, brain_certificate, brain_key;
    bool plain_tcp = false;  // also beyond loopback
    std::string tls_certificate;
    std::string tls_key;
    std::string tls_client_ca;
    std::string rep_url;
    std::string rep_address;
    std::vector<std::string> placement_tags;
    std::vector<std::string> optional_placement_tags;
    std::vector<std::string> preloaded;  // NAME or NAME=ROOTFS
    std::vector<std::string> rootfs_providers = {"docker"};
    std::string extra_rootfs_directory;
    std::string layering_mode = "single-layer";
    std::string ecr_endpoint;
    std::uint32_t proxy_memory_mb = 0;
    std::chrono::nanoseconds bulk_interval{std::chrono::seconds(30)};
    std::chrono::nanoseconds evacuation_timeout{std::chrono::minutes(10)};
    std::chrono::nanoseconds evacuation_budget{std::chrono::minutes(10)};

    std::string memory_mb = "auto";
    std::string disk_mb = "auto";
    std::uint32_t max_containers = 250;
    std::uint32_t start_workers = 32;
    std::uint32_t delete_workers = 32;
    std::uint32_t downloads = 5;
    std::string transfer_ca, transfer_certificate, transfer_key;
    bool transfer_skip_verification = false;
    std::string cache_directory;           // "": below the state directory
    std::vector<std::string> environment;  // NAME=VALUE

    std::chrono::nanoseconds identity_validity{std::chrono::hours(24)};
    std::string identity_key_type = "ecdsa_p256";

    std::uint64_t log_lines_per_second = 0;
    std::chrono::nanoseconds shutdown_grace{std::chrono::seconds(10)};
    std::string log_level = "info";
    std::string log_format = "text";

    executor::Settings executor;
    executor::LogHubConfig logs;

    // What main needs, checked and put together by settle().
    base::http::Endpoint garden_endpoint;
    std::vector<base::http::Endpoint> executor_endpoints;
    std::vector<base::http::Endpoint> rep_endpoints;          // every route
    std::vector<base::http::Endpoint> rep_network_endpoints;  // all but evacuate
    BrainChoice brain;
    rep::core::Config rep;
    base::log::Level level = base::log::Level::info;
    base::log::Format format = base::log::Format::text;
};

base::config::Schema::Options schema_options();
void declare(base::config::Schema& schema, Settings& settings);
// Checks what a single value cannot know and fills what main needs. Errors name the key.
base::Result<void> settle(Settings& settings);

}  // namespace cell
