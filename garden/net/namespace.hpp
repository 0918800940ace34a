// InNamespace: the calling thread is in another network namespace until the end of the scope. Used
// by network.cpp and tests.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

namespace garden::net {

class [[nodiscard]] InNamespace {
  public:
    static base::Result<InNamespace> enter(base::FdRef network_namespace);
    InNamespace(InNamespace&&) = default;
    InNamespace& operator=(InNamespace&&) = delete;
    InNamespace(const InNamespace&) = delete;
    InNamespace& operator=(const InNamespace&) = delete;
    // Returns, or ends the program: a worker left in a container's namespace must not serve the
    // next request.
    ~InNamespace();

  private:
    explicit InNamespace(base::Fd home) : home_(std::move(home)) {}

    base::Fd home_;
};

}  // namespace garden::net
