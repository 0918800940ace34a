// Listening as daemons configure it: texts to endpoints under one policy. Used by the settings of
// celld and braind.
#pragma once

#include "base/http/endpoint.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace base::http {

struct ListenPolicy {
    mode_t socket_mode = 0660;
    bool plain_tcp = false;  // also beyond loopback
    TlsFiles tls;            // of tls:// endpoints; `ca` verifies clients, who must show something
    std::string prefix;      // of the settings' keys, for errors: "rep."
};

// "0660"; Errc::invalid names `key`.
Result<mode_t> parse_socket_mode(std::string_view text, std::string_view key);
// Errc::invalid names `key` and the endpoint.
Result<std::vector<Endpoint>> listen_endpoints(
        const std::vector<std::string>& texts, const ListenPolicy& policy, std::string_view key);

}  // namespace base::http
