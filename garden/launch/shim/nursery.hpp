// The nursery: the one process of a gardend that shims are cloned from. It is garden-shim itself,
// started once, so that a new shim costs a fork of a small process and no start of a program; and
// it has a mount namespace with next to nothing in it, so that the namespaces of containers copy
// and drop a handful of mounts, however many the host has. Used by main.cpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

namespace garden::launch {

// Moves this process to a mount namespace of its own: a read-only root with /proc, /sys (the kernel
// lets a user namespace mount its own only where these can be seen whole) and /dev/null.
base::Result<void> enter_small_view();

// Serves gardend until it is gone, then ends the program. Returns in each shim, with its socket.
base::Fd nurse(base::Fd gardend);

}  // namespace garden::launch
