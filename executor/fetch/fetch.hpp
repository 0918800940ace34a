// Fetcher: downloads and uploads of steps and cached dependencies (executor-rep §5.4, §5.5, §9).
// Every call blocks and is made on a worker thread; a stop token breaks it off within a second.
// Used by the download and upload steps and by executor/core.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "executor/api/action.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace executor {

struct FetchRequest {
    std::string url;
    std::string cache_key;           // "": nothing is kept
    std::string checksum_algorithm;  // "", md5, sha1, sha256
    std::string checksum_value;
};

// An uncompressed tar, held in the cache (or alone) until this is destroyed.
struct FetchedTar {
    base::Fd file;
    std::uint64_t size = 0;        // of the tar
    std::uint64_t downloaded = 0;  // bytes over the wire; 0 = served from the cache
    bool from_cache = false;
    std::shared_ptr<void> hold;  // owners: this and the cache's entry; keeps it from eviction
};

// A directory in the cache, extracted, to be bind-mounted read-only.
struct FetchedDirectory {
    std::string path;
    std::uint64_t size = 0;
    std::uint64_t downloaded = 0;
    bool from_cache = false;
    std::shared_ptr<void> hold;
};

struct UploadRequest {
    std::string url;
    std::string artifact;  // for messages
    // The tar stream out of the container; its first regular file is the payload.
    std::function<base::Result<std::size_t>(std::span<char>)> tar;
};

class Fetcher {
  public:
    virtual ~Fetcher() = default;
    virtual base::Result<FetchedTar> tar(const FetchRequest& request, std::stop_token stop) = 0;
    // Needs a cache key and an answer that can be kept (ETag or Last-Modified).
    virtual base::Result<FetchedDirectory> directory(
            const FetchRequest& request, std::stop_token stop) = 0;

    // After a restart: the hold of a directory that a container of an earlier life still has
    // mounted; nothing when the cache does not know it. Once every container has its holds, what is
    // left of them may go.
    virtual std::shared_ptr<void> hold(std::string_view directory) {
        (void)directory;
        return {};
    }

    virtual void release_unclaimed() {}

    // Bytes sent. The error's text is what the user sees ("Failed to … for ARTIFACT") and never
    // holds the URL; Errc::unavailable = the POST failed (not emittable).
    virtual base::Result<std::uint64_t> upload(UploadRequest request, std::stop_token stop) = 0;
};

}  // namespace executor
