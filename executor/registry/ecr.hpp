// Logins of the AWS registry (executor-rep §15): what a recipe has are the keys of an account, what
// the registry takes is a token that they are exchanged for. Used by cell/main.cpp.
#pragma once

#include "base/clock.hpp"
#include "executor/registry/logins.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace executor {

struct EcrHost {
    std::string region;
    std::string api;  // "https://api.ecr.eu-west-1.amazonaws.com"
};

// Of docker://ACCOUNT.dkr.ecr.REGION.amazonaws.com/…; nothing for every other image.
std::optional<EcrHost> ecr_host(std::string_view rootfs);

class EcrLogins final : public RegistryLogins {
  public:
    struct Config {
        std::string endpoint;  // instead of AWS's own: an endpoint inside a network, a test
        std::string ca_file;   // PEM; "" = the system's
        std::chrono::milliseconds timeout{10'000};
    };

    EcrLogins(Config config, const base::Clock& clock)
        : config_(std::move(config)), clock_(clock) {}

    base::Result<Login> exchange(std::string_view rootfs, const Login& given) override;

  private:
    Config config_;
    const base::Clock& clock_;
};

}  // namespace executor
