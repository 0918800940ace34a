// A public key of the policy and what it can say about a signature. Used by rootfs/trust/policy and
// judge. ECDSA on P-256 and P-384, RSA (PKCS 1 v1.5) and Ed25519, hashed with SHA-256 as cosign
// does (IMG-42).
#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>
#include <string_view>

#include <openssl/types.h>

namespace rootfs::trust {

inline constexpr int kLeastRsaBits = 2048;
inline constexpr int kMostRsaBits = 8192;  // a check must stay cheap
inline constexpr std::size_t kMaxKeyBytes = std::size_t{64} << 10;

class PublicKey {
  public:
    // One "PUBLIC KEY" in PEM. `what` names it in errors.
    static base::Result<PublicKey> parse(std::string_view pem, std::string_view what);

    // "sha256:…" of the key in DER: the same however the file is written.
    const std::string& id() const { return id_; }

    bool verifies(std::string_view message, std::string_view signature) const;

  private:
    struct Free {
        void operator()(EVP_PKEY* key) const;
    };

    std::unique_ptr<EVP_PKEY, Free> key_;
    std::string id_;
};

}  // namespace rootfs::trust
