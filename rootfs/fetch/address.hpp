// Which network addresses a foreign server must not send us to (IMG-05). Used by
// rootfs/fetch/http_client.cpp.
#pragma once

#include <sys/socket.h>

#include <string_view>

namespace rootfs {

// Loopback, link-local, private, unspecified, multicast; IPv4 inside IPv6 is looked at too.
bool is_private_address(const struct ::sockaddr& address);
bool is_private_address(std::string_view text);  // false for what is not an address

}  // namespace rootfs
