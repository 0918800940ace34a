#include "brain/receptor/access.hpp"

#include "base/base64.hpp"
#include "base/fail.hpp"
#include "brain/receptor/errors.hpp"

#include <algorithm>

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace brain::receptor {

using base::http::Request;
using base::http::Response;

namespace {

constexpr std::size_t kMaxCredentials = 4 * 1024;  // of basic authentication, in base64

// Digests of equal length: neither where two texts differ nor how long they are shows in the time.
std::array<unsigned char, 32> digest_of(std::string_view text) {
    std::array<unsigned char, 32> out{};
    (void)::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
    return out;
}

// What stands behind "Basic " or "Bearer "; the word has no case.
std::optional<std::string_view> credentials_of(std::string_view header, std::string_view scheme) {
    if (header.size() <= scheme.size() || header[scheme.size()] != ' ' ||
        !base::http::equal_ignoring_case(header.substr(0, scheme.size()), scheme))
        return std::nullopt;
    header.remove_prefix(scheme.size());
    return header.substr(std::min(header.find_first_not_of(' '), header.size()));
}

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

std::optional<std::string> cookie_of(const Request& request) {
    for (const auto& [name, line] : request.headers) {
        if (!base::http::equal_ignoring_case(name, "Cookie")) continue;
        for (std::string_view rest = line; !rest.empty();) {
            const auto end = std::min(rest.find(';'), rest.size());
            const auto pair = trimmed(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
            const auto equals = pair.find('=');
            if (pair.substr(0, equals) != kCookieName || equals == std::string_view::npos) continue;
            auto value = trimmed(pair.substr(equals + 1));
            if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
                value = value.substr(1, value.size() - 2);
            return std::string(value);
        }
    }
    return std::nullopt;
}

// A cookie's value may hold neither a separator nor a quote.
bool fits_cookie(std::string_view value) {
    return std::ranges::all_of(value, [](char c) {
        return c >= ' ' && c <= '~' && c != '"' && c != ';' && c != ',' && c != '\\';
    });
}

bool is_cookie_route(const Request& request) {
    return request.path == "/v1/auth_cookie";
}

}  // namespace

base::Result<std::unique_ptr<Access>> Access::create(
        const Settings& settings, const base::Clock& clock) {
    std::unique_ptr<Access> access(new Access(settings));
    if (settings.username.empty() && !settings.password.empty())
        return base::fail(base::Errc::invalid, "a password without a username protects nothing");
    access->username_ = digest_of(settings.username);
    access->password_ = digest_of(settings.password);
    if (!settings.tokens.keys.empty())
        access->tokens_ = TRY(TokenVerifier::create(settings.tokens, clock));
    return access;
}

void Access::apply_cookie(Request& request) const {
    auto cookie = cookie_of(request);
    if (!cookie || (is_cookie_route(request) && request.headers.has("Authorization"))) return;
    request.headers.set("Authorization", std::move(*cookie));
}

bool Access::basic_matches(std::string_view credentials) const {
    if (credentials.size() > kMaxCredentials) return false;
    const auto plain = base::decode_base64(credentials);
    if (!plain) return false;
    const auto colon = plain->find(':');
    if (colon == std::string::npos) return false;
    const auto username = digest_of(std::string_view(*plain).substr(0, colon));
    const auto password = digest_of(std::string_view(*plain).substr(colon + 1));
    // Both in every case.
    const int user_differs = ::CRYPTO_memcmp(username.data(), username_.data(), username.size());
    const int password_differs =
            ::CRYPTO_memcmp(password.data(), password_.data(), password.size());
    return (user_differs | password_differs) == 0;
}

Response Access::unauthorized(std::string_view reason) const {
    auto response = receptor::refuse(kUnauthorized, "Unauthorized");
    if (!settings_.username.empty())
        response.headers.add("WWW-Authenticate", base::format("Basic realm=\"{}\"", kRealm));
    if (tokens_)
        response.headers.add(
                "WWW-Authenticate",
                reason.empty() ? base::format("Bearer realm=\"{}\"", kRealm)
                               : base::format(
                                         "Bearer realm=\"{}\", error=\"invalid_token\", "
                                         "error_description=\"{}\"",
                                         kRealm, reason));
    return response;
}

std::optional<Response> Access::refuse_token(const Request& request, std::string_view token) const {
    const auto claims = tokens_->verify(token);
    if (!claims && claims.error().kind == base::Errc::denied)
        return unauthorized(claims.error().text);
    if (!claims) return unknown(claims.error());
    const auto& write = settings_.tokens.write_scope;
    const auto& read = settings_.tokens.read_scope;
    // A cookie by itself changes nothing.
    const bool reads = request.method == "GET" || is_cookie_route(request);
    if (write.empty() && !reads) return std::nullopt;
    if (reads && (read.empty() || claims->has(read))) return std::nullopt;
    if (!write.empty() && claims->has(write)) return std::nullopt;
    auto response = receptor::refuse(
            kUnauthorized, base::format("the token has no scope '{}'", reads ? read : write));
    response.status = 403;
    response.headers.add(
            "WWW-Authenticate",
            base::format(
                    "Bearer realm=\"{}\", error=\"insufficient_scope\", scope=\"{}\"", kRealm,
                    reads ? read : write));
    return response;
}

std::optional<Response> Access::refuse(const Request& request) const {
    if (settings_.username.empty() && !tokens_) return std::nullopt;
    const auto header = request.headers.get("Authorization");
    if (const auto basic = credentials_of(header, "Basic");
        basic && !settings_.username.empty() && basic_matches(*basic))
        return std::nullopt;
    if (const auto token = credentials_of(header, "Bearer"); token && tokens_)
        return refuse_token(request, *token);
    return unauthorized("");
}

std::optional<Response> Access::preflight(const Request& request) const {
    if (!settings_.cors || request.method != "OPTIONS") return std::nullopt;
    Response response{.status = 200};
    const auto echo = [&](std::string_view asked, std::string_view allowed) {
        const auto value = request.headers.get(asked);
        if (!value.empty()) response.headers.set(std::string(allowed), std::string(value));
    };
    echo("Access-Control-Request-Method", "Access-Control-Allow-Methods");
    echo("Access-Control-Request-Headers", "Access-Control-Allow-Headers");
    return response;
}

void Access::add_origin(const Request& request, Response& response) const {
    if (!settings_.cors) return;
    response.headers.add("Vary", "Origin");
    const std::string origin(request.headers.get("Origin"));
    const auto& allowed = settings_.cors_origins;
    const bool listed = allowed.empty() || std::ranges::find(allowed, origin) != allowed.end();
    if (origin.empty() || origin == "*" || !listed || !base::http::is_header_value(origin)) return;
    response.headers.set("Access-Control-Allow-Origin", origin);
    response.headers.set("Access-Control-Allow-Credentials", "true");
}

Response Access::make_cookie(const Request& request) const {
    Response response{.status = 204};
    const auto value = request.headers.get("Authorization");
    if (value.empty()) return response;
    if (!fits_cookie(value))
        return receptor::refuse(kInvalidRequest, "Authorization does not fit into a cookie");
    response.headers.set(
            "Set-Cookie", base::format(
                                  "{}={}; HttpOnly{}", kCookieName, value,
                                  settings_.secure_cookie ? "; Secure" : ""));
    return response;
}

}  // namespace brain::receptor
