// Where targets that write files do it: a small file system of their own, while everything else is
// read-only for this process. Used by tar_layer.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fuzz {

// From here on this process (of a mount namespace of its own) can write only to the folders among
// its arguments, where a fuzzer keeps what it found, and to the file system that is returned.
base::Result<base::Fd> enter_sandbox(int argc, char** argv);

}  // namespace fuzz
