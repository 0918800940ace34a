// A blocking HTTP client over libcurl for registries: own redirect policy, deadlines, prompt
// cancellation, connections kept between requests. Used by rootfs/fetch/registry.cpp. Safe from any
// thread.
#pragma once

#include "base/result.hpp"
#include "rootfs/fetch/source.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rootfs {

struct HttpLimits {
    std::chrono::milliseconds connect{10'000};
    std::chrono::milliseconds stall{20'000};  // no byte for so long: the peer hangs
    std::uint64_t slowest_bytes_per_second =
            64;         // on average over a minute: a peer that drips hangs too
    int redirects = 5;  // IMG-04
};

struct HttpRequest {
    std::string method = "GET";  // GET or HEAD
    std::string url;
    std::vector<std::string> headers;  // "Name: value"
    // "Authorization" value. Sent to the origin (scheme, host, port) of `url` alone, dropped by a
    // redirect to another (IMG-05).
    std::string authorization;
    std::uint64_t body_limit = 0;  // bytes of a 2xx body; more is Errc::exhausted
    std::uint64_t range_from = 0;  // asks for the rest of the body from here on
    bool private_network =
            false;  // redirects and first address may be loopback, link-local or private
};

struct HttpResponse {
    int status = 0;
    std::string body;  // when the request had no sink; bounded for errors too
    std::string content_type;
    std::string digest;        // Docker-Content-Digest
    std::string authenticate;  // WWW-Authenticate
    std::string content_range;
    std::chrono::seconds retry_after{0};
    std::string final_url;
    bool peer_is_private = false;  // the address of the first hop
    std::uint64_t received = 0;    // body bytes that went into the sink
};

// Takes the body of a 2xx answer piece by piece; an error ends the transfer with it. Told the
// status once before.
struct HttpSink {
    std::function<base::Result<void>(const HttpResponse& head)> start;
    std::function<base::Result<void>(std::string_view piece)> write;
};

class HttpClient {
  public:
    // `ca_file`: "" = the system's.
    HttpClient(HttpLimits limits, std::string ca_file);
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;
    ~HttpClient();

    // Follows redirects. Errors: unavailable (no connection, broken off), timeout, denied
    // (certificate, refused redirect), cancelled, exhausted. An answer of any status is a value.
    base::Result<HttpResponse> send(
            const HttpRequest& request, const Cancelled& cancelled, const HttpSink* sink = nullptr);

    const HttpLimits& limits() const { return limits_; }

  private:
    struct Session;
    struct Pool;
    base::Result<HttpResponse> hop(
            Session& session,
            const HttpRequest& request,
            const Cancelled& cancelled,
            const HttpSink* sink);

    HttpLimits limits_;
    std::string ca_file_;
    std::unique_ptr<Pool> pool_;
};

// Waits without using time: false when cancelled meanwhile.
bool wait_for(std::chrono::milliseconds time, const Cancelled& cancelled);

}  // namespace rootfs
