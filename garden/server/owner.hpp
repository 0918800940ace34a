// Whose a tag is on this host. The kernel's objects of a tag belong to one depot; another gardend
// with the tag would take them for leftovers and sweep them away, also while the first is down.
// Used by garden/server/lock.cpp.
#pragma once

#include "base/result.hpp"

#include <string>

namespace garden::server {

struct Owner {
    std::string depot;  // as the kernel spells them: without links
    std::string store;
};

// Writes the record at `path`, after the locks are held. Errc::conflict names the other depot; a
// depot that is gone or has no container is no reason to refuse, and neither is `take_over`.
base::Result<void> claim_tag(const std::string& path, const Owner& owner, bool take_over);

// What was claimed, and is taken down: the tag is anybody's.
base::Result<void> release_tag(const std::string& path);

}  // namespace garden::server
