// One gardend per state directory, store and tag: two would take each other's containers for
// leftovers. Used by garden/server/main.cpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace garden::server {

struct Locks {
    std::vector<base::Fd> files;  // locked while they are open; the kernel lets go with the process
    std::string owner;            // path of the tag's record (owner.hpp)
};

// Waits up to `patience` for a daemon that is just ending; Errc::conflict names the file, or the
// other depot that the tag belongs to.
base::Result<Locks> lock_host(
        const std::string& state_directory,
        const std::string& store_directory,
        const std::string& tag,
        std::chrono::milliseconds patience,
        bool take_over = false);

}  // namespace garden::server
