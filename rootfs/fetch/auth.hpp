// Who we are to a registry: credentials, challenges and bearer tokens. Used by
// rootfs/fetch/registry.cpp.
#pragma once

#include "base/result.hpp"
#include "rootfs/fetch/http_client.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace rootfs {

struct Credentials {
    std::string username;
    std::string password;

    bool empty() const { return username.empty() && password.empty(); }

    std::string basic() const;  // the value of an Authorization header
};

struct Challenge {
    std::string scheme;                             // lower case: "bearer", "basic"
    std::map<std::string, std::string> parameters;  // realm, service, scope, error
};

base::Result<Challenge> parse_challenge(std::string_view header);

// The token in the answer of a realm: "token" or "access_token", and how long it is good for.
struct Token {
    std::string value;
    std::chrono::seconds lifetime{60};
};

base::Result<Token> parse_token(std::string_view body);

// Remembers tokens until they end. A token is bound to registry, repository and credentials
// (IMG-05).
class TokenCache {
  public:
    std::string find(const std::string& key);  // the Authorization value, "" = none
    void keep(const std::string& key, std::string authorization, std::chrono::seconds lifetime);
    void drop(const std::string& key);

  private:
    struct Kept {
        std::string authorization;
        std::chrono::steady_clock::time_point end;
    };

    std::mutex mutex_;
    std::map<std::string, Kept> kept_;
};

// The Authorization value that answers `challenge` of a registry at `registry_url`.
// `private_network`: the registry itself is in one, so its realm may be too.
struct AuthRequest {
    std::string registry_url;
    std::string scope;  // used when the challenge names none
    bool private_network = false;
};

base::Result<Token> answer(
        const Challenge& challenge,
        const AuthRequest& request,
        const Credentials& credentials,
        HttpClient& client,
        const Cancelled& cancelled);

}  // namespace rootfs
