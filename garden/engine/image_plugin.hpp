// A Garden image plugin (garden-behaviours C.8, as grootfs): a program of the operator's that makes
// root file systems instead of the built-in images. Used by garden/engine when one is configured.
#pragma once

#include "base/result.hpp"
#include "garden/plan/container_spec.hpp"
#include "rootfs/volumes.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace garden {

struct ImagePluginConfig {
    struct Program {
        std::string path;  // absolute
        std::vector<std::string> arguments;
    };

    Program unprivileged;  // path "": none, the built-in images
    Program privileged;    // path "": the same as for unprivileged containers
    std::chrono::milliseconds deadline{3'600'000};     // of create: it pulls
    std::chrono::milliseconds short_deadline{60'000};  // of everything else
};

// Every call runs the program once and blocks. Errors name the action and carry the end of what it
// complained.
class ImagePlugin {
  public:
    explicit ImagePlugin(ImagePluginConfig config);

    struct Request {
        Handle handle;
        ImageSpec image;  // with credentials
        std::uint64_t disk_bytes = 0;
        DiskScope disk_scope = DiskScope::total;
        bool privileged = false;
    };

    struct Made {
        std::string root;              // a directory of the host
        std::vector<std::string> env;  // of the image
        std::vector<BindMountSpec> mounts;
    };

    base::Result<Made> create(const Request& request) const;
    // Of both programs: which one made it is not kept by Garden either. Idempotent, as they must
    // be.
    base::Result<void> destroy(const Handle& handle) const;
    base::Result<rootfs::Usage> usage(const Handle& handle, bool privileged) const;
    base::Result<std::uint64_t> capacity() const;  // bytes that may be promised to containers

  private:
    const ImagePluginConfig::Program& program(bool privileged) const {
        return privileged ? config_.privileged : config_.unprivileged;
    }

    base::Result<std::string> call(
            const ImagePluginConfig::Program& program,
            std::vector<std::string> words,
            std::chrono::milliseconds deadline) const;

    ImagePluginConfig config_;
};

// The runtime configuration that create prints: bounded, and wrong members are refused. Only the
// members root.path, process.env and mounts are looked at. Public for tests.
base::Result<ImagePlugin::Made> parse_made(std::string_view text);

}  // namespace garden
