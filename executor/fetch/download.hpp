// One attempt to get one address: conditional request, redirects, the body into a file, digests on
// the way. Private to executor/fetch.
#pragma once

#include "base/fd.hpp"
#include "base/http/client.hpp"
#include "executor/fetch/config.hpp"
#include "executor/fetch/url.hpp"

#include <map>
#include <stop_token>
#include <string>

namespace executor {

struct Validators {
    std::string etag;
    std::string last_modified;

    bool empty() const { return etag.empty() && last_modified.empty(); }
};

struct Download {
    bool not_modified = false;  // 304: nothing else is set
    std::uint64_t size = 0;
    Validators validators;
    std::map<std::string, std::string> digests;  // algorithm → hex
};

// The body replaces what is in `into`. `algorithm`: a digest beside sha256, or "". Errors name the
// address without its secrets.
base::Result<Download> download(
        const FetcherConfig& config,
        const Url& url,
        const Validators& known,
        std::string_view algorithm,
        base::FdRef into,
        const std::stop_token& stop);

// Also for uploads: a client for one connection to the server of `url`.
base::http::Client client_for(const FetcherConfig& config, const Url& url);
// What the client said, without the request line that it puts in front: queries hold secrets.
base::Error hide_target(base::Error error, const Url& url, std::string_view verb);
base::Error stopped(std::string_view what);

}  // namespace executor
