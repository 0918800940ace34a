// A key pair of a test, and images signed as cosign does it. Used by the tests of rootfs/trust.
#pragma once

#include "rootfs/image/digest.hpp"
#include "rootfs/trust/judge.hpp"

#include <map>
#include <memory>
#include <string>

#include <openssl/evp.h>

namespace signer {

enum class Algorithm { p256, rsa, ed25519, p521 };

class Key {
  public:
    explicit Key(Algorithm algorithm = Algorithm::p256);

    std::string pem() const;  // the public half
    std::string sign(const std::string& message) const;

  private:
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

std::string base64(const std::string& bytes);
// The statement that cosign signs, byte for byte in its form.
std::string statement(const std::string& reference, const std::string& digest);

// Signatures in memory, where a registry would have them.
class Shelf final : public rootfs::trust::SignatureSource {
  public:
    void add(const rootfs::Digest& image, const std::string& payload, const std::string& signature);

    base::Result<std::optional<std::string>> manifest(const std::string& tag) override;
    base::Result<std::string> blob(const rootfs::Digest& digest, std::uint64_t size) override;
    base::Result<std::optional<std::string>> lookaside(
            const std::string& base, const std::string& path) override;

    std::map<std::string, std::string> manifests;
    std::map<std::string, std::string> blobs;
    std::map<std::string, std::string> detached;  // "base/path"
    int asked = 0;
    bool down = false;

  private:
    std::map<std::string, std::string> layers_;
};

}  // namespace signer
