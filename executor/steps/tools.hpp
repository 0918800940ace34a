// Tools: what the steps of one container may use, and the facts about it they need. Made by
// executor/core; every reference outlives the steps.
#pragma once

#include "base/worker_pool.hpp"
#include "executor/api/types.hpp"
#include "executor/loop/loop.hpp"
#include "executor/steps/journal.hpp"
#include "executor/steps/processes.hpp"
#include "executor/steps/step.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace executor {

class LogStream;  // executor/logs/stream.hpp
class Fetcher;    // executor/fetch/fetch.hpp
class Slots;      // executor/steps/slots.hpp

// Files of a container, blocking (garden's stream in and out).
class ContainerFiles {
  public:
    virtual ~ContainerFiles() = default;
    virtual base::Result<void> stream_in(
            std::string_view user,
            std::string_view destination,
            std::function<base::Result<std::size_t>(std::span<char>)> tar) = 0;
    // Calls `reader` with the tar stream; its result is the call's.
    virtual base::Result<void> stream_out(
            std::string_view user,
            std::string_view source,
            std::function<base::Result<void>(
                    std::function<base::Result<std::size_t>(std::span<char>)>)> reader) = 0;
};

// What the container was given when it was made.
struct ContainerFacts {
    std::string guid;
    std::string handle;
    std::string external_ip;  // host address
    std::string internal_ip;
    std::string internal_ip_v6;
    std::vector<api::PortMapping> ports;
    std::vector<api::EnvironmentVariable> env;  // container level, as recorded
    std::uint64_t nofile_default = 0;           // 0: none
};

struct StepTimes {  // executor-rep §7, §4.5, §20
    std::chrono::nanoseconds unhealthy_interval = std::chrono::seconds(2);
    std::chrono::nanoseconds healthy_interval = std::chrono::seconds(30);
    std::chrono::nanoseconds graceful_shutdown = std::chrono::seconds(10);
    std::chrono::nanoseconds exit_timeout = std::chrono::seconds(1);
    // Ours (executor-rep §23): the first probe comes this soon, then 2, 4, … times as late up to
    // unhealthy_interval. 0: the first comes after a whole interval, as Diego's.
    std::chrono::nanoseconds first_probe = std::chrono::milliseconds(50);
};

struct Tools {
    Loop& loop;
    Processes& processes;
    ContainerFiles& files;
    Fetcher& fetcher;
    LogStream& log;
    Journal& journal;
    base::WorkerPool& download_pool;  // its threads are the limit of downloads at once (5)
    base::WorkerPool& upload_pool;    // the same for uploads
    ContainerFacts facts;
    StepTimes times;
    // Readiness changed: the container is routable or not (executor-rep §7.3).
    std::function<void(bool routable)> set_routable;
    // The steps are a monitor's: nothing of them is logged, a failure's message is what it printed
    // (executor-rep §7.1).
    bool monitoring = false;
    // Of all containers of the cell: a monitor's check takes one (executor-rep §4.7: 64). None: no
    // bound.
    Slots* health_slots = nullptr;
};

// The steps of one recipe (executor-rep §6). Ready: the container is running. The rootfs, limits
// and so on are not its business. `info` was validated.
std::unique_ptr<Step> assemble(const api::RunInfo& info, Tools& tools);

// One action. `source`: the log source it inherits; `path`: its place for the journal.
std::unique_ptr<Step> make_step(
        const api::Action& action, Tools& tools, std::string source, std::string path);

}  // namespace executor
