// From an Endpoint to sockets: listen and dial. Private to base/http.
#pragma once

#include "base/http/endpoint.hpp"
#include "base/http/wire.hpp"
#include "base/result.hpp"

#include <stop_token>
#include <string>

namespace base::http {

struct Listener {
    Endpoint endpoint;  // with the real port
    Fd socket;
    dev_t file_device = 0;  // unix socket: which file is ours
    ino_t file_number = 0;
};

// Removes a stale unix socket file; one that somebody listens on is Errc::conflict.
Result<Listener> open_listener(const Endpoint& endpoint);
// A socket that listens already, left to us by the parent process under this number. Its file, when
// it has one, is its maker's: nothing is removed at the end.
Result<Listener> adopt_listener(int number);
// Removes the socket file, unless a successor has put its own there already.
void remove_socket_file(const Listener& listener);
// Connected, TLS handshake done. A stop breaks both off; what it fails with then says nothing.
Result<Wire> dial(
        const Endpoint& endpoint, SSL_CTX* tls, Deadline deadline, std::stop_token stop = {});
// Carries bytes both ways between a TLS connection and a plain socket until both directions have
// ended.
void pump(Wire& wire, FdRef plain);

}  // namespace base::http
