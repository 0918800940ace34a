// OpenSSL as the house uses it: contexts from PEM files, a session on a descriptor, the peer's
// certificate. Private to base/http.
#pragma once

#include "base/fd.hpp"
#include "base/http/endpoint.hpp"
#include "base/http/request.hpp"
#include "base/result.hpp"

#include <memory>
#include <optional>
#include <string>

#include <openssl/ssl.h>

namespace base::http {

struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

struct FreeSession {
    void operator()(SSL* session) const { SSL_free(session); }
};

using TlsContext = std::unique_ptr<SSL_CTX, FreeContext>;
using TlsSession = std::unique_ptr<SSL, FreeSession>;

Result<TlsContext> make_server_context(const TlsFiles& files);
Result<TlsContext> make_client_context(const TlsFiles& files);
// Server: `server_name` empty. Client: the name or address to verify. The descriptor stays the
// caller's.
Result<TlsSession> make_server_session(SSL_CTX* context, FdRef socket);
Result<TlsSession> make_client_session(
        SSL_CTX* context, FdRef socket, const std::string& server_name);
// Nothing when the peer sent none.
std::optional<PeerCertificate> peer_certificate(SSL* session);
// The reasons in OpenSSL's queue of this thread, which is then empty.
std::string tls_reason();

}  // namespace base::http
