#include "garden/net/host.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "garden/net/links.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace garden::net {

namespace {

constexpr std::uint16_t kMaxMtu = 1500;
constexpr std::size_t kHostnameInHosts = 49;  // garden-behaviours C.6
constexpr std::size_t kMaxResolvFile = 64 * 1024;

base::Result<void> write_sysctl(const std::string& path, std::string_view value) {
    base::Fd file = TRY(base::sys::open_host("/proc/sys/" + path, O_WRONLY));
    return base::sys::write_all(file, value).context("set " + path);
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return lines;
}

// The address of a "nameserver" line, or "".
std::string_view nameserver_of(std::string_view line) {
    constexpr std::string_view kWord = "nameserver";
    if (!line.starts_with(kWord)) return "";
    line.remove_prefix(kWord.size());
    const auto start = line.find_first_not_of(" \t");
    if (start == 0 || start == std::string_view::npos) return "";
    line.remove_prefix(start);
    return line.substr(0, line.find_first_of(" \t#;"));
}

bool only_own_resolver(std::string_view host_text) {
    bool found = false;
    for (const auto line : lines_of(host_text)) {
        if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
        if (found || !nameserver_of(line).starts_with("127.0.0.")) return false;
        found = true;
    }
    return found;
}

}  // namespace

namespace {

// The own address towards `to`, "" without a route. Nothing is sent: connecting a UDP socket only
// asks for the route.
template <class SocketAddress>
std::string address_towards(const SocketAddress& to) {
    constexpr bool kV6 = std::is_same_v<SocketAddress, sockaddr_in6>;
    base::Fd socket(::socket(kV6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    SocketAddress own{};
    socklen_t length = sizeof own;
    if (!socket ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &length) != 0) {
        return "";
    }
    Address address;
    if constexpr (kV6) {
        address.length = 16;
        std::memcpy(address.bytes.data(), &own.sin6_addr, 16);
    } else {
        std::memcpy(address.bytes.data(), &own.sin_addr, 4);
    }
    return to_string(address);
}

constexpr std::uint16_t kAnyPort = 9;

}  // namespace

std::string detect_external_ip() {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(kAnyPort);
    to.sin_addr.s_addr = htonl(0x01020304);
    const std::string own = address_towards(to);
    return own.empty() ? "127.0.0.1" : own;
}

std::string detect_external_ip6() {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(kAnyPort);
    to.sin6_addr.s6_addr[0] = 0x20;  // 2000::1: a global address, whoever it is
    to.sin6_addr.s6_addr[15] = 1;
    return address_towards(to);
}

base::Result<std::uint16_t> detect_mtu(Netlink& route, const std::string& external_ip) {
    const Address external = TRY(parse_address(external_ip).context("external address"));
    const auto addresses = TRY(list_addresses(route));
    const auto owner = std::find_if(
            addresses.begin(), addresses.end(),
            [&](const InterfaceAddress& entry) { return entry.address.address == external; });
    // An external address that a balancer in front owns is on no interface of ours.
    if (owner == addresses.end()) return kMaxMtu;
    for (const Link& link : TRY(list_links(route))) {
        if (link.index == owner->index) return std::min(link.mtu, kMaxMtu);
    }
    return kMaxMtu;
}

base::Result<void> enable_forwarding(bool v6) {
    TRY(write_sysctl("net/ipv4/ip_forward", "1"));
    if (!v6) return base::ok;
    // A forwarding host ignores router advertisements unless accept_ra is 2: without this it would
    // lose its own route.
    base::Fd interfaces =
            TRY(base::sys::open_host("/proc/sys/net/ipv6/conf", O_RDONLY | O_DIRECTORY));
    for (const std::string& name : TRY(base::sys::list_directory(interfaces))) {
        const auto value = base::sys::read_file_at(interfaces, name + "/accept_ra", 64);
        if (value && value->starts_with("1"))
            TRY(write_sysctl("net/ipv6/conf/" + name + "/accept_ra", "2"));
    }
    return write_sysctl("net/ipv6/conf/all/forwarding", "1");
}

base::Result<void> disable_ipv6() {
    auto done = write_sysctl("net/ipv6/conf/all/disable_ipv6", "1");
    if (!done && done.error().sys == ENOENT) return base::ok;
    return done;
}

base::Result<void> refuse_advertisements(const std::string& interface) {
    for (const char* name : {"/accept_ra", "/accept_redirects"}) {
        auto done = write_sysctl("net/ipv6/conf/" + interface + name, "0");
        if (!done && done.error().sys != ENOENT) return done;  // a kernel without IPv6
    }
    return base::ok;
}

std::string hosts_text_of_loopback(const Config& config, std::string_view hostname) {
    const char* address6 = config.pool6.empty() ? "" : "::1";
    return hosts_text(config, {.container_ip = "127.0.0.1", .container_ip6 = address6}, hostname);
}

std::string hosts_text(const Config& config, const Lease& lease, std::string_view hostname) {
    if (hostname.size() > kHostnameInHosts)
        hostname.remove_prefix(hostname.size() - kHostnameInHosts);
    const bool v6 = !lease.container_ip6.empty();
    std::string text = "127.0.0.1 localhost\n";
    if (v6) text += "::1 localhost\n";
    text += base::format("{} {}\n", lease.container_ip, hostname);
    if (v6) text += base::format("{} {}\n", lease.container_ip6, hostname);
    for (const std::string& line : config.additional_host_entries)
        text.append(line).push_back('\n');
    return text;
}

std::string resolv_text(const Config& config, const Lease& lease, std::string_view host_text) {
    std::string text;
    if (!config.dns_servers.empty()) {
        for (const std::string& server : config.dns_servers)
            text += base::format("nameserver {}\n", server);
    } else if (only_own_resolver(host_text)) {
        text = base::format("nameserver {}\n", lease.host_ip);
    } else {
        for (const auto line : lines_of(host_text)) {
            if (!nameserver_of(line).starts_with("127.")) text.append(line).push_back('\n');
        }
    }
    for (const std::string& server : config.additional_dns_servers)
        text += base::format("nameserver {}\n", server);
    return text;
}

Resolvers resolvers_of(const Config& config, std::string_view host_text) {
    Resolvers resolvers;
    const auto add = [&](std::string_view server) {
        if (auto address = parse_address(server)) resolvers.addresses.push_back(*address);
    };
    for (const std::string& server : config.dns_servers) add(server);
    for (const std::string& server : config.additional_dns_servers) add(server);
    if (config.dns_servers.empty()) {
        resolvers.on_gateway = only_own_resolver(host_text);
        for (const auto line : lines_of(host_text)) {
            if (!nameserver_of(line).starts_with("127.")) add(nameserver_of(line));
        }
    }
    return resolvers;
}

std::string read_host_resolv() {
    auto text = base::sys::read_host_file("/etc/resolv.conf", kMaxResolvFile);
    return text ? *std::move(text) : std::string();
}

}  // namespace garden::net
