#include "brain/store/etcd_client.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/json_writer.hpp"

#include <algorithm>

namespace brain::store {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLeastAttempt{300};
constexpr milliseconds kBetweenRounds{50};

milliseconds left_until(steady_clock::time_point deadline) {
    return std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
}

bool may_try_again(const base::Error& error) {
    return error.kind == base::Errc::unavailable || error.kind == base::Errc::timeout;
}

// The kinds of etcd's refusals (gRPC codes; two things share number 8).
base::Errc kind_of(std::int64_t code, std::string_view text) {
    switch (code) {
        case 3:
            return base::Errc::invalid;
        case 4:
            return base::Errc::timeout;
        case 5:
            return base::Errc::not_found;
        case 7:
            return base::Errc::denied;
        case 8:
            return text.find("space exceeded") != std::string_view::npos ? base::Errc::exhausted
                                                                         : base::Errc::unavailable;
        case 9:
            return base::Errc::invalid;
        case 11:
            return base::Errc::unavailable;  // the revision is compacted
        case 12:
            return base::Errc::unsupported;
        case 15:
            return base::Errc::corrupt;
        case 16:
            return base::Errc::denied;
        default:
            return base::Errc::unavailable;
    }
}

base::Error refusal(const std::string& where, const base::http::ClientResponse& response) {
    std::string text = base::format("status {}", response.status);
    std::int64_t code = response.status == 401 ? 16 : response.status == 400 ? 3 : 14;
    const auto parsed = base::json::Document::parse(response.body);
    if (parsed) {
        const auto given = number_of(parsed->root(), "code");
        if (given && *given != 0) code = *given;
        const auto words = parsed->root().find("error");
        if (words && *words && (*words)->is_string())
            text = (*words)->string().value_or(std::string()).substr(0, 256);
    }
    return base::fail(kind_of(code, text), "{}: {}", where, text);
}

// etcd has forgotten the token, or users were changed since it was given.
bool wants_new_token(const base::Error& error) {
    return error.text.find("invalid auth token") != std::string::npos ||
           error.text.find("revision of auth store is old") != std::string::npos;
}

base::Result<base::http::ClientConfig> client_config(
        const EtcdConfig& config, const std::string& text) {
    auto endpoint = TRY(base::http::Endpoint::parse(text).context("etcd endpoint"));
    if (endpoint.kind == base::http::Endpoint::Kind::tls) {
        endpoint.tls.ca = config.ca_file;
        endpoint.tls.certificate = config.certificate_file;
        endpoint.tls.key = config.key_file;
    }
    base::http::ClientConfig out;
    out.endpoint = std::move(endpoint);
    out.connect_timeout = std::min(out.connect_timeout, config.timeout);
    return out;
}

}  // namespace

base::Result<std::shared_ptr<EtcdClient>> EtcdClient::open(const EtcdConfig& config) {
    if (config.endpoints.empty() || config.endpoints.size() > kMaxEndpoints)
        return base::fail(
                base::Errc::invalid, "etcd endpoints: {}, from 1 to {}", config.endpoints.size(),
                kMaxEndpoints);
    if (config.timeout.count() <= 0)
        return base::fail(
                base::Errc::invalid, "etcd timeout: {} ms, at least 1", config.timeout.count());
    auto client = std::make_shared<EtcdClient>(config);
    for (const auto& text : config.endpoints)
        client->clients_.push_back(
                std::make_unique<base::http::Client>(TRY(client_config(config, text))));
    return client;
}

base::Result<std::string> EtcdClient::token(const Attempt& attempt) {
    if (config_.username.empty()) return std::string();
    {
        const std::lock_guard lock(mutex_);
        if (!token_.empty()) return token_;
    }
    base::json::Writer body;
    body.begin_object().member("name", config_.username).member("password", config_.password);
    base::http::ClientRequest request;
    request.method = "POST";
    request.target = "/v3/auth/authenticate";
    request.body = body.end_object().take();
    request.timeout = attempt.time;
    request.stop = attempt.stop;
    const auto response = TRY(clients_[attempt.endpoint]->call(std::move(request)));
    if (!response.good())
        return refusal(base::format("user '{}' of etcd", config_.username), response);
    const auto document = TRY(base::json::Document::parse(response.body));
    const auto given = TRY(document.root().find("token"));
    if (!given) return base::fail(base::Errc::corrupt, "etcd gave no token");
    auto text = TRY(given->string());
    const std::lock_guard lock(mutex_);
    token_ = text;
    return text;
}

void EtcdClient::forget(const std::string& token) {
    const std::lock_guard lock(mutex_);
    if (token_ == token) token_.clear();
}

base::Result<base::http::ClientRequest> EtcdClient::request(
        const Attempt& attempt, const std::string& path, const std::string& body) {
    base::http::ClientRequest request;
    request.method = "POST";
    request.target = "/v3/" + path;
    request.body = body;
    request.timeout = attempt.time;
    request.stop = attempt.stop;
    const auto authorization = TRY(token(attempt));
    if (!authorization.empty()) request.headers.set("Authorization", authorization);
    return request;
}

base::Result<base::http::ClientResponse> EtcdClient::post(
        const Attempt& attempt, const std::string& path, const std::string& body) {
    return clients_[attempt.endpoint]->call(TRY(request(attempt, path, body)), kMaxEtcdAnswer);
}

base::Result<base::json::Document> EtcdClient::attempt(
        const Attempt& attempt, const std::string& path, const std::string& body) {
    for (bool again = false;; again = true) {
        std::string used;
        {
            const std::lock_guard lock(mutex_);
            used = token_;
        }
        const auto response = TRY(post(attempt, path, body));
        if (response.good()) {
            auto document = base::json::Document::parse(response.body, {.bytes = kMaxEtcdAnswer});
            // Half an answer of one who dies: as none.
            if (!document) document.error().kind = base::Errc::unavailable;
            return document;
        }
        auto error =
                refusal(base::format("etcd {} at {}", path, endpoint(attempt.endpoint)), response);
        // It refused before it did anything, so this is no second time.
        if (again || !wants_new_token(error)) return error;
        forget(used);
    }
}

base::Result<base::json::Document> EtcdClient::ask_one(
        std::size_t endpoint, const std::string& path, const std::string& body) {
    return attempt({.endpoint = endpoint, .time = config_.timeout, .stop = {}}, path, body);
}

base::Result<base::json::Document> EtcdClient::ask(
        const std::string& path, const std::string& body, std::stop_token stop) {
    const auto deadline = steady_clock::now() + config_.timeout;
    const auto count = clients_.size();
    // A stopped endpoint takes connections and answers nothing: it gets a part of the time.
    const auto each = std::max(
            config_.timeout / static_cast<std::int64_t>(count),
            std::min(kLeastAttempt, config_.timeout));
    const auto first = preferred_.load();
    for (std::size_t i = 0;; ++i) {
        Attempt next{.endpoint = (first + i) % count, .time = each, .stop = stop};
        next.time = std::max(std::min(each, left_until(deadline)), milliseconds{1});
        auto answer = attempt(next, path, body);
        if (answer) {
            preferred_ = next.endpoint;
            return answer;
        }
        if (!may_try_again(answer.error()) || left_until(deadline) <= milliseconds{0})
            return answer;
        // After each round all of them have failed: nothing tells when one is back.
        if ((i + 1) % count == 0)
            base::pause_for(
                    std::min(kBetweenRounds, std::max(left_until(deadline), milliseconds{0})));
    }
}

base::Result<EtcdRecords> EtcdClient::range(const EtcdRange& range, std::stop_token stop) {
    const auto answer = TRY(ask("kv/range", to_json(range), std::move(stop)));
    return parse_records(answer.root());
}

base::Result<std::optional<EtcdRecord>> EtcdClient::record(const std::string& key) {
    auto found = TRY(range({.key = key, .end = {}}));
    if (found.records.empty()) return std::optional<EtcdRecord>();
    return std::optional<EtcdRecord>(std::move(found.records.front()));
}

base::Result<EtcdOutcome> EtcdClient::transact(const EtcdTransaction& transaction) {
    const auto answer = TRY(ask("kv/txn", to_json(transaction)));
    return parse_outcome(answer.root());
}

base::Result<EtcdStream> EtcdStream::open(
        EtcdClient& client,
        const std::string& key,
        const std::string& end,
        std::int64_t start,
        std::size_t first,
        const std::stop_token& stop) {
    const auto count = client.endpoints();
    const auto each =
            std::max(client.config().timeout / static_cast<std::int64_t>(count), kLeastAttempt);
    base::Result<void> last;
    for (std::size_t i = 0; i < count; ++i) {
        const EtcdClient::Attempt attempt{
                .endpoint = (first + i) % count, .time = each, .stop = stop};
        const auto once = [&]() -> base::Result<EtcdStream> {
            auto request = TRY(client.request(attempt, "watch", watch_json(key, end, start)));
            const auto used = request.headers.get("Authorization");
            const std::string token(used);
            auto stream = TRY(client.clients_[attempt.endpoint]->open(std::move(request)));
            if (!stream.good()) {
                client.forget(token);  // perhaps; a new one costs little
                return base::fail(
                        base::Errc::unavailable, "etcd watch: status {}", stream.status());
            }
            EtcdStream begun(std::move(stream), attempt.endpoint);
            const auto news = TRY(begun.next(each));
            if (!news.created || news.cancelled) {
                client.forget(token);
                return base::fail(
                        base::Errc::unavailable, "etcd refuses the watch: {}", news.reason);
            }
            begun.begun_ = news.revision;
            return begun;
        };
        auto stream = once();
        if (stream || stream.error().kind == base::Errc::cancelled) return stream;
        last = std::move(stream).error();
    }
    return std::move(last).error();
}

base::Result<EtcdNews> EtcdStream::next(std::chrono::milliseconds timeout) {
    const auto deadline = steady_clock::now() + timeout;
    std::vector<char> piece(std::size_t{64} << 10);
    for (;;) {
        if (const auto text = splitter_.next()) return parse_news(*text);
        const auto left = std::max(left_until(deadline), milliseconds{1});
        const auto count = TRY(stream_.read_some(piece, left));
        if (count == 0) return base::fail(base::Errc::unavailable, "etcd ended the watch");
        TRY(splitter_.feed(std::string_view(piece.data(), count)));
    }
}

}  // namespace brain::store
