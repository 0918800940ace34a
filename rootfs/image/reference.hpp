// Image references: from a root file system URI (garden-api 5.1) to what it names. Pure; used by
// rootfs/images.cpp.
#pragma once

#include "base/result.hpp"
#include "rootfs/image/digest.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rootfs {

enum class Source : std::uint8_t {
    registry,        // docker://host/name:tag@digest, docker:///name#tag
    oci_layout,      // oci:///dir[:tag]
    oci_archive,     // oci-archive:/file[:tag]
    docker_archive,  // docker-archive:/file[:name:tag]
    local,           // /file.tar or /dir: the disk says which
    preloaded,       // preloaded:NAME
    raw,             // raw:///dir
    layered,         // preloaded+layer:/base?layer=URL&layer_path=DIR&layer_digest=HEX
};

struct Reference {
    Source source = Source::local;
    std::string host;        // registry: "host[:port]"; "" = the configured default registry
    std::string repository;  // registry: "library/busybox" is added by the client where a registry
                             // wants it
    std::string tag;  // registry: "latest" when neither tag nor digest is given; archives: "" = the
                      // only image
    Digest digest;    // registry: what the content must hash to; "" = whatever the tag names
    std::string path;  // all but registry and preloaded: absolute host path
    std::string name;  // preloaded
    // layered: `path` is the base's, `digest` the layer's
    std::string layer_url;
    std::string layer_path;  // in the container, without the first '/'; "" = its root

    bool operator==(const Reference&) const = default;
};

inline constexpr std::size_t kMaxReference = 4096;
inline constexpr std::size_t kMaxRepository = 255;
inline constexpr std::size_t kMaxLayerDepth = 32;  // directories of a layer_path
inline constexpr std::string_view kLayeredScheme = "preloaded+layer:";
inline constexpr std::size_t kMaxTag = 128;

base::Result<Reference> parse_reference(std::string_view uri);

// "host[:port]" or "http(s)://host[:port]" of the configuration: where a registry lives.
struct Endpoint {
    std::string host;         // "host:port" as written, lower case
    bool plain_http = false;  // only by explicit configuration, never by fallback (IMG-01)

    std::string url() const { return (plain_http ? "http://" : "https://") + host; }

    bool operator==(const Endpoint&) const = default;
};

base::Result<Endpoint> parse_endpoint(std::string_view text, std::string_view what);

// One spelling for all ways to write the same registry image: "docker://host/name:tag" or
// "docker://host/name@digest".
std::string canonical_name(const Reference& reference, const Endpoint& registry);
// Docker's own registry keeps its official images below "library/" and answers under several names.
std::string remote_repository(const Reference& reference, const Endpoint& registry);

}  // namespace rootfs
