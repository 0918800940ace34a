// gzip (isa-l), zstd and plain streams behind one call. Used by rootfs/unpack/tar_stream.
#pragma once

#include "base/result.hpp"
#include "rootfs/store/layers.hpp"

#include <cstddef>
#include <memory>
#include <span>

namespace rootfs {

class Decoder {
  public:
    virtual ~Decoder() = default;

    // Takes bytes from the front of `input`, which it shortens, and fills `output` as far as it
    // gets; how many it wrote. With `last` no input follows: 0 then means the end, and a stream
    // that is not whole is Errc::corrupt.
    virtual base::Result<std::size_t> decode(
            std::span<const char>& input, bool last, std::span<char> output) = 0;
};

std::unique_ptr<Decoder> make_decoder(Compression compression);

}  // namespace rootfs
