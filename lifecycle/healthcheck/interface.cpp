#include "base/sys/error.hpp"
#include "lifecycle/healthcheck/check.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <memory>

#include <ifaddrs.h>

namespace lifecycle {

namespace {

struct FreeInterfaces {
    void operator()(::ifaddrs* list) const { ::freeifaddrs(list); }
};

bool is_usable(const ::ifaddrs& entry) {
    if (entry.ifa_addr == nullptr || entry.ifa_addr->sa_family != AF_INET) return false;
    return (entry.ifa_flags & IFF_LOOPBACK) == 0 && (entry.ifa_flags & IFF_UP) != 0;
}

}  // namespace

base::Result<base::sys::Address> container_address(std::uint16_t port) {
    ::ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) return base::sys::errno_error("list the network interfaces");
    const std::unique_ptr<::ifaddrs, FreeInterfaces> list(first);
    for (const ::ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
        if (!is_usable(*entry)) continue;
        const void* raw = entry->ifa_addr;
        auto found = *static_cast<const ::sockaddr_in*>(raw);
        // 127.0.0.0/8 may stand on any device.
        if ((ntohl(found.sin_addr.s_addr) >> 24U) == IN_LOOPBACKNET) continue;
        found.sin_port = htons(port);
        base::sys::Address address;
        void* storage = &address.storage;
        *static_cast<::sockaddr_in*>(storage) = found;
        address.size = sizeof found;
        return address;
    }
    return base::sys::plain_error(
            base::Errc::not_found, "no network interface with an IPv4 address but the loopback");
}

}  // namespace lifecycle
