#include "executor/fetch/url.hpp"

#include "base/fail.hpp"
#include "base/http/message.hpp"
#include "executor/fetch/digests.hpp"

#include <algorithm>

namespace executor {

namespace {

using base::Errc;
using base::fail;
using base::http::Endpoint;

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

base::Result<std::string> basic(std::string_view user_information) {
    const auto colon = std::min(user_information.find(':'), user_information.size());
    auto plain = TRY(base::http::percent_decode(user_information.substr(0, colon)));
    plain += ':';
    if (colon < user_information.size())
        plain += TRY(base::http::percent_decode(user_information.substr(colon + 1)));
    return "Basic " + to_base64(plain);
}

// What a request line takes stays, everything else is escaped.
std::string clean_target(std::string_view text) {
    std::string out = text.starts_with('/') ? "" : "/";
    for (const char c : text) {
        if (c > ' ' && c < '\x7f') {
            out += c;
        } else {
            out += base::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

}  // namespace

std::string Url::host_header() const {
    const bool usual =
            endpoint.port == (endpoint.kind == Endpoint::Kind::tls ? kHttpsPort : kHttpPort);
    const auto host = endpoint.host.find(':') == std::string::npos
                              ? endpoint.host
                              : base::format("[{}]", endpoint.host);
    return usual ? host : base::format("{}:{}", host, endpoint.port);
}

std::string Url::shown() const {
    return base::format(
            "{}://{}{}", endpoint.kind == Endpoint::Kind::tls ? "https" : "http", host_header(),
            std::string_view(target).substr(0, std::min<std::size_t>(target.find('?'), 512)));
}

bool Url::same_server(const Url& other) const {
    return endpoint.kind == other.endpoint.kind && endpoint.port == other.endpoint.port &&
           base::http::equal_ignoring_case(endpoint.host, other.endpoint.host);
}

base::Result<Url> parse_url(std::string_view text) {
    if (text.size() > kMaxUrl)
        return fail(Errc::invalid, "url: {} bytes, at most {}", text.size(), kMaxUrl);
    const auto separator = text.find("://");
    const auto scheme = text.substr(0, std::min(separator, text.size()));
    const bool secure = base::http::equal_ignoring_case(scheme, "https");
    if (separator == std::string_view::npos ||
        (!secure && !base::http::equal_ignoring_case(scheme, "http")))
        return fail(Errc::invalid, "url: it does not begin with http:// or https://");
    text.remove_prefix(separator + 3);
    text = text.substr(0, text.find('#'));
    const auto slash = std::min(text.find_first_of("/?"), text.size());
    auto authority = text.substr(0, slash);
    Url url;
    url.target = clean_target(text.substr(slash));
    const auto at = authority.rfind('@');
    if (at != std::string_view::npos) {
        auto authorization = basic(authority.substr(0, at));
        if (!authorization) return fail(Errc::invalid, "url: user and password are not escaped");
        url.authorization = std::move(authorization).value();
        authority.remove_prefix(at + 1);
    }
    auto endpoint = Endpoint::parse((secure ? "tls://" : "tcp://") + std::string(authority));
    if (!endpoint || endpoint->host.empty())
        return fail(Errc::invalid, "url: the host or the port is not valid");
    url.endpoint = std::move(endpoint).value();
    if (url.endpoint.port == 0) url.endpoint.port = secure ? kHttpsPort : kHttpPort;
    return url;
}

base::Result<Url> resolve_location(const Url& base, std::string_view location) {
    const auto scheme_end = location.find("://");
    if (scheme_end != std::string_view::npos &&
        location.find_first_of("/?#") > scheme_end)  // not inside a path or query
        return parse_url(location);
    if (location.starts_with("//"))
        return parse_url(
                (base.endpoint.kind == Endpoint::Kind::tls ? "https:" : "http:") +
                std::string(location));
    if (location.empty() || location.size() > kMaxUrl)
        return fail(base::Errc::invalid, "redirect: a location of {} bytes", location.size());
    Url url = base;
    location = location.substr(0, location.find('#'));
    if (location.starts_with('/')) {
        url.target = clean_target(location);
        return url;
    }
    const auto path = base.target.substr(0, base.target.find('?'));
    if (location.starts_with('?')) {
        url.target = clean_target(path + std::string(location));
    } else {
        url.target = clean_target(path.substr(0, path.rfind('/') + 1) + std::string(location));
    }
    return url;
}

}  // namespace executor
