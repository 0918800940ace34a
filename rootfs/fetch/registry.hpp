// An image in a registry: Docker Registry HTTP API v2 with bearer tokens and basic auth, retries,
// resume. Used by rootfs/pull.cpp.
#pragma once

#include "base/result.hpp"
#include "rootfs/fetch/auth.hpp"
#include "rootfs/fetch/http_client.hpp"
#include "rootfs/fetch/source.hpp"
#include "rootfs/image/reference.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rootfs {

struct RetryPolicy {
    unsigned attempts = 5;                      // of one request; a hang counts double
    std::chrono::milliseconds first_wait{200};  // doubles, plus up to half at random
    std::chrono::milliseconds longest_wait{5000};
};

struct RegistryImage {
    Endpoint endpoint;
    std::string repository;  // as the registry spells it
    std::string tag;
    Digest digest;            // pinned, or empty
    Credentials credentials;  // for `endpoint` alone
};

class RegistrySource final : public ImageSource {
  public:
    // `client` and `tokens` outlive the source and are shared by all.
    RegistrySource(HttpClient& client, TokenCache& tokens, RetryPolicy retry, RegistryImage image)
        : client_(client), tokens_(tokens), retry_(retry), image_(std::move(image)) {}

    base::Result<Resolved> resolve(const Cancelled& cancelled) override;
    base::Result<base::Fd> layer(
            const Descriptor& layer,
            base::FdRef scratch,
            const ByteCount& received,
            const Cancelled& cancelled) override;
    // What the tag names now, without fetching it; also proves that these credentials may read it.
    base::Result<Digest> current(const Cancelled& cancelled);
    // The document under another tag of the repository (signatures); nothing when there is none.
    base::Result<std::optional<std::string>> tagged(
            const std::string& tag, const Cancelled& cancelled);
    // A blob that fits into memory, verified (IMG-02). `what` names it in errors.
    base::Result<std::string> small_blob(
            std::string_view what,
            const Digest& digest,
            std::uint64_t size,
            const Cancelled& cancelled);

  private:
    struct Download;
    base::Result<HttpResponse> request(
            HttpRequest request, const Cancelled& cancelled, const HttpSink* sink);
    base::Result<HttpResponse> authorized(
            HttpRequest& request, const Cancelled& cancelled, const HttpSink* sink);
    base::Result<HttpResponse> manifest(
            const std::string& method, const std::string& reference, const Cancelled& cancelled);
    base::Result<void> download(
            Download& state,
            const Descriptor& layer,
            const ByteCount& received,
            const Cancelled& cancelled);
    bool pause(unsigned attempt, const base::Result<HttpResponse>& last, const Cancelled& cancelled)
            const;
    std::string url(std::string_view kind, std::string_view reference) const;

    HttpClient& client_;
    TokenCache& tokens_;
    RetryPolicy retry_;
    RegistryImage image_;
};

}  // namespace rootfs
