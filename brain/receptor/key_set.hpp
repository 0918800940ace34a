// KeySet: the public keys of a token authority (RFC 7517), read from a file or a URL, kept for a
// while, read again when they are old or when a token names one that is not there. Used by
// TokenVerifier. Safe from any thread; one of them reads, the others go on with what is there.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "brain/receptor/settings.hpp"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/types.h>

namespace brain::receptor {

inline constexpr std::size_t kMaxKeys = 64;  // of one set; more are refused
inline constexpr std::size_t kMaxKeySetBytes = std::size_t{256} << 10;
inline constexpr int kLeastRsaBits = 2048;
inline constexpr int kMostRsaBits = 8192;  // a check must stay cheap

// No other: neither "none" nor anything with a shared secret.
enum class Algorithm : std::uint8_t { rs256, es256, eddsa };

std::optional<Algorithm> parse_algorithm(std::string_view name);

class Key {
  public:
    Key(std::string id, Algorithm algorithm, EVP_PKEY* key);

    const std::string& id() const { return id_; }

    Algorithm algorithm() const { return algorithm_; }

    // `signature` as RFC 7518 has it: for ES256 two numbers of 32 bytes.
    bool verifies(std::string_view message, std::string_view signature) const;

  private:
    struct Free {
        void operator()(EVP_PKEY* key) const;
    };

    std::string id_;
    Algorithm algorithm_;
    std::unique_ptr<EVP_PKEY, Free> key_;
};

using KeyPtr = std::shared_ptr<const Key>;

// The keys of a JWKS that sign with one of our algorithms; others are passed over.
base::Result<std::vector<KeyPtr>> parse_key_set(std::string_view json);

class KeySet {
  public:
    // Reads nothing yet. Errc::invalid: a URL that is not https (plain http for loopback only).
    static base::Result<std::unique_ptr<KeySet>> create(
            const TokenSettings& settings, const base::Clock& clock);

    // The key of that name; "" when there is exactly one of the algorithm. Errc::denied: there is
    // none; Errc::unavailable: the keys cannot be had.
    base::Result<KeyPtr> find(std::string_view id, Algorithm algorithm);

  private:
    KeySet(const TokenSettings& settings, const base::Clock& clock)
        : settings_(settings), clock_(clock) {}

    using Time = std::chrono::steady_clock::time_point;

    base::Result<std::string> fetch() const;
    KeyPtr known(std::string_view id, Algorithm algorithm) const;  // under the lock
    void refresh(std::unique_lock<std::mutex>& lock);

    const TokenSettings settings_;
    const base::Clock& clock_;
    std::mutex mutex_;
    std::condition_variable read_;
    std::vector<KeyPtr> keys_;
    std::optional<Time> tried_;  // the last read began
    std::optional<Time> good_;   // the last read that succeeded
    bool reading_ = false;
    std::string trouble_;  // of the last read
};

}  // namespace brain::receptor
