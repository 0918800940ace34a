// What the fetcher is told: where the cache is, how much it may take, how patient it is. Used by
// executor/core and by tests.
#pragma once

#include "base/http/endpoint.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace executor {

struct FetcherConfig {
    std::string directory;  // of the cache, ours alone; made when missing
    std::uint64_t cache_bytes = 10'000'000'000;
    // Of one answer as it comes over the wire, and of what it unpacks to.
    std::uint64_t download_bytes = std::uint64_t{8} << 30;
    std::uint64_t unpacked_bytes = std::uint64_t{16} << 30;
    std::uint64_t upload_bytes = std::uint64_t{8} << 30;
    std::size_t archive_entries = 1'000'000;

    // https: our authorities ("" = the system's), and who we are when a server asks.
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    bool skip_verification = false;  // of such servers

    std::size_t download_attempts = 4;
    std::size_t upload_attempts = 3;
    std::size_t redirects = 10;
    std::size_t at_once = 127;  // downloads and uploads that hold a connection
    std::chrono::milliseconds first_pause{500};
    std::chrono::milliseconds longest_pause{5'000};
    std::chrono::milliseconds jitter{200};  // 0 to this more
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds idle_timeout{10'000};    // without a byte
    std::chrono::milliseconds total_timeout{600'000};  // of one attempt

    // Directories that containers of an earlier life of the daemon still have mounted: kept at the
    // start even when their record is lost, until release_unclaimed(). Those with a record need not
    // be named: hold() finds them.
    std::vector<std::string> in_use;
};

}  // namespace executor
