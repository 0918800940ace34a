// The peas of one container: what each has besides its process, which the process table holds.
// Thread-safe; nothing is called with its lock held. Used by garden/engine only.
#pragma once

#include "base/result.hpp"
#include "garden/cgroup/cgroup.hpp"
#include "garden/engine/record.hpp"

#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace garden {

struct Pea {
    std::string process_id;
    PeaRecord record;
    std::shared_ptr<cgroup::Group> group;  // owners: the table and whoever works on it; null until
                                           // made
    bool ended = false;                    // its process has exited; what is left is on its way out
};

class PeaTable {
  public:
    // A pea that is about to be made; close() waits until `begun` is called for it. conflict after
    // close().
    base::Result<void> begin(std::string process_id, PeaRecord record);
    void begun();
    // Found in the depot after a restart.
    void adopt(Pea pea);
    void set_group(const std::string& name, std::shared_ptr<cgroup::Group> group);

    // The pea whose process `process_id` is, while it runs.
    std::optional<Pea> find(const std::string& process_id) const;
    // The same for the last time: its process has exited.
    std::optional<Pea> end(const std::string& process_id);
    std::vector<Pea> all() const;
    void remove(const std::string& name);
    // No pea begins any more, and none is half-way.
    void close();

    // Whose volumes may still be there: of all living peas, and of past ones, the newest of them.
    std::vector<std::string> names() const;

  private:
    static constexpr std::size_t kPast = 256;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, Pea> peas_;  // by name
    std::vector<std::string> past_;    // names of removed ones
    std::size_t beginning_ = 0;
    bool closed_ = false;
};

}  // namespace garden
