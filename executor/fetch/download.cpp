#include "executor/fetch/download.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "executor/fetch/digests.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace executor {

namespace {

using base::Errc;
using base::fail;
using std::chrono::milliseconds;
using Time = std::chrono::steady_clock::time_point;

// 0 would mean for ever.
milliseconds left_until(Time deadline) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    return std::max(left, milliseconds{1});
}

base::http::ClientRequest make_request(
        const Url& url, const Validators& known, milliseconds timeout, std::stop_token stop) {
    base::http::ClientRequest request{.method = "GET", .target = url.target, .headers = {}};
    request.headers.set("Host", url.host_header());
    request.headers.set("Connection", "close");
    // The archive as it is: a digest is over these bytes.
    request.headers.set("Accept-Encoding", "identity");
    if (!url.authorization.empty()) request.headers.set("Authorization", url.authorization);
    if (!known.etag.empty()) request.headers.set("If-None-Match", known.etag);
    if (!known.last_modified.empty()) request.headers.set("If-Modified-Since", known.last_modified);
    request.timeout = timeout;
    request.stop = std::move(stop);
    return request;
}

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// What a server says of itself goes into files of ours: only what a header may hold, and not much.
std::string kept_header(const base::http::Headers& headers, std::string_view name) {
    constexpr std::size_t kLongest = 1'024;
    const auto value = headers.get(name);
    return value.size() <= kLongest && base::http::is_header_value(value) ? std::string(value) : "";
}

struct Attempt {
    const FetcherConfig& config;
    const std::stop_token& stop;
    const Time deadline;

    base::Result<base::http::ClientStream> open(Url& url, const Validators& known) const;
    base::Result<Download> body(
            base::http::ClientStream& stream,
            const Url& url,
            std::string_view algorithm,
            base::FdRef into) const;
    base::Result<std::size_t> read(
            base::http::ClientStream& stream, const Url& url, std::span<char> into) const;
};

// Follows redirects; `url` is then where the answer came from.
base::Result<base::http::ClientStream> Attempt::open(Url& url, const Validators& known) const {
    for (std::size_t hop = 0; hop <= config.redirects; ++hop) {
        auto client = client_for(config, url);
        const auto patience =
                std::min(config.connect_timeout + config.idle_timeout, left_until(deadline));
        auto stream = client.open(make_request(url, known, patience, stop));
        if (!stream) {
            if (stop.stop_requested()) return stopped("the download");
            return hide_target(std::move(stream).error(), url, "download");
        }
        if (!is_redirect(stream->status())) return stream;
        auto next = resolve_location(url, stream->headers().get("Location"));
        if (!next)
            return std::move(next).error().context(
                    base::format("download {}: status {}", url.shown(), stream->status()));
        // Our password is for the server that the recipe names.
        if (!next->same_server(url) && next->authorization == url.authorization)
            next->authorization.clear();
        url = std::move(next).value();
    }
    return fail(
            Errc::unavailable, "download {}: more than {} redirects", url.shown(),
            config.redirects);
}

base::Result<std::size_t> Attempt::read(
        base::http::ClientStream& stream, const Url& url, std::span<char> into) const {
    const auto left = left_until(deadline);
    auto got = stream.read_some(into, std::min(left, config.idle_timeout));
    const bool late = std::chrono::steady_clock::now() >= deadline;
    if (got && !late) return got;
    if (stop.stop_requested()) return stopped("the download");
    if (late)
        return fail(
                Errc::timeout, "download {}: not finished after {}", url.shown(),
                base::to_text(config.total_timeout));
    if (got.error().kind == Errc::timeout)
        return fail(
                Errc::timeout, "download {}: no byte for {}", url.shown(),
                base::to_text(config.idle_timeout));
    return std::move(got).error().context("download " + url.shown());
}

base::Result<Download> Attempt::body(
        base::http::ClientStream& stream,
        const Url& url,
        std::string_view algorithm,
        base::FdRef into) const {
    if (::ftruncate(into.get(), 0) != 0 || ::lseek(into.get(), 0, SEEK_SET) != 0)
        return base::fail_errno("empty the file of a download");
    Download out;
    std::vector<std::string_view> wanted = {"sha256"};
    if (algorithm != "sha256") wanted.push_back(algorithm);
    Digests digests(wanted);
    std::vector<char> piece(base::http::kChunkBytes);
    for (;;) {
        const auto count = TRY(read(stream, url, piece));
        if (count == 0) break;
        out.size += count;
        if (out.size > config.download_bytes)
            return fail(
                    Errc::exhausted, "download {}: over {} bytes", url.shown(),
                    config.download_bytes);
        const std::string_view bytes(piece.data(), count);
        digests.add(bytes);
        TRY(base::sys::write_all(into, bytes).context("write a download"));
    }
    for (const auto& [name, raw] : digests.finish()) out.digests[name] = to_hex(raw);
    out.validators.etag = kept_header(stream.headers(), "ETag");
    out.validators.last_modified = kept_header(stream.headers(), "Last-Modified");
    return out;
}

}  // namespace

base::http::Client client_for(const FetcherConfig& config, const Url& url) {
    auto endpoint = url.endpoint;
    endpoint.tls.ca = config.ca_file;
    endpoint.tls.certificate = config.certificate_file;
    endpoint.tls.key = config.key_file;
    endpoint.tls.skip_verification = config.skip_verification;
    return base::http::Client(
            {.endpoint = std::move(endpoint),
             .connect_timeout = config.connect_timeout,
             .idle_connections = 0,
             .headers = {}});
}

base::Error hide_target(base::Error error, const Url& url, std::string_view verb) {
    for (const auto* method : {"GET ", "POST "}) {
        const auto prefix = method + url.target + " at " + url.endpoint.text() + ": ";
        if (error.text.starts_with(prefix)) error.text.erase(0, prefix.size());
    }
    return std::move(error).context(base::format("{} {}", verb, url.shown()));
}

base::Error stopped(std::string_view what) {
    return fail(Errc::cancelled, "{} was cancelled", what);
}

base::Result<Download> download(
        const FetcherConfig& config,
        const Url& url,
        const Validators& known,
        std::string_view algorithm,
        base::FdRef into,
        const std::stop_token& stop) {
    const Attempt attempt{
            .config = config,
            .stop = stop,
            .deadline = std::chrono::steady_clock::now() + config.total_timeout};
    Url from = url;
    auto stream = TRY(attempt.open(from, known));
    if (stream.status() == 304 && !known.empty())
        return Download{.not_modified = true, .size = 0, .validators = {}, .digests = {}};
    if (stream.status() != 200)
        return fail(Errc::unavailable, "download {}: status {}", from.shown(), stream.status());
    return attempt.body(stream, from, algorithm, into);
}

}  // namespace executor
