// The result of staging an image: a file that Cloud Controllers and scripts read, byte for byte as
// they know it (edges 4.2). Pure. Used by builder's main(), and by whoever stages without a
// container.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lifecycle {

inline constexpr std::size_t kMaxExposedPorts = 1024;

struct ExposedPort {
    std::uint16_t port = 0;
    std::string protocol;  // "tcp", "udp"

    bool operator==(const ExposedPort&) const = default;
};

struct StagedImage {
    std::string name;  // "name:tag"
    std::vector<std::string> entrypoint;
    std::vector<std::string> cmd;
    std::string workdir;
    std::string user;
    std::vector<ExposedPort> ports;  // by number, tcp before udp
};

// From the text of an image configuration.
base::Result<StagedImage> read_staged_image(std::string name, std::string_view config);

std::string execution_metadata(const StagedImage& image);
std::string staging_result(const StagedImage& image);

}  // namespace lifecycle
