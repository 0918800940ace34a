// All containers by handle, half-made ones included: a handle is taken from the first moment of its
// create to the end of its destroy. Thread-safe. Used by garden/engine only.
#pragma once

#include "base/result.hpp"
#include "garden/engine/container.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace garden {

class Registry {
  public:
    explicit Registry(std::uint64_t limit) : limit_(limit) {}  // 0 = no limit

    // already_exists, or exhausted ("max containers reached").
    base::Result<std::shared_ptr<Container>> add(const Handle& handle);
    void adopt(std::shared_ptr<Container> container);  // at start, without a limit
    base::Result<std::shared_ptr<Container>> find(
            const Handle& handle) const;  // not_found: "unknown handle: …"
    void remove(const Handle& handle);
    std::vector<std::shared_ptr<Container>> all() const;  // in the order of handles

  private:
    std::uint64_t limit_;
    mutable std::mutex mutex_;
    std::map<Handle, std::shared_ptr<Container>> containers_;
};

}  // namespace garden
