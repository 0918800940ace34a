// Uploads (executor-rep §5.5): the first file of a tar stream into a file of ours, then a POST with
// digests. No message names the address: it may hold credentials.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/partial.hpp"
#include "executor/fetch/archive.hpp"
#include "executor/fetch/cached_fetcher.hpp"
#include "executor/fetch/digests.hpp"

#include <unistd.h>

#include <algorithm>
#include <vector>

namespace executor {

namespace {

namespace sys = base::sys;
using base::Errc;

struct Payload {
    base::Fd file;
    std::uint64_t size = 0;
    std::string md5;     // base64
    std::string sha256;  // base64
};

// What users read, and nothing of the cause: that one goes where it holds no address.
base::Error told(std::string_view what, const std::string& artifact, Errc kind) {
    return base::fail(kind, "Failed to {}{}", what, artifact.empty() ? "" : " for " + artifact);
}

// "status 500"; of what the network says only the kind, as its text names the address.
std::string short_cause(const base::Error& error) {
    if (error.text.starts_with("status ") || error.text.starts_with("more than "))
        return error.text;
    return std::string(base::to_string(error.kind));
}

base::Result<void> copy(ArchiveReader& reader, std::uint64_t size, Payload& payload) {
    Digests digests({"md5", "sha256"});
    std::vector<char> piece(std::size_t{128} << 10);
    for (auto left = size; left > 0;) {
        const auto count = TRY(reader.read(piece));
        const std::string_view bytes(piece.data(), count);
        digests.add(bytes);
        TRY(sys::write_all(payload.file, bytes));
        left -= count;
    }
    const auto raw = digests.finish();
    payload.size = size;
    payload.md5 = to_base64(raw.at("md5"));
    payload.sha256 = to_base64(raw.at("sha256"));
    return base::ok;
}

base::Result<std::optional<ArchiveReader::Entry>> first_file(ArchiveReader& reader) {
    for (;;) {
        auto entry = TRY(reader.next());
        if (!entry || entry->kind == ArchiveReader::Entry::Kind::file) return entry;
    }
}

base::http::ClientRequest make_request(
        const Url& url,
        const Payload& payload,
        std::chrono::milliseconds timeout,
        const std::stop_token& stop) {
    base::http::ClientRequest request{.method = "POST", .target = url.target, .headers = {}};
    request.headers.set("Host", url.host_header());
    request.headers.set("Connection", "close");
    request.headers.set("Content-Type", "application/octet-stream");
    request.headers.set("Content-MD5", payload.md5);
    request.headers.set("Content-Digest", "sha-256=:" + payload.sha256 + ":");
    if (!url.authorization.empty()) request.headers.set("Authorization", url.authorization);
    request.upload =
            [file = base::FdRef(payload.file)](std::span<char> into) -> base::Result<std::size_t> {
        return TRY(sys::read_some(file, into)).value_or(0);
    };
    request.upload_size = payload.size;
    request.timeout = timeout;
    request.stop = stop;
    return request;
}

// One POST; follows what asks for the same once more (307, 308) and nothing else.
base::Result<void> post(
        const FetcherConfig& config, Url url, const Payload& payload, const std::stop_token& stop) {
    const auto deadline = std::chrono::steady_clock::now() + config.total_timeout;
    for (std::size_t hop = 0; hop <= config.redirects; ++hop) {
        if (::lseek(payload.file.get(), 0, SEEK_SET) != 0)
            return base::fail_errno("rewind the payload");
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
        auto client = client_for(config, url);
        auto answer = client.open(
                make_request(url, payload, std::max(left, std::chrono::milliseconds{1}), stop));
        if (!answer) return hide_target(std::move(answer).error(), url, "upload");
        if (answer->status() != 307 && answer->status() != 308) {
            if (answer->good()) return base::ok;
            return base::fail(Errc::unavailable, "status {}", answer->status());
        }
        auto next = TRY(resolve_location(url, answer->headers().get("Location")));
        if (!next.same_server(url) && next.authorization == url.authorization)
            next.authorization.clear();
        url = std::move(next);
    }
    return base::fail(Errc::unavailable, "more than {} redirects", config.redirects);
}

}  // namespace

base::Result<std::uint64_t> CachedFetcher::upload(UploadRequest request, std::stop_token stop) {
    const auto& artifact = request.artifact;
    const auto url = parse_url(request.url);
    if (!url) return told("parse the URL", artifact, Errc::invalid);
    auto reader = ArchiveReader::open_tar(
            std::move(request.tar),
            {.bytes = config_.upload_bytes, .entries = config_.archive_entries});
    if (stop.stop_requested()) return stopped("the upload");
    if (!reader) return told("find the first tar item", artifact, Errc::corrupt);
    const auto entry = first_file(*reader);
    if (stop.stop_requested()) return stopped("the upload");
    if (!entry || !*entry) return told("find the first tar item", artifact, Errc::not_found);
    auto file = cache_->scratch_file();
    if (!file) return told("create a temp file", artifact, Errc::internal);
    Payload payload{.file = std::move(file).value(), .size = 0, .md5 = {}, .sha256 = {}};
    const auto copied = copy(*reader, (*entry)->size, payload);
    if (stop.stop_requested()) return stopped("the upload");
    if (!copied) return told("copy into the temp file", artifact, Errc::internal);
    const auto slot = TRY(slots_.take(stop));
    for (std::size_t attempt = 1;; ++attempt) {
        const auto sent = post(config_, *url, payload, stop);
        if (sent) return payload.size;
        if (stop.stop_requested()) return stopped("the upload");
        if (attempt >= config_.upload_attempts)
            return told(
                    base::format("upload the payload ({})", short_cause(sent.error())), artifact,
                    Errc::unavailable);
    }
}

}  // namespace executor
