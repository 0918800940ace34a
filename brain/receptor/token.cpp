#include "brain/receptor/token.hpp"

#include "base/base64.hpp"
#include "base/fail.hpp"
#include "base/json.hpp"

#include <algorithm>
#include <cmath>

namespace brain::receptor {

namespace {

using base::Errc;
using base::fail;
using base::json::Document;
using base::json::Node;

constexpr std::size_t kMaxTokenDepth = 16;

base::Result<Document> parse(std::string_view json) {
    auto document = Document::parse(json, {.bytes = kMaxTokenBytes, .depth = kMaxTokenDepth});
    if (!document || !document->root().is_object())
        return fail(Errc::denied, "the token is malformed");
    return document;
}

// The three parts of the compact form; an unsigned one has an empty third.
struct Parts {
    std::string_view header, claims, signature, signed_text;
};

base::Result<Parts> split(std::string_view token) {
    const auto first = token.find('.');
    const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (token.size() > kMaxTokenBytes || second == std::string_view::npos ||
        token.find('.', second + 1) != std::string_view::npos)
        return fail(Errc::denied, "the token is malformed");
    return Parts{
            .header = token.substr(0, first),
            .claims = token.substr(first + 1, second - first - 1),
            .signature = token.substr(second + 1),
            .signed_text = token.substr(0, second)};
}

base::Result<std::string> decoded(std::string_view part) {
    auto bytes = base::decode_base64url(part);
    if (!bytes) return fail(Errc::denied, "the token is malformed");
    return bytes;
}

std::string text_of(const Node& root, std::string_view name) {
    const auto found = root.find(name);
    if (!found || !*found) return {};
    return (*found)->string().value_or(std::string());
}

struct Header {
    Algorithm algorithm = Algorithm::rs256;
    std::string key_id;
};

base::Result<Header> read_header(std::string_view json) {
    const auto document = TRY(parse(json));
    const auto root = document.root();
    const auto algorithm = parse_algorithm(text_of(root, "alg"));
    if (!algorithm) return fail(Errc::denied, "the token's algorithm is not accepted");
    // What we do not understand we may not pass over (RFC 7515 §4.1.11).
    const auto critical = root.find("crit");
    if (!critical || critical->has_value())
        return fail(Errc::denied, "the token has critical extensions");
    return Header{.algorithm = *algorithm, .key_id = text_of(root, "kid")};
}

// A date in seconds; nothing when absent.
base::Result<std::optional<double>> date_of(const Node& root, std::string_view name) {
    const auto found = TRY(root.find(name));
    if (!found) return std::optional<double>();
    const auto value = found->number();
    if (!value || !std::isfinite(*value)) return fail(Errc::denied, "the token is malformed");
    return std::optional<double>(*value);
}

// One text or a list of them.
std::vector<std::string> list_of(const Node& root, std::string_view name) {
    const auto found = root.find(name);
    if (!found || !*found) return {};
    if ((*found)->is_string()) return {(*found)->string().value_or(std::string())};
    std::vector<std::string> out;
    const auto elements = (*found)->elements();
    if (!elements) return {};
    for (const auto& element : *elements)
        if (element.is_string()) out.push_back(element.string().value_or(std::string()));
    return out;
}

std::vector<std::string> scopes_of(const Node& root) {
    std::vector<std::string> out;
    for (const std::string_view name : {"scope", "scp"})
        for (const auto& text : list_of(root, name)) {
            // "a b c" as OAuth writes it, or one element each.
            std::string_view rest = text;
            while (!rest.empty()) {
                const auto end = std::min(rest.find(' '), rest.size());
                if (end > 0) out.emplace_back(rest.substr(0, end));
                rest.remove_prefix(std::min(end + 1, rest.size()));
            }
        }
    return out;
}

}  // namespace

bool Claims::has(std::string_view scope) const {
    return std::ranges::find(scopes, scope) != scopes.end();
}

base::Result<std::unique_ptr<TokenVerifier>> TokenVerifier::create(
        const TokenSettings& settings, const base::Clock& clock) {
    if (settings.issuer.empty() || settings.audience.empty())
        return fail(
                Errc::invalid,
                "tokens: issuer and audience are required, a token for others is no token for us");
    auto keys = TRY(KeySet::create(settings, clock));
    return std::unique_ptr<TokenVerifier>(new TokenVerifier(settings, clock, std::move(keys)));
}

base::Result<Claims> TokenVerifier::verify(std::string_view token) {
    const auto parts = TRY(split(token));
    const auto header_json = TRY(decoded(parts.header));
    const auto header = TRY(read_header(header_json));
    const auto signature = TRY(decoded(parts.signature));
    const auto key = TRY(keys_->find(header.key_id, header.algorithm));
    // Nothing of the claims is looked at before the signature is.
    if (!key->verifies(parts.signed_text, signature))
        return fail(Errc::denied, "the token's signature is wrong");
    const auto claims_json = TRY(decoded(parts.claims));
    return check_claims(claims_json);
}

base::Result<Claims> TokenVerifier::check_claims(std::string_view json) const {
    const auto document = TRY(parse(json));
    const auto root = document.root();
    const double now = std::chrono::duration<double>(clock_.wall().time_since_epoch()).count();
    const auto leeway = static_cast<double>(settings_.leeway.count());
    const auto expires = TRY(date_of(root, "exp"));
    if (!expires) return fail(Errc::denied, "the token does not expire");
    if (now >= *expires + leeway) return fail(Errc::denied, "the token has expired");
    const auto not_before = TRY(date_of(root, "nbf"));
    if (not_before && now + leeway < *not_before)
        return fail(Errc::denied, "the token is not valid yet");
    if (text_of(root, "iss") != settings_.issuer)
        return fail(Errc::denied, "the token has another issuer");
    const auto audience = list_of(root, "aud");
    if (std::ranges::find(audience, settings_.audience) == audience.end())
        return fail(Errc::denied, "the token is for another audience");
    return Claims{.subject = text_of(root, "sub"), .scopes = scopes_of(root)};
}

}  // namespace brain::receptor
