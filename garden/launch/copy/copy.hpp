// garden-copy's two halves. They run inside the container as its user, so every permission check is
// the kernel's (MD-06). Used by main.cpp only.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>

namespace garden::launch::tar {

// Unpacks the archive from `input` into the directory `destination`, made when missing
// (garden-api 8.1).
base::Result<void> extract(base::FdRef input, const std::string& destination);
// Packs `source` to `output`; a trailing slash means the contents of a directory (garden-api 8.2).
base::Result<void> archive(base::FdRef output, const std::string& source);

// "<name>: <message of errno>", spelled as C programs do ("Permission denied"): Garden's clients
// look for that.
base::Error errno_of(const std::string& name);

}  // namespace garden::launch::tar
