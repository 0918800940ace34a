// All registries of the configuration: which host a reference means, its mirrors, plain HTTP by
// explicit list. Used by rootfs/images.cpp. Shares connections and tokens between pulls. Safe from
// any thread.
#pragma once

#include "base/result.hpp"
#include "rootfs/fetch/http_client.hpp"
#include "rootfs/fetch/registry.hpp"
#include "rootfs/image/reference.hpp"
#include "rootfs/images.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rootfs {

struct RegistryTarget {
    std::string name;  // the canonical name of the image
    Reference reference;
    std::vector<Endpoint> mirrors;  // tried first, without credentials (IMG-05)
    Endpoint home;
};

struct RegistryPull {
    std::unique_ptr<RegistrySource> source;  // the one that answered: it delivers the layers too
    Resolved resolved;
};

class Registries {
  public:
    static base::Result<std::unique_ptr<Registries>> open(const ImagesConfig& config);

    base::Result<RegistryTarget> target(const Reference& reference) const;
    // What the reference names now. `hurried`: a copy is here, so one repetition must do.
    base::Result<Digest> current(
            const RegistryTarget& target,
            const Credentials& credentials,
            bool hurried,
            const Cancelled& cancelled);
    base::Result<RegistryPull> resolve(
            const RegistryTarget& target,
            const Credentials& credentials,
            const Cancelled& cancelled);

    // Every place that may have the image and its signatures, in the order they are asked.
    std::vector<std::unique_ptr<RegistrySource>> places(
            const RegistryTarget& target, const Credentials& credentials) {
        return sources(target, credentials, false);
    }

    // A registry that just did not answer is not asked again at once by those who have a copy.
    bool seems_down(const Endpoint& home);
    void note_down(const Endpoint& home);

  private:
    Registries(const ImagesConfig& config, Endpoint standard);
    std::vector<std::unique_ptr<RegistrySource>> sources(
            const RegistryTarget& target, const Credentials& credentials, bool hurried);

    HttpClient client_;
    TokenCache tokens_;
    RetryPolicy retry_;
    Endpoint standard_;
    std::vector<Endpoint> mirrors_;
    std::vector<std::string> insecure_;
    std::mutex mutex_;
    std::map<std::string, std::chrono::steady_clock::time_point> down_until_;
};

// For errors after which another place, or the copy that is here, may be tried.
bool is_out_of_reach(const base::Error& error);

}  // namespace rootfs
