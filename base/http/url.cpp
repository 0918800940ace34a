#include "base/http/url.hpp"

#include "base/base64.hpp"
#include "base/fail.hpp"
#include "base/http/message.hpp"

#include <algorithm>

namespace base::http {

namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

Result<std::string> basic(std::string_view user_information) {
    const auto colon = std::min(user_information.find(':'), user_information.size());
    auto plain = TRY(percent_decode(user_information.substr(0, colon))) + ":";
    if (colon < user_information.size())
        plain += TRY(percent_decode(user_information.substr(colon + 1)));
    return "Basic " + encode_base64(plain);
}

// What a request line takes stays, everything else is escaped.
std::string clean_target(std::string_view text) {
    std::string out = text.starts_with('/') ? "" : "/";
    for (const char c : text) {
        if (c > ' ' && c < '\x7f') {
            out += c;
        } else {
            out += format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

}  // namespace

std::string Url::host_header() const {
    const bool usual =
            endpoint.port == (endpoint.kind == Endpoint::Kind::tls ? kHttpsPort : kHttpPort);
    const auto host = endpoint.host.find(':') == std::string::npos ? endpoint.host
                                                                   : "[" + endpoint.host + "]";
    return usual ? host : format("{}:{}", host, endpoint.port);
}

std::string Url::shown() const {
    return format(
            "{}://{}{}", endpoint.kind == Endpoint::Kind::tls ? "https" : "http", host_header(),
            std::string_view(target).substr(0, std::min<std::size_t>(target.find('?'), 512)));
}

Result<Url> parse_url(std::string_view text) {
    if (text.size() > kMaxUrl)
        return fail(Errc::invalid, "{} bytes, the limit is {}", text.size(), kMaxUrl);
    const auto separator = std::min(text.find("://"), text.size());
    const bool secure = equal_ignoring_case(text.substr(0, separator), "https");
    if (!secure && !equal_ignoring_case(text.substr(0, separator), "http"))
        return fail(Errc::invalid, "it does not begin with http:// or https://");
    text.remove_prefix(std::min(separator + 3, text.size()));
    text = text.substr(0, text.find('#'));
    const auto slash = std::min(text.find_first_of("/?"), text.size());
    auto authority = text.substr(0, slash);
    Url url;
    url.target = clean_target(text.substr(slash));
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        auto authorization = basic(authority.substr(0, at));
        if (!authorization) return fail(Errc::invalid, "user and password are not escaped");
        url.authorization = std::move(authorization).value();
        authority.remove_prefix(at + 1);
    }
    auto endpoint = Endpoint::parse((secure ? "tls://" : "tcp://") + std::string(authority));
    if (!endpoint || endpoint->host.empty())
        return fail(Errc::invalid, "the host or the port is not valid");
    url.endpoint = std::move(endpoint).value();
    if (url.endpoint.port == 0) url.endpoint.port = secure ? kHttpsPort : kHttpPort;
    return url;
}

}  // namespace base::http
