// The processes of one container: who they are, whether they have exited, who waits for them.
// Thread-safe. Callbacks are called without the lock, from the thread that brings the news. Used by
// garden/engine only.
#pragma once

#include "base/result.hpp"
#include "garden/engine/engine.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace garden {

class ProcessTable {
  public:
    using Done = std::function<void(base::Result<std::int32_t>)>;

    // already_exists while a process of that id runs ("process ID 'x' already in use").
    base::Result<void> reserve(ProcessRow row, bool terminal, bool internal);
    void drop(const std::string& id);
    void started(const std::string& id, std::int32_t host_pid);
    // From a running shim after a restart.
    void adopt(ProcessRow row, bool terminal, bool internal);

    void exited(const std::string& id, std::int32_t exit_code);
    // Everybody still waiting gets `exit_code`; later waiters too. The container is gone.
    void end_all(std::int32_t exit_code);
    void wait(const std::string& id, Done done);

    bool contains(const std::string& id) const;  // internal ones are not listed
    bool has_exited(const std::string& id) const;
    bool terminal(const std::string& id) const;
    std::vector<ProcessRow> rows() const;
    // Exited processes beyond the newest `keep` without a waiter, oldest first; they are no longer
    // in the table.
    std::vector<std::string> take_stale(std::size_t keep);

  private:
    struct Entry {
        ProcessRow row;
        bool terminal = false;
        bool internal = false;
        std::uint64_t exit_order = 0;
        std::vector<Done> waiters;
    };

    mutable std::mutex mutex_;
    std::map<std::string, Entry> entries_;
    std::optional<std::int32_t> ended_;
    std::uint64_t exits_ = 0;
};

}  // namespace garden
