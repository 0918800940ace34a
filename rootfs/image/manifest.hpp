// Manifests, indexes and image configurations: Docker schema 2 and OCI v1, parsed strictly (IMG-03,
// IMG-04, IMG-07). Pure. Used by rootfs/fetch (sources) and rootfs/pull.cpp. Foreign bytes: fuzzed
// in tests/fuzz.
#pragma once

#include "base/result.hpp"
#include "rootfs/image/digest.hpp"
#include "rootfs/images.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs {

inline constexpr std::size_t kMaxManifest = std::size_t{4} << 20;
inline constexpr std::size_t kMaxConfig = std::size_t{8} << 20;
inline constexpr std::size_t kMaxLayers = 127;
inline constexpr std::size_t kMaxIndexEntries = 1000;
inline constexpr int kMaxIndexDepth = 2;
inline constexpr std::uint64_t kMaxImageBytes = std::uint64_t{64} << 30;
inline constexpr std::size_t kMaxConfigStrings = 10'000;  // env, entrypoint and cmd together

enum class Packing : std::uint8_t { none, gzip, zstd, unknown };  // unknown: the first bytes say it

struct Descriptor {
    std::string media_type;
    Digest digest;
    std::uint64_t size = 0;
    Packing packing = Packing::unknown;  // layers only
    std::string member;                  // docker archives only: where in the archive
};

struct Platform {
    std::string os = "linux";
    std::string architecture;  // Go's words: amd64, arm64
    std::string variant;       // "v8"; "" = any

    std::string text() const {
        return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
    }
};

Platform this_platform();

struct IndexEntry {
    Descriptor manifest;
    Platform platform;  // architecture "" = not said
    std::string name;   // annotation org.opencontainers.image.ref.name: picks an image in a layout,
                        // nothing else
};

struct Manifest {
    Descriptor config;
    std::vector<Descriptor> layers;  // lowest first
};

// Exactly one of both: a document that is manifest and index at once is refused (CVE-2021-41190).
struct Document {
    bool is_index = false;
    std::string media_type;
    Manifest manifest;
    std::vector<IndexEntry> entries;
};

// `transport_type`: Content-Type of the answer, or media type of the descriptor that led here; "" =
// not known.
base::Result<Document> parse_document(std::string_view body, std::string_view transport_type);
// The entry for `platform`; an error lists what there is.
base::Result<IndexEntry> choose(const std::vector<IndexEntry>& entries, const Platform& platform);

struct ParsedConfig {
    ImageConfig config;
    std::vector<Digest> diff_ids;
    Platform platform;
};

base::Result<ParsedConfig> parse_config(std::string_view body);
// What binds the two: as many diff ids as layers, and a platform that this machine can run.
base::Result<void> check_pair(
        const Manifest& manifest, const ParsedConfig& config, const Platform& platform);

// The Accept header of a manifest request.
std::string_view accepted_media_types();

}  // namespace rootfs
