// Where HTTP listens or connects: unix socket, TCP, TLS. Used by configurations of daemons and by
// clients.
#pragma once

#include "base/result.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace base::http {

// Files in PEM. A server needs certificate and key; `ca` then verifies clients. A client needs `ca`
// (empty: the system's), certificate and key only when the server asks for them.
struct TlsFiles {
    std::string ca;
    std::string certificate;
    std::string key;
    bool require_client_certificate = false;  // server: no certificate, no handshake
    std::string server_name;                  // client: name to verify; empty = the endpoint's host
    bool skip_verification = false;           // client: any certificate will do; only when told so
};

struct Endpoint {
    enum class Kind : std::uint8_t { unix_socket, tcp, tls };
    Kind kind = Kind::unix_socket;
    std::string path;        // unix_socket
    std::string host;        // tcp, tls: address or name; "" listens on all addresses
    std::uint16_t port = 0;  // 0 when listening: any free port, see Server::endpoints()
    mode_t mode = 0660;      // unix_socket, listening: permissions of the socket file
    std::optional<uid_t> owner;
    std::optional<gid_t> group;
    TlsFiles tls;  // tls

    // "unix:///run/x.sock", "tcp://127.0.0.1:7777", "tls://host:1" (also http:// and https://),
    // "[::1]" in brackets.
    static Result<Endpoint> parse(std::string_view text);
    std::string text() const;
};

}  // namespace base::http
