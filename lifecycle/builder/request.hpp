// What builder was asked for: which image of which registry, and where the answer goes (edges 4.2).
// Pure. Used by its main().
#pragma once

#include "base/result.hpp"
#include "rootfs/fetch/auth.hpp"
#include "rootfs/image/reference.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lifecycle {

inline constexpr std::size_t kMaxInsecureRegistries = 64;

// "name:tag", "registry.example:5000/team/name:tag", "name@sha256:…" as people write them.
struct ImageName {
    rootfs::Reference reference;
    std::string shown;  // "name:tag", with its registry unless that is Docker's own
};

base::Result<ImageName> parse_image_name(std::string_view text);

// "host:port" without a scheme, the port is mandatory: Errc::invalid otherwise.
base::Result<std::vector<std::string>> parse_insecure_registries(std::string_view list);

struct BuildRequest {
    ImageName image;
    std::string result_file = "/tmp/result/result.json";
    std::vector<std::string> insecure_registries;
    rootfs::Credentials credentials;
};

// Nothing when help was asked for.
base::Result<std::optional<BuildRequest>> parse_build_request(
        std::span<const char* const> arguments);
std::string build_usage();

}  // namespace lifecycle
