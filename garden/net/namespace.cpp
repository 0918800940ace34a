#include "garden/net/namespace.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <sched.h>

namespace garden::net {

base::Result<InNamespace> InNamespace::enter(base::FdRef network_namespace) {
    base::Fd home = TRY(base::sys::open_host("/proc/thread-self/ns/net", O_RDONLY));
    if (::setns(network_namespace.get(), CLONE_NEWNET) != 0) {
        return base::fail_errno("enter the container's network namespace");
    }
    return InNamespace(std::move(home));
}

InNamespace::~InNamespace() {
    if (home_ && ::setns(home_.get(), CLONE_NEWNET) != 0)
        base::panic("cannot return to the own network namespace");
}

}  // namespace garden::net
