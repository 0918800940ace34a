#include "rootfs/fetch/url.hpp"

#include "base/defer.hpp"
#include "base/fail.hpp"

#include <curl/curl.h>

namespace rootfs {

namespace {

// libcurl's own parser, so that what is judged is what is connected to.
struct Url {
    CURLU* handle = curl_url();
    Url() = default;
    Url(const Url&) = delete;
    Url& operator=(const Url&) = delete;

    ~Url() { curl_url_cleanup(handle); }

    std::string part(CURLUPart which, unsigned flags = 0) const {
        char* text = nullptr;
        if (curl_url_get(handle, which, &text, flags) != CURLUE_OK || text == nullptr) return {};
        std::string out(text);
        curl_free(text);
        return out;
    }
};

base::Error refused(std::string_view url, std::string_view why) {
    return base::fail(base::Errc::invalid, "'{}' {}", url.substr(0, 200), why);
}

base::Result<void> check(const Url& url, std::string_view text) {
    const auto scheme = url.part(CURLUPART_SCHEME);
    if (scheme != "http" && scheme != "https") return refused(text, "is neither http nor https");
    // "https://registry@elsewhere/": a host that looks like another.
    if (!url.part(CURLUPART_USER).empty() || !url.part(CURLUPART_PASSWORD).empty()) {
        return refused(text, "carries a user name");
    }
    return base::ok;
}

}  // namespace

base::Result<std::string> origin_of(const std::string& text) {
    Url url;
    if (curl_url_set(url.handle, CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
        return refused(text, "is not a URL");
    TRY(check(url, text));
    std::string host = url.part(CURLUPART_HOST);
    for (char& c : host) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return base::format(
            "{}://{}:{}", url.part(CURLUPART_SCHEME), host,
            url.part(CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

base::Result<std::string> resolve_url(const std::string& base, const std::string& location) {
    Url url;
    if (curl_url_set(url.handle, CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
        curl_url_set(url.handle, CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) {
        return refused(location, "is not a URL");
    }
    TRY(check(url, location));
    return url.part(CURLUPART_URL);
}

std::string escape_query(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            const auto value = static_cast<unsigned char>(c);
            out += '%';
            out += kDigits[value >> 4U];
            out += kDigits[value & 15U];
        }
    }
    return out;
}

}  // namespace rootfs
