// Who is behind a connection, in the words of the event log. Used by the service.
#pragma once

#include "base/http/request.hpp"

#include <string>

namespace garden::server {

// "uid=0 gid=0 pid=17", "certificate=NAME address=…", or the address alone.
std::string actor_of(const base::http::Peer& peer);

}  // namespace garden::server
