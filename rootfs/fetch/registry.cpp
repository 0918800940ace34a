#include "rootfs/fetch/registry.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"

#include <unistd.h>

#include <algorithm>
#include <random>

namespace rootfs {

namespace {

bool worth_retrying(const base::Error& error) {
    return error.kind == base::Errc::unavailable || error.kind == base::Errc::timeout;
}

bool worth_retrying(int status) {
    return status == 408 || status == 429 || status >= 500;
}

// A status that is an answer, but not the one asked for.
base::Error status_error(const HttpResponse& response, std::string_view what) {
    std::string detail;
    for (const char c : std::string_view(response.body).substr(0, 300))
        detail += c >= ' ' && c < 0x7f ? c : ' ';
    if (!detail.empty()) detail = ": " + detail;
    switch (response.status) {
        case 401:
        case 403:
            return base::fail(base::Errc::denied, "{}: the registry denies access{}", what, detail);
        case 404:
            return base::fail(
                    base::Errc::not_found, "{}: the registry has no such image{}", what, detail);
        case 429:
            return base::fail(
                    base::Errc::exhausted, "{}: the registry's rate limit is reached{}", what,
                    detail);
        default:  // a foreign number, not an enum
            return base::fail(
                    base::Errc::unavailable, "{}: the registry answered with status {}{}", what,
                    response.status, detail);
    }
}

}  // namespace

std::string RegistrySource::url(std::string_view kind, std::string_view reference) const {
    return base::format(
            "{}/v2/{}/{}/{}", image_.endpoint.url(), image_.repository, kind, reference);
}

// False when cancelled while waiting.
bool RegistrySource::pause(
        unsigned attempt,
        const base::Result<HttpResponse>& last,
        const Cancelled& cancelled) const {
    auto wait = std::min(retry_.first_wait * (1U << std::min(attempt, 10U)), retry_.longest_wait);
    if (last && last->retry_after > std::chrono::seconds(0)) {
        wait = std::min<std::chrono::milliseconds>(last->retry_after, retry_.longest_wait * 4);
    }
    thread_local std::minstd_rand random{std::random_device{}()};
    wait += wait * (random() % 50) / 100;  // many cells must not come back at once
    return wait_for(wait, cancelled);
}

// One request with whatever proof the registry wants; a 401 is answered once.
base::Result<HttpResponse> RegistrySource::authorized(
        HttpRequest& request, const Cancelled& cancelled, const HttpSink* sink) {
    const auto key = base::format(
            "{} {} {}", image_.endpoint.url(), image_.repository,
            sha256(image_.credentials.username + '\0' + image_.credentials.password).get());
    request.authorization = tokens_.find(key);
    auto response = TRY(client_.send(request, cancelled, sink));
    if (response.status != 401 || response.authenticate.empty()) return response;
    tokens_.drop(key);
    const auto challenge = TRY(parse_challenge(response.authenticate));
    const AuthRequest ask{
            .registry_url = image_.endpoint.url() + "/",
            .scope = base::format("repository:{}:pull", image_.repository),
            .private_network = response.peer_is_private};
    auto token = TRY(answer(challenge, ask, image_.credentials, client_, cancelled));
    request.authorization = token.value;
    auto second = TRY(client_.send(request, cancelled, sink));
    if (second.status != 401) tokens_.keep(key, token.value, token.lifetime);
    return second;
}

base::Result<HttpResponse> RegistrySource::request(
        HttpRequest request, const Cancelled& cancelled, const HttpSink* sink) {
    request.private_network = true;  // the operator or the user named this registry
    for (unsigned attempt = 1;; ++attempt) {
        auto response = authorized(request, cancelled, sink);
        if (response && !worth_retrying(response->status)) return response;
        if (!response && !worth_retrying(response.error())) return response;
        if (!response && response.error().kind == base::Errc::timeout)
            ++attempt;  // a hang has cost its time already
        if (attempt >= retry_.attempts) return response;
        if (!pause(attempt - 1, response, cancelled)) return cancelled_error();
    }
}

base::Result<HttpResponse> RegistrySource::manifest(
        const std::string& method, const std::string& reference, const Cancelled& cancelled) {
    HttpRequest ask{
            .method = method,
            .url = url("manifests", reference),
            .headers = {base::format("Accept: {}", accepted_media_types())},
            .body_limit = kMaxManifest};
    auto response = TRY(request(std::move(ask), cancelled, nullptr));
    if (response.status != 200) {
        return status_error(
                response,
                base::format("{}/{}:{}", image_.endpoint.host, image_.repository, reference));
    }
    return response;
}

base::Result<Digest> RegistrySource::current(const Cancelled& cancelled) {
    const auto reference = image_.digest.empty() ? image_.tag : image_.digest.get();
    auto head = TRY(manifest("HEAD", reference, cancelled));
    if (!head.digest.empty()) {
        auto digest = TRY(parse_digest(head.digest));
        // A registry that answers something else for a pinned digest is wrong, not fresh.
        if (!image_.digest.empty() && digest != image_.digest) {
            return base::fail(
                    base::Errc::corrupt, "asked for {}, the registry has {}", image_.digest.get(),
                    digest.get());
        }
        return digest;
    }
    const auto full = TRY(manifest("GET", reference, cancelled));
    return sha256(full.body);
}

base::Result<std::optional<std::string>> RegistrySource::tagged(
        const std::string& tag, const Cancelled& cancelled) {
    auto response = manifest("GET", tag, cancelled);
    if (response) return std::optional(std::move(response->body));
    if (response.error().kind == base::Errc::not_found) return std::optional<std::string>{};
    return std::move(response).error();
}

base::Result<std::string> RegistrySource::small_blob(
        std::string_view what,
        const Digest& digest,
        std::uint64_t size,
        const Cancelled& cancelled) {
    HttpRequest ask{.url = url("blobs", digest.get()), .body_limit = size};
    auto response = TRY(request(std::move(ask), cancelled, nullptr));
    if (response.status != 200)
        return status_error(response, base::format("{} {}", what, digest.get()));
    Hasher hasher(digest);
    hasher.update(response.body);
    const auto found = hasher.finish();
    if (found != digest || response.body.size() != size) {
        return base::fail(
                base::Errc::corrupt,
                "{} {}: the registry sent {} bytes with digest {}, expected {} bytes", what,
                digest.get(), response.body.size(), found.get(), size);
    }
    return std::move(response.body);
}

base::Result<Resolved> RegistrySource::resolve(const Cancelled& cancelled) {
    Resolved out;
    std::string reference = image_.digest.empty() ? image_.tag : image_.digest.get();
    Digest expected = image_.digest;
    std::string expected_type;
    const auto platform = this_platform();
    for (int depth = 0;; ++depth) {
        const auto response = TRY(manifest("GET", reference, cancelled));
        Hasher hasher(expected);
        hasher.update(response.body);
        const auto found = hasher.finish();
        if (!expected.empty() && found != expected) {  // IMG-06
            return base::fail(
                    base::Errc::corrupt, "manifest {}: the registry sent one with digest {}",
                    expected.get(), found.get());
        }
        if (!response.digest.empty() && response.digest.starts_with("sha256:") &&
            expected.empty() && response.digest != found.get()) {
            return base::fail(
                    base::Errc::corrupt, "manifest {}: the registry announced {} and sent {}",
                    reference, response.digest.substr(0, 160), found.get());
        }
        if (depth == 0) out.digest = found;
        const auto type = response.content_type.empty() ? expected_type : response.content_type;
        auto document = TRY(parse_document(response.body, type));
        if (!document.is_index) {
            out.manifest = std::move(document.manifest);
            out.selected = found;
            break;
        }
        if (depth >= kMaxIndexDepth) {
            return base::fail(
                    base::Errc::exhausted, "indexes are nested deeper than {}", kMaxIndexDepth);
        }
        const auto entry = TRY(choose(document.entries, platform));
        expected = entry.manifest.digest;
        expected_type = entry.manifest.media_type;
        reference = expected.get();
    }
    const auto& config = out.manifest.config;
    if (config.size > kMaxConfig) {
        return base::fail(
                base::Errc::exhausted, "image config of {} bytes, the limit is {}", config.size,
                kMaxConfig);
    }
    out.config = TRY(small_blob("image config", config.digest, config.size, cancelled));
    return out;
}

// What survives an attempt: a broken transfer goes on where it ended.
struct RegistrySource::Download {
    base::Fd file;
    Hasher hasher;
    std::uint64_t have = 0;

    base::Result<void> restart(const Digest& digest) {
        have = 0;
        hasher = Hasher(digest);
        if (::ftruncate(file.get(), 0) != 0 || ::lseek(file.get(), 0, SEEK_SET) < 0) {
            return base::fail_errno("restart a download");
        }
        return base::ok;
    }
};

base::Result<void> RegistrySource::download(
        Download& state,
        const Descriptor& layer,
        const ByteCount& received,
        const Cancelled& cancelled) {
    const HttpSink sink{
            .start = [&](const HttpResponse& head) -> base::Result<void> {
                if (head.status == 200) return state.restart(layer.digest);  // also: no ranges here
                const auto wanted = base::format("bytes {}-", state.have);
                if (head.status == 206 && head.content_range.starts_with(wanted)) return base::ok;
                return base::fail(
                        base::Errc::corrupt, "the registry answered the wrong range '{}'",
                        head.content_range.substr(0, 80));
            },
            .write = [&](std::string_view piece) -> base::Result<void> {
                if (state.have + piece.size() > layer.size) {  // IMG-02
                    return base::fail(
                            base::Errc::corrupt,
                            "the registry sends more than the {} bytes announced", layer.size);
                }
                TRY(base::sys::write_all(state.file, piece));
                state.hasher.update(piece);
                state.have += piece.size();
                if (received) received(state.have);
                return base::ok;
            }};
    for (unsigned attempt = 1;; ++attempt) {
        const auto before = state.have;
        HttpRequest ask{
                .url = url("blobs", layer.digest.get()),
                .range_from = state.have,
                .private_network = true};
        auto response = authorized(ask, cancelled, &sink);
        if (response && response->status >= 200 && response->status < 300) {
            if (state.have == layer.size) return base::ok;
            response = base::fail(
                    base::Errc::unavailable, "the transfer ended after {} of {} bytes", state.have,
                    layer.size);
        } else if (response && response->status == 416) {
            TRY(state.restart(layer.digest));
        } else if (response && !worth_retrying(response->status)) {
            return status_error(*response, "fetch");
        }
        if (!response && !worth_retrying(response.error())) return std::move(response).error();
        if (state.have > before) attempt = 1;  // it goes forward: patience begins anew
        if (!response && response.error().kind == base::Errc::timeout) ++attempt;
        if (attempt >= retry_.attempts) {
            if (!response) return std::move(response).error();
            return status_error(*response, "fetch");
        }
        if (!pause(attempt - 1, response, cancelled)) return cancelled_error();
    }
}

base::Result<base::Fd> RegistrySource::layer(
        const Descriptor& layer,
        base::FdRef scratch,
        const ByteCount& received,
        const Cancelled& cancelled) {
    Download state{.file = TRY(scratch_file(scratch)), .hasher = Hasher(layer.digest)};
    const auto what = base::format("layer {}", layer.digest.get());
    TRY(download(state, layer, received, cancelled).context(what));
    const auto found = state.hasher.finish();
    if (found != layer.digest) {  // IMG-02: nothing has looked inside yet
        return base::fail(
                base::Errc::corrupt, "{}: the registry sent content with digest {}", what,
                found.get());
    }
    if (::lseek(state.file.get(), 0, SEEK_SET) < 0) return base::fail_errno("{}: rewind", what);
    return std::move(state.file);
}

}  // namespace rootfs
