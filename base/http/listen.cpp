#include "base/http/listen.hpp"

#include "base/fail.hpp"

namespace base::http {

namespace {

bool loopback(const Endpoint& endpoint) {
    return endpoint.host == "localhost" || endpoint.host == "::1" ||
           endpoint.host.starts_with("127.");
}

}  // namespace

Result<mode_t> parse_socket_mode(std::string_view text, std::string_view key) {
    mode_t mode = 0;
    if (text.empty() || text.size() > 4)
        return fail(Errc::invalid, "{}: '{}' is not octal", key, text);
    for (const char c : text) {
        if (c < '0' || c > '7') return fail(Errc::invalid, "{}: '{}' is not octal", key, text);
        mode = mode * 8 + static_cast<mode_t>(c - '0');
    }
    return mode;
}

Result<std::vector<Endpoint>> listen_endpoints(
        const std::vector<std::string>& texts, const ListenPolicy& policy, std::string_view key) {
    std::vector<Endpoint> endpoints;
    for (const auto& text : texts) {
        auto endpoint = TRY(Endpoint::parse(text).context(key));
        endpoint.mode = policy.socket_mode;
        if (endpoint.kind == Endpoint::Kind::tcp && !loopback(endpoint) && !policy.plain_tcp)
            return fail(
                    Errc::invalid,
                    "{}: {}: plain TCP beyond loopback; hint: tls://, or {}plain_tcp", key, text,
                    policy.prefix);
        if (endpoint.kind == Endpoint::Kind::tls) {
            const auto& tls = policy.tls;
            if (tls.certificate.empty() || tls.key.empty() ||
                (tls.require_client_certificate && tls.ca.empty()))
                return fail(
                        Errc::invalid,
                        "{0}: {1}: {2}tls_certificate, {2}tls_key and {2}tls_client_ca are needed",
                        key, text, policy.prefix);
            endpoint.tls = tls;
        }
        endpoints.push_back(std::move(endpoint));
    }
    return endpoints;
}

}  // namespace base::http
