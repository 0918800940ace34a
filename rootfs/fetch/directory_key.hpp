// What a directory looks like from outside, as one digest: the key of a directory used as an image.
// Used by rootfs/images.cpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/image/digest.hpp"

namespace rootfs {

// Hash of names, owners, modes, sizes and change times of the whole tree; contents are not read, a
// write changes the time.
base::Result<Digest> directory_key(base::FdRef directory);

}  // namespace rootfs
