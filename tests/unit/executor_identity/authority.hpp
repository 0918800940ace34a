// A certificate authority of the test, made by OpenSSL into a temporary directory. Used by the
// tests of executor/identity and executor/core.
#pragma once

#include "executor/identity/identity.hpp"
#include "executor/identity/openssl.hpp"

#include <string>

namespace test {

class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    // Writes a file; its path.
    std::string file(const std::string& name, const std::string& text) const;
    std::string path;
};

struct AuthorityShape {
    std::string name = "test authority";
    std::string key = "P-256";  // or "rsa", "ed25519"
    bool is_authority = true;
    bool key_identifier = true;
    long seconds = 7 * 24 * 3600;  // of validity from now on
};

class Authority {
  public:
    explicit Authority(const AuthorityShape& shape = {});

    executor::IdentitySettings settings() const;
    // Opens it, with keys of `type`.
    executor::Identity identity(
            executor::KeyType type = executor::KeyType::ecdsa_p256,
            std::chrono::seconds validity = std::chrono::hours(24)) const;

    TemporaryDirectory directory;
    std::string certificate_file;
    std::string key_file;
    executor::X509Ptr certificate;
    executor::KeyPtr key;
};

}  // namespace test
