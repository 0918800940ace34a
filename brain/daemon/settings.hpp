// Settings of braind: every key, flag and variable, and what they mean for its parts. Used by
// brain/daemon/main.cpp and by the test of the documents.
#pragma once

#include "base/config.hpp"
#include "base/http/endpoint.hpp"
#include "base/log.hpp"
#include "brain/core/config.hpp"
#include "brain/store/store.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace brain::daemon {

struct Settings {
    std::string name;  // "": the first API endpoint
    std::string state_directory = "/var/lib/cloche/brain";
    std::vector<std::string> listen = {"tcp://127.0.0.1:8888"};
    std::vector<std::string> cell_listen = {"tcp://127.0.0.1:8889"};
    std::vector<std::string> admin_listen = {"unix:///run/cloche/brain.sock"};
    std::string socket_mode = "0660";
    bool plain_tcp = false;  // also beyond loopback
    std::string tls_certificate, tls_key, tls_client_ca;
    std::uint32_t workers = 128;

    std::string store_kind = "sqlite";
    std::string store_path;  // "": brain.db below the state directory
    std::vector<std::string> etcd_endpoints = {"http://127.0.0.1:2379"};
    std::string etcd_prefix = "/cloche/v1/";
    std::string etcd_ca, etcd_certificate, etcd_key, etcd_user, etcd_password_file;
    std::chrono::nanoseconds store_timeout{std::chrono::seconds(5)};

    std::chrono::nanoseconds lead_time{std::chrono::seconds(10)};
    std::chrono::nanoseconds convergence{std::chrono::seconds(30)};
    std::chrono::nanoseconds presence_grace{std::chrono::seconds(15)};
    std::chrono::nanoseconds stale_unclaimed{std::chrono::seconds(30)};
    std::chrono::nanoseconds crash_reset{std::chrono::minutes(5)};
    std::chrono::nanoseconds crash_backoff{std::chrono::seconds(30)};
    std::uint32_t immediate_restarts = 3;
    std::uint32_t max_restarts = 200;
    std::uint32_t max_task_retries = 3;
    std::chrono::nanoseconds pending_task{std::chrono::minutes(30)};
    std::chrono::nanoseconds completed_task{std::chrono::minutes(2)};

    std::chrono::nanoseconds cell_timeout{std::chrono::seconds(10)};
    std::chrono::nanoseconds state_deadline{std::chrono::seconds(1)};
    std::string cell_ca, cell_certificate, cell_key;
    double starting_weight = 0.25;
    double bin_pack_weight = 0;
    std::uint32_t max_starting = 0;           // everywhere at once; 0: no limit
    std::uint32_t max_starting_per_cell = 0;  // 0: no limit

    std::string username, password_file;
    bool cors = false;
    std::string jwt_keys, jwt_issuer, jwt_audience;
    std::string version_files;
    std::string sync_files;

    std::chrono::nanoseconds shutdown_grace{std::chrono::seconds(10)};
    std::string log_level = "info";
    std::string log_format = "text";

    // What main needs, checked and put together by settle().
    std::vector<base::http::Endpoint> endpoints, cell_endpoints, admin_endpoints;
    std::string password;  // of the API
    core::Config core;
    store::SqliteConfig sqlite;
    store::EtcdConfig etcd;
    base::log::Level level = base::log::Level::info;
    base::log::Format format = base::log::Format::text;
};

base::config::Schema::Options schema_options();
void declare(base::config::Schema& schema, Settings& settings);
// Checks what a single value cannot know and fills what main needs. Errors name the key.
base::Result<void> settle(Settings& settings);

}  // namespace brain::daemon
