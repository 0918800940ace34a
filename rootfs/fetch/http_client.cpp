#include "rootfs/fetch/http_client.hpp"

#include "base/clock.hpp"
#include "base/defer.hpp"
#include "base/fail.hpp"
#include "rootfs/fetch/address.hpp"
#include "rootfs/fetch/url.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include <curl/curl.h>
#include <strings.h>

namespace rootfs {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMilliseconds = 50;         // how late a cancellation may be noticed
constexpr std::size_t kErrorBody = 64 << 10;  // of an answer that is not 2xx
constexpr std::size_t kHeaderBytes = 64 << 10;
constexpr std::chrono::seconds kSlowWindow{60};
constexpr std::size_t kIdleSessions = 16;

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == '\r' || text.back() == '\n' || text.back() == ' '))
        text.remove_suffix(1);
    return text;
}

bool same_name(std::string_view a, std::string_view b) {
    return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Everything the callbacks of one hop share; lives on the stack of HttpClient::hop.
struct Hop {
    HttpResponse response;
    std::string location;
    const HttpSink* sink = nullptr;
    std::uint64_t limit = 0;
    bool allow_private = true;
    bool refused_address = false;
    bool started = false;
    std::size_t header_bytes = 0;
    std::optional<base::Error> failure;
    Clock::time_point last_byte = Clock::now();
    bool any_byte = false;

    bool success() const { return response.status >= 200 && response.status < 300; }
};

std::size_t on_header(char* data, std::size_t, std::size_t size, void* context) {
    auto& hop = *static_cast<Hop*>(context);
    hop.last_byte = Clock::now();
    hop.any_byte = true;
    hop.header_bytes += size;
    if (hop.header_bytes > kHeaderBytes) {
        hop.failure =
                base::fail(base::Errc::exhausted, "the headers exceed {} bytes", kHeaderBytes);
        return 0;
    }
    const std::string_view line = trimmed({data, size});
    if (line.starts_with("HTTP/")) {  // also after a 1xx: what came before does not count
        const auto space = line.find(' ');
        int status = 0;
        for (std::size_t i = space + 1;
             space != std::string_view::npos && i < line.size() && i < space + 4; ++i) {
            if (line[i] < '0' || line[i] > '9') break;
            status = status * 10 + (line[i] - '0');
        }
        hop.response = HttpResponse{.status = status};
        hop.location.clear();
        return size;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return size;
    const auto name = line.substr(0, colon);
    const auto value = trimmed(line.substr(colon + 1));
    if (same_name(name, "Location")) hop.location = value;
    if (same_name(name, "Content-Type")) hop.response.content_type = value;
    if (same_name(name, "Docker-Content-Digest")) hop.response.digest = value;
    if (same_name(name, "Content-Range")) hop.response.content_range = value;
    // A registry may offer several ways: bearer wins over basic.
    if (same_name(name, "WWW-Authenticate") &&
        (hop.response.authenticate.empty() || same_name(value.substr(0, 7), "Bearer "))) {
        hop.response.authenticate = value;
    }
    if (same_name(name, "Retry-After")) {
        std::int64_t seconds = 0;
        for (const char c : value.substr(0, 6))
            seconds = c >= '0' && c <= '9' ? seconds * 10 + (c - '0') : 0;
        hop.response.retry_after = std::chrono::seconds(seconds);
    }
    return size;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* context) {
    auto& hop = *static_cast<Hop*>(context);
    hop.last_byte = Clock::now();
    hop.any_byte = true;
    const std::string_view piece(data, size);
    if (hop.sink == nullptr || !hop.success()) {
        const std::uint64_t limit = hop.success() ? hop.limit : kErrorBody;
        if (hop.response.body.size() + size > limit) {
            if (!hop.success()) return size;  // enough of an error page
            hop.failure = base::fail(
                    base::Errc::exhausted, "the answer exceeds the limit of {} bytes", limit);
            return 0;
        }
        hop.response.body.append(piece);
        return size;
    }
    base::Result<void> taken = base::ok;
    if (!hop.started) {
        hop.started = true;
        if (hop.sink->start) taken = hop.sink->start(hop.response);
    }
    if (taken) taken = hop.sink->write(piece);
    if (!taken) {
        hop.failure = std::move(taken.error());
        return 0;
    }
    hop.response.received += size;
    return size;
}

// The address itself is judged, so that a name which resolves differently a second time gains
// nothing.
curl_socket_t on_socket(void* context, curlsocktype, struct curl_sockaddr* address) {
    auto& hop = *static_cast<Hop*>(context);
    const bool is_private = is_private_address(address->addr);
    if (is_private && !hop.allow_private) {
        hop.refused_address = true;
        return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

base::Error error_of(CURLcode code, const char* detail, const Hop& hop, const std::string& url) {
    const std::string text = detail[0] != '\0' ? detail : curl_easy_strerror(code);
    if (hop.refused_address) {
        return base::fail(
                base::Errc::denied, "{}: led to a loopback, link-local or private address",
                url);  // IMG-05
    }
    switch (code) {
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
            return base::fail(
                    base::Errc::denied,
                    "{}: the certificate is not trusted: {} (hint: configure ca_file)", url, text);
        case CURLE_SSL_CONNECT_ERROR:
            return base::fail(
                    base::Errc::unavailable,
                    "{}: no TLS connection: {} (hint: list a plain HTTP registry in "
                    "insecure_registries)",
                    url, text);
        case CURLE_OPERATION_TIMEDOUT:
            return base::fail(base::Errc::timeout, "{}: {}", url, text);
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            return base::fail(base::Errc::invalid, "{}: {}", url, text);
        default:
            return base::fail(
                    base::Errc::unavailable, "{}: {}", url, text);  // foreign enum: new codes come
    }
}

}  // namespace

struct HttpClient::Session {
    CURLM* multi = curl_multi_init();
    CURL* easy = curl_easy_init();

    Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    ~Session() {
        curl_easy_cleanup(easy);
        curl_multi_cleanup(multi);
    }
};

// A session keeps its connections; giving it back makes the next request to the same registry fast.
struct HttpClient::Pool {
    std::mutex mutex;
    std::vector<std::unique_ptr<Session>> idle;

    std::unique_ptr<Session> take() {
        const std::lock_guard lock(mutex);
        if (idle.empty()) return std::make_unique<Session>();
        auto session = std::move(idle.back());
        idle.pop_back();
        return session;
    }

    void give(std::unique_ptr<Session> session) {
        const std::lock_guard lock(mutex);
        if (idle.size() < kIdleSessions) idle.push_back(std::move(session));
    }
};

namespace {

void set_options(
        CURL* easy,
        const HttpRequest& request,
        const HttpLimits& limits,
        const std::string& ca_file,
        Hop& hop) {
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(
            easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));  // IMG-01
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(
            easy, CURLOPT_QUICK_EXIT, 1L);  // a hung name server must not hold a cancelled pull
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect.count()));
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "cloche/" CLOCHE_VERSION);
    if (!ca_file.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
        curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    }
    if (request.method == "HEAD") curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (request.range_from > 0) {
        curl_easy_setopt(easy, CURLOPT_RANGE, base::format("{}-", request.range_from).c_str());
    }
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &hop);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &hop);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &on_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &hop);
}

// Stops a transfer that hangs or drips: libcurl's own clock knows whole seconds only.
class Watchdog {
  public:
    explicit Watchdog(const HttpLimits& limits) : limits_(limits) {}

    bool expired(const Hop& hop) {
        const auto now = Clock::now();
        const auto patience = hop.any_byte ? limits_.stall : limits_.connect + limits_.stall;
        if (now - hop.last_byte > patience) return true;
        if (now - window_start_ < kSlowWindow) return false;
        const auto got = hop.response.received - window_bytes_;
        window_start_ = now;
        window_bytes_ = hop.response.received;
        return got <
               limits_.slowest_bytes_per_second * static_cast<std::uint64_t>(kSlowWindow.count());
    }

  private:
    HttpLimits limits_;
    Clock::time_point window_start_ = Clock::now();
    std::uint64_t window_bytes_ = 0;
};

base::Result<CURLcode> perform(
        CURLM* multi, Hop& hop, const HttpLimits& limits, const Cancelled& cancelled) {
    Watchdog watchdog(limits);
    for (int running = 1; running > 0;) {
        if (cancelled.load()) return cancelled_error();
        if (watchdog.expired(hop)) {
            return base::fail(
                    base::Errc::timeout, "no answer for {} ms",
                    hop.any_byte ? limits.stall.count() : (limits.connect + limits.stall).count());
        }
        if (const auto code = curl_multi_perform(multi, &running); code != CURLM_OK) {
            return base::fail(base::Errc::internal, "libcurl: {}", curl_multi_strerror(code));
        }
        if (running > 0)
            (void)curl_multi_poll(
                    multi, nullptr, 0, kPollMilliseconds, nullptr);  // errors show in perform
    }
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(multi, &left);
    return message == nullptr ? CURLE_GOT_NOTHING : message->data.result;
}

}  // namespace

HttpClient::HttpClient(HttpLimits limits, std::string ca_file)
    : limits_(limits), ca_file_(std::move(ca_file)), pool_(std::make_unique<Pool>()) {
    static const CURLcode ready =
            curl_global_init(CURL_GLOBAL_DEFAULT);  // once per process, thread-safe by the language
    (void)ready;                                    // fails only without memory
}

HttpClient::~HttpClient() = default;

base::Result<HttpResponse> HttpClient::hop(
        Session& session,
        const HttpRequest& request,
        const Cancelled& cancelled,
        const HttpSink* sink) {
    Hop hop{.sink = sink, .limit = request.body_limit, .allow_private = request.private_network};
    set_options(session.easy, request, limits_, ca_file_, hop);
    std::array<char, CURL_ERROR_SIZE> detail{};
    curl_easy_setopt(session.easy, CURLOPT_ERRORBUFFER, detail.data());
    struct curl_slist* headers = nullptr;
    for (const auto& header : request.headers) headers = curl_slist_append(headers, header.c_str());
    if (!request.authorization.empty()) {
        headers = curl_slist_append(headers, ("Authorization: " + request.authorization).c_str());
    }
    const base::Defer free_headers([&headers] { curl_slist_free_all(headers); });
    curl_easy_setopt(session.easy, CURLOPT_HTTPHEADER, headers);
    curl_multi_add_handle(session.multi, session.easy);
    auto ended = perform(session.multi, hop, limits_, cancelled);
    curl_multi_remove_handle(session.multi, session.easy);

    if (!ended) return std::move(std::move(ended).error()).context(request.url);
    if (hop.failure) return std::move(*hop.failure).context(request.url);
    if (*ended != CURLE_OK) return error_of(*ended, detail.data(), hop, request.url);
    char* peer = nullptr;
    curl_easy_getinfo(session.easy, CURLINFO_PRIMARY_IP, &peer);
    hop.response.peer_is_private = peer != nullptr && is_private_address(std::string_view(peer));
    hop.response.final_url = hop.location.empty() ? request.url : hop.location;
    // An empty 2xx body never reached the sink.
    if (sink != nullptr && hop.success() && !hop.started && sink->start)
        TRY(sink->start(hop.response));
    return std::move(hop.response);
}

base::Result<HttpResponse> HttpClient::send(
        const HttpRequest& first, const Cancelled& cancelled, const HttpSink* sink) {
    HttpRequest request = first;
    const auto home = TRY(origin_of(first.url));
    bool home_is_private = first.private_network;
    for (int redirects = 0;; ++redirects) {
        auto session = pool_->take();
        auto response =
                TRY(hop(*session, request, cancelled, sink));  // a failed session is not kept
        pool_->give(std::move(session));
        const bool moved = response.status == 301 || response.status == 302 ||
                           response.status == 303 || response.status == 307 ||
                           response.status == 308;
        if (redirects == 0) home_is_private = response.peer_is_private;
        if (!moved) {
            response.final_url = request.url;
            response.peer_is_private = home_is_private;
            return response;
        }
        if (redirects >= limits_.redirects) {
            return base::fail(
                    base::Errc::denied, "{}: more than {} redirects", first.url, limits_.redirects);
        }
        const auto next = TRY(resolve_url(request.url, response.final_url));
        if (request.url.starts_with("https://") && !next.starts_with("https://")) {
            return base::fail(
                    base::Errc::denied, "{}: a redirect leaves TLS for {}", first.url,
                    next.substr(0, 200));
        }
        // IMG-05, CVE-2020-15157: what was given for one host is never told to another.
        request.authorization = TRY(origin_of(next)) == home ? first.authorization : "";
        request.private_network = home_is_private;
        request.url = next;
    }
}

bool wait_for(std::chrono::milliseconds time, const Cancelled& cancelled) {
    const auto end = Clock::now() + time;
    while (!cancelled.load()) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        if (left.count() <= 0) return true;
        // A cancellation is a flag without an event (Cancelled).
        base::pause_for(std::min(left, std::chrono::milliseconds(kPollMilliseconds)));
    }
    return false;
}

}  // namespace rootfs
