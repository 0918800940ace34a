// A layer blob as the tar stream inside it: decompressed, hashed and limited while it is read
// (IMG-27, IMG-29). Used by rootfs/unpack.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/store/layers.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace rootfs {

class Decoder;
class Sha256;

class TarStream {
  public:
    // Made before the sandbox closes: the digest is fetched from its library here.
    TarStream(
            Compression compression,
            UnpackLimits limits,
            std::function<void(std::uint64_t)> progress);
    TarStream(const TarStream&) = delete;
    TarStream& operator=(const TarStream&) = delete;
    ~TarStream();

    void open(base::FdRef blob) { blob_ = blob; }

    // The next bytes, valid until the next call; empty at the end.
    base::Result<std::span<const char>> next();
    // To the end of the blob: what follows the archive counts for the digest too, as in docker.
    base::Result<void> drain();
    std::string digest();  // "sha256:…", after the end

  private:
    base::Result<void> refill();
    base::Result<void> check_limits() const;

    base::FdRef blob_;
    UnpackLimits limits_;
    std::function<void(std::uint64_t)> progress_;
    std::unique_ptr<Decoder> decoder_;
    std::unique_ptr<Sha256> hash_;
    std::string input_;
    std::string output_;
    std::span<const char> pending_;  // read from the blob, not yet decoded
    std::uint64_t read_ = 0;
    std::uint64_t reported_ = 0;
    std::uint64_t decoded_ = 0;
    bool ended_ = false;  // the blob has no more bytes
};

}  // namespace rootfs
