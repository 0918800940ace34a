#include "brain/receptor/key_set.hpp"

#include "base/fail.hpp"
#include "base/http/client.hpp"
#include "base/http/url.hpp"
#include "base/sys/file.hpp"

#include <algorithm>

namespace brain::receptor {

namespace {

constexpr std::chrono::seconds kFetchTimeout{5};

bool is_file(std::string_view place) {
    return place.starts_with('/');
}

}  // namespace

base::Result<std::unique_ptr<KeySet>> KeySet::create(
        const TokenSettings& settings, const base::Clock& clock) {
    if (!is_file(settings.keys)) {
        const auto url = TRY(base::http::parse_url(settings.keys).context("tokens: keys"));
        const auto& host = url.endpoint.host;
        const bool loopback = host == "127.0.0.1" || host == "::1" || host == "localhost";
        // Who can change the keys on their way can make any token.
        if (url.endpoint.kind != base::http::Endpoint::Kind::tls && !loopback)
            return base::fail(base::Errc::invalid, "tokens: keys from {} need https", url.shown());
    }
    return std::unique_ptr<KeySet>(new KeySet(settings, clock));
}

base::Result<std::string> KeySet::fetch() const {
    if (is_file(settings_.keys))
        return base::sys::read_host_file(settings_.keys.c_str(), kMaxKeySetBytes);
    auto url = TRY(base::http::parse_url(settings_.keys));
    url.endpoint.tls = settings_.tls;
    base::http::Client client({.endpoint = url.endpoint, .idle_connections = 0});
    base::http::ClientRequest request;
    request.target = url.target;
    request.headers.set("Host", url.host_header());
    if (!url.authorization.empty()) request.headers.set("Authorization", url.authorization);
    request.timeout = kFetchTimeout;
    auto answer = TRY(client.call(std::move(request), kMaxKeySetBytes));
    if (answer.status != 200)
        return base::fail(base::Errc::unavailable, "{} answered {}", url.shown(), answer.status);
    return std::move(answer.body);
}

KeyPtr KeySet::known(std::string_view id, Algorithm algorithm) const {
    KeyPtr found;
    for (const auto& key : keys_) {
        if (key->algorithm() != algorithm || (!id.empty() && key->id() != id)) continue;
        // A token without a name, and a name that two keys have, do not say which.
        if (found) return nullptr;
        found = key;
    }
    return found;
}

void KeySet::refresh(std::unique_lock<std::mutex>& lock) {
    if (reading_) {
        if (keys_.empty()) read_.wait(lock, [this] { return !reading_; });
        return;
    }
    reading_ = true;
    tried_ = clock_.monotonic();
    lock.unlock();
    auto text = fetch();
    auto keys = text ? parse_key_set(*text) : base::Result<std::vector<KeyPtr>>(text.error());
    lock.lock();
    reading_ = false;
    if (keys) {
        keys_ = std::move(*keys);  // those that are gone are gone: that is how one is revoked
        good_ = clock_.monotonic();
        trouble_.clear();
    } else {
        trouble_ = keys.error().text;
    }
    read_.notify_all();
}

base::Result<KeyPtr> KeySet::find(std::string_view id, Algorithm algorithm) {
    std::unique_lock lock(mutex_);
    const auto older = [&](const std::optional<Time>& than, std::chrono::seconds age) {
        return !than || clock_.monotonic() - *than >= age;
    };
    // Whoever sends tokens with made-up names must not make us ask all the time.
    const bool may_ask = older(tried_, settings_.least_refresh);
    if (may_ask && older(good_, settings_.refresh)) refresh(lock);
    auto key = known(id, algorithm);
    if (!key && older(tried_, settings_.least_refresh)) {
        refresh(lock);
        key = known(id, algorithm);
    }
    if (older(good_, settings_.most_stale))
        return base::fail(
                base::Errc::unavailable, "the keys of tokens cannot be read: {}", trouble_);
    if (!key) return base::fail(base::Errc::denied, "the token's key is not known");
    return key;
}

}  // namespace brain::receptor
