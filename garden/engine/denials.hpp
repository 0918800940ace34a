// Denials: reads the kernel's records of refused system calls on a thread of its own and gives each
// to its container (SC-20). Costs create and destroy nothing: who a record is about is looked up
// when it comes. Used by garden/engine only.
#pragma once

#include "base/fd.hpp"
#include "garden/engine/engine.hpp"
#include "garden/engine/registry.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace garden {

class Denials {
  public:
    // `parent`: the cgroup below which every container has a group of its name.
    Denials(const Registry& registry, security::EventLog& events, std::string parent);
    ~Denials();
    Denials(const Denials&) = delete;
    Denials& operator=(const Denials&) = delete;

    // Once; without the kernel's help it is "not available".
    void start(const std::string& host_namespace);
    DenialFigures figures() const;

    std::int64_t since_ns() const { return since_ns_; }

    // Of a process that has just been refused something; nothing when the pid is somebody else's by
    // now.
    struct Process {
        std::int32_t inner_pid = 0;
        std::string group;  // of the container; "" = in none of ours
    };

    static std::optional<Process> look_at(
            std::int32_t pid, std::int64_t not_after_ns, std::string_view parent);

  private:
    using ContainerPtr = std::shared_ptr<Container>;

    void run();
    void drain();
    void tell_if_due();
    void take(std::string_view record);
    void note_gap(std::string_view record);
    ContainerPtr owner(const security::DenialRecord& record);
    ContainerPtr owner_of_uid(std::uint32_t uid);
    bool is_current(const ContainerPtr& container, std::uint32_t uid) const;

    const Registry& registry_;
    security::EventLog& events_;
    const std::string parent_;
    const std::int64_t since_ns_;
    base::Fd socket_;
    base::Fd stop_;
    mutable std::mutex mutex_;
    DenialFigures figures_;
    // Of the thread alone.
    std::map<std::uint32_t, std::weak_ptr<Container>> by_block_;  // uid / 65536
    std::map<std::uint32_t, std::chrono::steady_clock::time_point> nobodys_;
    std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
    bool untold_ = false;  // a denial came since then
    std::uint64_t last_serial_ = 0;
    bool gap_ = false;  // records were lost before the next one
    std::thread thread_;
};

// A summary of what is new, for the event log; nothing when nothing is.
void tell_denials(security::EventLog& events, Container& container);

}  // namespace garden
