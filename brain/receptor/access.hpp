// Access: who may call (receptor-api §9): basic authentication, bearer tokens, both as a cookie;
// and CORS. Used by the routes' front.
#pragma once

#include "base/clock.hpp"
#include "base/http/request.hpp"
#include "brain/receptor/settings.hpp"
#include "brain/receptor/token.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace brain::receptor {

inline constexpr std::string_view kCookieName = "receptor_authorization";
inline constexpr std::string_view kRealm = "API Authentication";

class Access {
  public:
    static base::Result<std::unique_ptr<Access>> create(
            const Settings& settings, const base::Clock& clock);

    // The cookie takes the place of the header, but for the request that makes a new one.
    void apply_cookie(base::http::Request& request) const;
    // What is answered instead; nothing: go on.
    std::optional<base::http::Response> refuse(const base::http::Request& request) const;
    // The answer to any OPTIONS request; nothing: CORS is off.
    std::optional<base::http::Response> preflight(const base::http::Request& request) const;
    void add_origin(const base::http::Request& request, base::http::Response& response) const;
    // Of POST /v1/auth_cookie.
    base::http::Response make_cookie(const base::http::Request& request) const;

  private:
    explicit Access(const Settings& settings) : settings_(settings) {}

    bool basic_matches(std::string_view credentials) const;
    std::optional<base::http::Response> refuse_token(
            const base::http::Request& request, std::string_view token) const;
    base::http::Response unauthorized(std::string_view reason) const;

    using Digest = std::array<unsigned char, 32>;

    const Settings settings_;
    Digest username_{};
    Digest password_{};
    std::unique_ptr<TokenVerifier> tokens_;
};

}  // namespace brain::receptor
