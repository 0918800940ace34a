// What a Receptor is told by its program (receptor-api §9, §11). Used by braind's configuration and
// by tests.
#pragma once

#include "base/http/endpoint.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace brain::receptor {

// Bearer tokens: JSON Web Tokens of an authority whose public keys are known (RFC 7519, 7515).
struct TokenSettings {
    std::string keys;          // a JWKS: "/etc/…/keys.json" or "https://…"; "": no tokens
    base::http::TlsFiles tls;  // for the URL
    std::string issuer;        // must be there and equal
    std::string audience;      // must be one of the token's
    std::string read_scope;    // for GET; "": none is needed
    std::string write_scope;   // for everything; "": none is needed
    std::chrono::seconds leeway{30};          // of clocks
    std::chrono::seconds refresh{300};        // how old keys may be before they are read again
    std::chrono::seconds least_refresh{10};   // between two reads for a key that is not known
    std::chrono::seconds most_stale{86'400};  // keys older than this are worth nothing
};

struct Settings {
    std::string username;  // "": no basic authentication
    std::string password;
    TokenSettings tokens;
    bool secure_cookie = false;  // the cookie is for TLS only
    bool cors = false;
    std::vector<std::string> cors_origins;  // none: every origin is echoed, as in 2015
    std::string artifact_path;              // of /v1/sync; "": none
    std::string version_files_path;         // of /v1/version; "": none
    bool limits_of_2015 = false;            // compatibility: routes of 4 KiB, egress rules of then
    std::size_t workers = 64;               // for requests; streams have their own
    std::size_t event_readers = 256;
    std::size_t downloads = 16;                     // of /v1/sync, which anybody may ask
    std::chrono::milliseconds event_keep_alive{0};  // comment frames; 0: none, as in 2015
};

}  // namespace brain::receptor
