// Calls to etcd's JSON gateway: several endpoints in turn, one deadline, a token of a user that is
// renewed, refusals as errors by kind; and a watch as a stream of news. Private to brain/store.
#pragma once

#include "base/http/client.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "brain/store/etcd_codec.hpp"
#include "brain/store/store.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

namespace brain::store {

inline constexpr std::size_t kMaxEndpoints = 16;
// Of one answer. The biggest piece of a watch is a request of 1.5 MiB, in base64.
inline constexpr std::size_t kMaxEtcdAnswer = std::size_t{16} << 20;

class EtcdClient {
  public:
    static base::Result<std::shared_ptr<EtcdClient>> open(const EtcdConfig& config);

    explicit EtcdClient(EtcdConfig config) : config_(std::move(config)) {}

    // POST /v3/<path>. Asks one endpoint after the other, and again, until one answers or the time
    // of one call is over: only for what may arrive twice. Errc::unavailable and Errc::timeout: it
    // may have arrived.
    base::Result<base::json::Document> ask(
            const std::string& path, const std::string& body, std::stop_token stop = {});
    // One endpoint, once.
    base::Result<base::json::Document> ask_one(
            std::size_t endpoint, const std::string& path, const std::string& body);

    base::Result<EtcdRecords> range(const EtcdRange& range, std::stop_token stop = {});
    base::Result<std::optional<EtcdRecord>> record(const std::string& key);
    base::Result<EtcdOutcome> transact(const EtcdTransaction& transaction);

    std::size_t endpoints() const { return clients_.size(); }

    std::string endpoint(std::size_t index) const { return clients_[index]->endpoint().text(); }

    const EtcdConfig& config() const { return config_; }

  private:
    friend class EtcdStream;

    // Where an attempt may be repeated and where not.
    struct Attempt {
        std::size_t endpoint = 0;
        std::chrono::milliseconds time{0};
        std::stop_token stop;
    };

    base::Result<base::http::ClientResponse> post(
            const Attempt& attempt, const std::string& path, const std::string& body);
    base::Result<base::json::Document> attempt(
            const Attempt& attempt, const std::string& path, const std::string& body);
    base::Result<std::string> token(const Attempt& attempt);
    void forget(const std::string& token);
    base::Result<base::http::ClientRequest> request(
            const Attempt& attempt, const std::string& path, const std::string& body);

    const EtcdConfig config_;
    std::vector<std::unique_ptr<base::http::Client>> clients_;
    std::atomic<std::size_t> preferred_ = 0;  // answered last
    std::mutex mutex_;                        // guards token_
    std::string token_;
};

// One watch on one endpoint.
class EtcdStream {
  public:
    // Tries the endpoints in turn, from the `first`-th on; returns when etcd has begun to watch.
    static base::Result<EtcdStream> open(
            EtcdClient& client,
            const std::string& key,
            const std::string& end,
            std::int64_t start,
            std::size_t first,
            const std::stop_token& stop);

    // Errc::timeout leaves it usable; Errc::unavailable: it is over.
    base::Result<EtcdNews> next(std::chrono::milliseconds timeout);

    std::int64_t begun() const { return begun_; }  // the store's revision when it began

    std::size_t endpoint() const { return endpoint_; }

  private:
    EtcdStream(base::http::ClientStream stream, std::size_t endpoint)
        : stream_(std::move(stream)), endpoint_(endpoint), splitter_(kMaxEtcdAnswer) {}

    base::http::ClientStream stream_;
    std::size_t endpoint_;
    base::json::ValueSplitter splitter_;
    std::int64_t begun_ = 0;
};

}  // namespace brain::store
