// Digests: their spelling, and hashing while bytes stream by (IMG-02). Used by everything in rootfs
// that names content. SHA-256 and SHA-512 only.
#pragma once

#include "base/fd.hpp"
#include "base/named.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rootfs {

// "sha256:<64 hex>" or "sha512:<128 hex>", lower case; safe as part of a path once the colon is
// handled.
using Digest = base::Named<struct DigestTag, std::string>;

base::Result<Digest> parse_digest(std::string_view text);
std::string_view algorithm_of(const Digest& digest);  // "sha256"
std::string_view hex_of(const Digest& digest);

class Hasher {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
  public:
    // Of the algorithm that `digest` uses; SHA-256 when it is empty.
    explicit Hasher(const Digest& digest = Digest{});
    Hasher(Hasher&&) noexcept;
    Hasher& operator=(Hasher&&) noexcept;
    ~Hasher();

    void update(std::string_view data);
    Digest finish();  // the hasher starts anew

  private:
    struct State;
    std::unique_ptr<State> state_;
};

Digest sha256(std::string_view data);
std::string to_hex(std::string_view bytes);
// HMAC-SHA-256 as hex: how the store remembers who may use an image without remembering a password.
std::string keyed_hash(std::string_view key, std::string_view data);

}  // namespace rootfs
