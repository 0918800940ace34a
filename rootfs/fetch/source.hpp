// Where the bytes of an image come from: a registry, an OCI layout, an archive. Used by
// rootfs/pull.cpp. Blocking; each call may be made from several threads at once. What comes back
// has been checked against its digest (IMG-02).
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/image/manifest.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace rootfs {

using Cancelled = std::atomic<bool>;
using ByteCount = std::function<void(std::uint64_t bytes)>;

// What a reference names after indexes were followed and the platform was chosen.
struct Resolved {
    Digest digest;    // of the top document: what a pinned reference would say
    Digest selected;  // of the manifest chosen from an index; `digest` without one
    Manifest manifest;
    std::string config;  // the verified text of the image configuration
    std::string note;    // "" or a sentence for the progress of the pull
};

class ImageSource {
  public:
    ImageSource() = default;
    ImageSource(const ImageSource&) = delete;
    ImageSource& operator=(const ImageSource&) = delete;
    virtual ~ImageSource() = default;

    virtual base::Result<Resolved> resolve(const Cancelled& cancelled) = 0;
    // The whole verified blob as a nameless file below `scratch`, positioned at its start. It
    // vanishes with its descriptor.
    virtual base::Result<base::Fd> layer(
            const Descriptor& layer,
            base::FdRef scratch,
            const ByteCount& received,
            const Cancelled& cancelled) = 0;
};

// A file without a name in the directory `scratch`: a killed pull leaves nothing of it.
base::Result<base::Fd> scratch_file(base::FdRef scratch);

base::Error cancelled_error();

}  // namespace rootfs
