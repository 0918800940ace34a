// Which host port leads to whom: a queue of free ports (taken from the front, given back at the
// end) and ports that a client chose. Pure but for the file that keeps the order over a restart;
// the owner locks. Used by network.cpp and unit tests.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace garden::net {

class PortPool {
  public:
    // Whether something else on the host has the port; asked before a port is handed out.
    using Busy = std::function<bool(std::uint16_t port)>;

    // `start` + `size` must be at most 65535 (garden-behaviours E). Errc::invalid names the limits.
    static base::Result<PortPool> make(std::uint32_t start, std::uint32_t size);

    // The first free one that is not busy. Errc::exhausted "port pool is exhausted".
    base::Result<std::uint16_t> take(std::string_view owner, const Busy& busy);
    // Exactly this one, of the pool or not. Errc::conflict says who has it.
    base::Result<void> take(std::uint16_t port, std::string_view owner, const Busy& busy);
    // After a restart: it is in use. Errc::conflict when another owner has it.
    base::Result<void> adopt(std::uint16_t port, std::string_view owner);
    // Idempotent: nothing happens unless `owner` has it.
    void give(std::uint16_t port, std::string_view owner);

    std::size_t free() const { return queue_.size(); }

    // The order of the queue as ranges, "61005-65534,61001": what a restart goes on with.
    std::string order() const;
    // Takes the order over as far as it names ports of this pool; what it does not name comes last,
    // as if it had been given back just now (a run that was killed between two steps).
    void restore(std::string_view order);

  private:
    PortPool(std::uint16_t start, std::uint16_t size) : start_(start), size_(size) {}

    bool in_pool(std::uint16_t port) const { return port >= start_ && port - start_ < size_; }

    std::uint16_t start_;
    std::uint16_t size_;
    std::deque<std::uint16_t> queue_;
    std::map<std::uint16_t, std::string> owners_;
};

}  // namespace garden::net
