#include "rootfs/fetch/auth.hpp"

#include "base/fail.hpp"
#include "rootfs/fetch/url.hpp"
#include "rootfs/image/json.hpp"

#include <algorithm>

#include <openssl/evp.h>

namespace rootfs {

namespace {

constexpr std::size_t kMaxChallenge = 8 << 10;
constexpr std::size_t kMaxTokenAnswer = 1 << 20;
constexpr std::size_t kMaxToken = 64 << 10;
constexpr std::size_t kKeptTokens = 1000;
constexpr std::chrono::seconds kLongestKept{3600};
constexpr std::chrono::seconds kMargin{10};  // a token must not end on its way

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string base64(std::string_view text) {
    std::string out((text.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(
            reinterpret_cast<unsigned char*>(out.data()),
            reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

std::string_view skip_space(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == ','))
        text.remove_prefix(1);
    return text;
}

// One value: a quoted string with backslash escapes, or a word. `text` moves behind it.
std::string take_value(std::string_view& text) {
    std::string value;
    if (!text.starts_with('"')) {
        const auto end = std::min(text.find(','), text.size());
        value = text.substr(0, end);
        text.remove_prefix(end);
        return value;
    }
    text.remove_prefix(1);
    while (!text.empty() && text.front() != '"') {
        if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
        value += text.front();
        text.remove_prefix(1);
    }
    if (!text.empty()) text.remove_prefix(1);
    return value;
}

bool printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

std::string Credentials::basic() const {
    return "Basic " + base64(username + ":" + password);
}

base::Result<Challenge> parse_challenge(std::string_view header) {
    if (header.size() > kMaxChallenge) {
        return base::fail(
                base::Errc::exhausted, "the WWW-Authenticate header exceeds {} bytes",
                kMaxChallenge);
    }
    Challenge out;
    header = skip_space(header);
    const auto space = std::min(header.find(' '), header.size());
    for (const char c : header.substr(0, space)) out.scheme += lower(c);
    if (out.scheme.empty())
        return base::fail(base::Errc::denied, "the registry asks for credentials but not how");
    header = skip_space(header.substr(space));
    while (!header.empty()) {
        const auto equals = header.find('=');
        if (equals == std::string_view::npos) break;
        std::string name;
        for (const char c : header.substr(0, equals)) name += lower(c);
        header.remove_prefix(equals + 1);
        out.parameters[name] = take_value(header);
        header = skip_space(header);
    }
    return out;
}

base::Result<Token> parse_token(std::string_view body) {
    const Json document = TRY(parse_json(body, "token answer"));
    if (!document.is_object())
        return base::fail(base::Errc::corrupt, "token answer must be an object");
    Token out;
    out.value = TRY(text_member(document, "token", "token answer"));
    if (out.value.empty()) out.value = TRY(text_member(document, "access_token", "token answer"));
    if (out.value.empty()) return base::fail(base::Errc::denied, "token answer has no token");
    if (out.value.size() > kMaxToken || !printable(out.value)) {
        return base::fail(
                base::Errc::corrupt, "token answer has a token that is too long or not printable");
    }
    if (member(document, "expires_in") != nullptr) {
        const auto seconds = TRY(size_member(document, "expires_in", "token answer"));
        out.lifetime = std::chrono::seconds(std::min<std::uint64_t>(seconds, 86'400));
    }
    return out;
}

std::string TokenCache::find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(key);
    if (found == kept_.end()) return {};
    if (found->second.end > std::chrono::steady_clock::now()) return found->second.authorization;
    kept_.erase(found);
    return {};
}

void TokenCache::keep(
        const std::string& key, std::string authorization, std::chrono::seconds lifetime) {
    lifetime = std::min(lifetime - kMargin, kLongestKept);
    if (lifetime <= std::chrono::seconds(0)) return;
    const std::lock_guard lock(mutex_);
    if (kept_.size() >= kKeptTokens) kept_.clear();  // each is one request away
    kept_[key] =
            Kept{.authorization = std::move(authorization),
                 .end = std::chrono::steady_clock::now() + lifetime};
}

void TokenCache::drop(const std::string& key) {
    const std::lock_guard lock(mutex_);
    kept_.erase(key);
}

base::Result<Token> answer(
        const Challenge& challenge,
        const AuthRequest& request,
        const Credentials& credentials,
        HttpClient& client,
        const Cancelled& cancelled) {
    if (challenge.scheme == "basic") {
        if (credentials.empty())
            return base::fail(base::Errc::denied, "the registry asks for a user name and password");
        return Token{.value = credentials.basic(), .lifetime = kLongestKept};
    }
    if (challenge.scheme != "bearer") {
        return base::fail(
                base::Errc::unsupported, "the registry asks for the unknown way '{}'",
                challenge.scheme.substr(0, 32));
    }
    const auto get = [&challenge](const char* name) {
        const auto found = challenge.parameters.find(name);
        return found == challenge.parameters.end() ? std::string{} : found->second;
    };
    const auto realm = TRY(resolve_url(request.registry_url, get("realm")).context("token realm"));
    // A password never leaves TLS for plain text.
    if (request.registry_url.starts_with("https://") && !realm.starts_with("https://")) {
        return base::fail(
                base::Errc::denied, "the token realm '{}' is not https", realm.substr(0, 200));
    }
    std::string url = realm;
    const auto add = [&url](const char* name, const std::string& value) {
        if (value.empty()) return;
        url += (url.find('?') == std::string::npos ? "?" : "&") + std::string(name) + "=" +
               escape_query(value);
    };
    add("service", get("service"));
    add("scope", get("scope").empty() ? request.scope : get("scope"));
    const HttpRequest ask{
            .url = url,
            .authorization = credentials.empty() ? std::string{} : credentials.basic(),
            .body_limit = kMaxTokenAnswer,
            .private_network = request.private_network};
    const auto response = TRY(client.send(ask, cancelled));
    if (response.status == 401 || response.status == 403) {
        return base::fail(
                base::Errc::denied, "the token server refused the credentials (status {})",
                response.status);
    }
    if (response.status != 200) {
        return base::fail(
                base::Errc::unavailable, "the token server answered with status {}",
                response.status);
    }
    auto token = TRY(parse_token(response.body));
    token.value = "Bearer " + token.value;
    return token;
}

}  // namespace rootfs
