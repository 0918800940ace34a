// From a tar stream to a tree: libarchive reads the formats, TreeWriter writes. Used by
// rootfs-unpack and its fuzz target.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/unpack/tar_stream.hpp"
#include "rootfs/unpack/tree_writer.hpp"

namespace rootfs {

// Everything that may load files or ask the system is done here, before the sandbox closes.
void prepare_extraction();

// Reads the whole stream. On failure the tree is in pieces and the caller throws it away.
base::Result<void> extract(TarStream& stream, TreeWriter& writer);

}  // namespace rootfs
