#include "base/http/endpoint.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"

#include <algorithm>

namespace base::http {

namespace {

// Names and addresses, with the zone of a link-local one; nothing that could mean something else
// where it is printed.
bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_:%").find(c) != std::string_view::npos;
}

Result<void> parse_authority(std::string_view text, std::string_view whole, Endpoint& endpoint) {
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos)
            return fail(Errc::invalid, "endpoint '{}': ']' is missing", whole);
        endpoint.host = text.substr(1, close - 1);
        port = text.substr(close + 1);
    } else {
        const auto colon = std::min(text.rfind(':'), text.size());
        endpoint.host = text.substr(0, colon);
        port = text.substr(colon);
    }
    if (endpoint.host == "*") endpoint.host.clear();
    if (!std::all_of(endpoint.host.begin(), endpoint.host.end(), is_host_character)) {
        return fail(
                Errc::invalid, "endpoint '{}': the host has a character that hosts must not have",
                whole);
    }
    if (port.empty()) return ok;
    if (port.front() != ':')
        return fail(Errc::invalid, "endpoint '{}': text behind the host", whole);
    endpoint.port = TRY(parse_number<std::uint16_t>(port.substr(1), "port of endpoint"));
    return ok;
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view text) {
    Endpoint endpoint;
    const auto separator = text.find("://");
    if (separator == std::string_view::npos)
        return fail(
                Errc::invalid,
                "endpoint '{}': no scheme. hint: write unix:///path, tcp://host:port or "
                "tls://host:port",
                text);
    const auto scheme = text.substr(0, separator);
    auto rest = text.substr(separator + 3);
    if (scheme == "unix") {
        if (rest.empty() || rest.front() != '/')
            return fail(Errc::invalid, "endpoint '{}': the socket path must be absolute", text);
        endpoint.path = rest;
        return endpoint;
    }
    if (scheme == "tcp" || scheme == "http") {
        endpoint.kind = Kind::tcp;
    } else if (scheme == "tls" || scheme == "https") {
        endpoint.kind = Kind::tls;
    } else {
        return fail(
                Errc::invalid, "endpoint '{}': scheme '{}' is none of unix, tcp, http, tls, https",
                text, scheme);
    }
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (scheme == "http") endpoint.port = 80;
    if (scheme == "https") endpoint.port = 443;
    TRY(parse_authority(rest, text, endpoint));
    return endpoint;
}

std::string Endpoint::text() const {
    if (kind == Kind::unix_socket) return "unix://" + path;
    const bool brackets = host.find(':') != std::string::npos;
    return fmt::format(
            "{}://{}{}{}:{}", kind == Kind::tcp ? "tcp" : "tls", brackets ? "[" : "", host,
            brackets ? "]" : "", port);
}

}  // namespace base::http
