// TokenVerifier: whether a bearer token (a signed JWT) is good now, and what it allows (RFC 7519,
// 8725). Used by Access.
#pragma once

#include "brain/receptor/key_set.hpp"

namespace brain::receptor {

inline constexpr std::size_t kMaxTokenBytes = 16 * 1024;

struct Claims {
    std::string subject;
    std::vector<std::string> scopes;

    bool has(std::string_view scope) const;
};

class TokenVerifier {
  public:
    static base::Result<std::unique_ptr<TokenVerifier>> create(
            const TokenSettings& settings, const base::Clock& clock);

    // Errc::denied says why in a few fixed words, never with parts of the token; Errc::unavailable:
    // the keys cannot be had.
    base::Result<Claims> verify(std::string_view token);

  private:
    TokenVerifier(
            const TokenSettings& settings, const base::Clock& clock, std::unique_ptr<KeySet> keys)
        : settings_(settings), clock_(clock), keys_(std::move(keys)) {}

    base::Result<Claims> check_claims(std::string_view json) const;

    const TokenSettings settings_;
    const base::Clock& clock_;
    const std::unique_ptr<KeySet> keys_;
};

}  // namespace brain::receptor
