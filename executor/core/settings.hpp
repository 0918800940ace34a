// Settings of the executor with the defaults of executor-rep §20. Used by executor/core; filled by
// the program.
#pragma once

#include "executor/identity/identity.hpp"
#include "executor/steps/tools.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace executor {

struct Settings {
    std::string cell_id = "cell";
    std::string owner = "executor";  // value of the property executor:owner
    std::string state_directory = "/var/lib/cloche-cell";

    // Unset: what the backend has.
    std::optional<std::int64_t> memory_mb;
    std::optional<std::int64_t> disk_mb;
    std::int64_t disk_overhead_mb = 0;
    bool schedulable_disk = false;  // disk: the backend's schedulable part instead of all of it
    std::uint64_t cache_bytes = 10'000'000'000;
    std::int64_t max_containers = 250;  // one of them is the health check's

    std::uint64_t max_cpu_shares = 1024;
    std::uint64_t inode_limit = 200'000;
    bool cpu_weight_from_memory = false;

    std::vector<api::EnvironmentVariable> environment;  // of every container
    std::string trusted_certificates;                   // host directory, "": none
    std::string healthcheck_directory;                  // host directory of the lifecycle programs
    std::string volume_directory;  // host directory of the local volume driver, "": none
    IdentitySettings identity;     // without the authority's files: no instance has credentials

    StepTimes steps;
    std::chrono::nanoseconds reservation_expires = std::chrono::minutes(1);
    // How long a creation waits for a backend that does not answer or has too much to do.
    std::chrono::nanoseconds backend_patience = std::chrono::minutes(2);
    // How long a deletion waits for a creation that was told to stop.
    std::chrono::nanoseconds delete_patience = std::chrono::minutes(1);
    std::chrono::nanoseconds reap_interval = std::chrono::minutes(1);
    std::chrono::nanoseconds metrics_interval = std::chrono::seconds(15);

    std::chrono::nanoseconds garden_check_interval = std::chrono::minutes(10);
    std::chrono::nanoseconds garden_check_timeout = std::chrono::minutes(10);
    std::chrono::nanoseconds garden_check_pause = std::chrono::seconds(1);  // between three tries
    std::string garden_check_rootfs;  // "": the backend's default
    std::string garden_check_user = "root";
    bool garden_check = true;

    std::size_t create_workers = 32;
    std::size_t delete_workers = 32;
    std::size_t garden_workers = 64;  // processes begun and attached, questions
    std::size_t health_checks = 64;   // that need a process, at once
    std::size_t downloads = 5;
    std::size_t uploads = 5;
};

// Names of properties the executor puts on the backend's containers.
inline constexpr std::string_view kOwnerProperty = "executor:owner";
inline constexpr std::string_view kHealthcheckTag = "executor-healthcheck";

}  // namespace executor
