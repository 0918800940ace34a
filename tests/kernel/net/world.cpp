#include "tests/kernel/net/world.hpp"

#include "base/sys/file.hpp"
#include "garden/net/links.hpp"
#include "garden/net/namespace.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_packet.h>

#include <cstdio>
#include <cstring>
#include <thread>

#include <catch2/catch.hpp>

namespace test {

using namespace garden::net;

namespace {

Address ip(const std::string& text) {
    return parse_address(text).value();
}

base::Fd own_namespace() {
    return base::sys::open_host("/proc/thread-self/ns/net", O_RDONLY).value();
}

socklen_t to_socket_address(
        const std::string& text, std::uint16_t port, sockaddr_storage& storage) {
    const Address address = ip(text);
    storage = {};
    if (address.is_v6()) {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        std::memcpy(&v6->sin6_addr, address.bytes.data(), 16);
        return sizeof *v6;
    }
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, address.bytes.data(), 4);
    return sizeof *v4;
}

}  // namespace

base::Fd new_network_namespace() {
    base::Fd made;
    std::thread maker([&] {
        if (::unshare(CLONE_NEWNET) == 0) made = own_namespace();
    });
    maker.join();
    REQUIRE(made);
    return made;
}

World::World() : home_(own_namespace()) {
    outside_ = new_network_namespace();
    REQUIRE(::unshare(CLONE_NEWNET) == 0);
    host_ = own_namespace();
    auto route = Netlink::open(NETLINK_ROUTE).value();
    Messages make;
    add_veth(
            make, {.host_name = "up0",
                   .peer_name = "out0",
                   .host_mac = {2, 0, 0, 0, 0, 1},
                   .peer_mac = {2, 0, 0, 0, 0, 2},
                   .mtu = 1480,
                   .peer_namespace = outside_});
    route.transact(make).value();
    const int uplink = route.interface_index("up0").value();
    Messages up;
    set_up(up, 1, End::container);
    set_up(up, uplink, End::container);
    add_address(up, uplink, ip(kHostAddress), 24);
    add_address(up, uplink, ip(kHostAddress6), 64);
    add_neighbour(
            up, uplink, ip(kOutside6),
            {2, 0, 0, 0, 0, 2});  // link-local addresses are still tentative
    route.transact(up).value();
    {
        const auto inside = InNamespace::enter(outside_).value();
        auto there = Netlink::open(NETLINK_ROUTE).value();
        const int index = there.interface_index("out0").value();
        Messages messages;
        set_up(messages, 1, End::container);
        set_up(messages, index, End::container);
        add_address(messages, index, ip(kOutside), 24);
        add_address(messages, index, ip(kOutside6), 64);
        add_neighbour(messages, index, ip(kHostAddress6), {2, 0, 0, 0, 0, 1});
        for (const char* address : {kDenied, kMetadata}) add_address(messages, 1, ip(address), 32);
        add_address(messages, 1, ip(kDenied6), 128);
        there.transact(messages).value();
    }
    Messages routes;  // after the peer is up: an IPv6 gateway must be reachable
    add_default_route(routes, uplink, ip(kOutside));
    add_default_route(routes, uplink, ip(kOutside6));
    route.transact(routes).value();
}

World::~World() {
    REQUIRE(::setns(home_.get(), CLONE_NEWNET) == 0);
}

Listener listen_in(base::FdRef network_namespace, std::uint16_t port) {
    const auto inside = InNamespace::enter(network_namespace).value();
    // Without IPv6 in the namespace the socket is an IPv4 one.
    sockaddr_storage storage{};
    socklen_t length = 0;
    Listener listener;
    for (const int family : {AF_INET6, AF_INET}) {
        listener.socket = base::Fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!listener.socket) continue;
        length = to_socket_address(family == AF_INET6 ? "::" : "0.0.0.0", port, storage);
        if (::bind(listener.socket.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0)
            break;
    }
    REQUIRE(::listen(listener.socket.get(), 64) == 0);
    length = sizeof storage;
    REQUIRE(::getsockname(listener.socket.get(), reinterpret_cast<sockaddr*>(&storage), &length) ==
            0);
    listener.port = ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
    return listener;
}

std::string Listener::accepted() const {
    // The client may know of the connection before the listener's queue does.
    constexpr int kPatience = 1000;  // milliseconds
    pollfd arrival{.fd = socket.get(), .events = POLLIN, .revents = 0};
    (void)::poll(&arrival, 1, kPatience);
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    base::Fd peer(
            ::accept4(socket.get(), reinterpret_cast<sockaddr*>(&storage), &length, SOCK_CLOEXEC));
    if (!peer) return "";
    char text[INET6_ADDRSTRLEN] = {};
    if (storage.ss_family == AF_INET) {
        (void)::inet_ntop(
                AF_INET, &reinterpret_cast<sockaddr_in*>(&storage)->sin_addr, text, sizeof text);
    } else {
        (void)::inet_ntop(
                AF_INET6, &reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr, text, sizeof text);
    }
    const std::string address = text;
    return address.starts_with("::ffff:") ? address.substr(7) : address;
}

int connect_from(
        base::FdRef network_namespace,
        const std::string& address,
        std::uint16_t port,
        int milliseconds) {
    const auto inside = InNamespace::enter(network_namespace).value();
    sockaddr_storage storage{};
    const socklen_t length = to_socket_address(address, port, storage);
    base::Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return errno;
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    pollfd waiting{.fd = socket.get(), .events = POLLOUT, .revents = 0};
    if (::poll(&waiting, 1, milliseconds) == 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    REQUIRE(::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0);
    return error;
}

Guest make_guest(Network& network, const std::string& request) {
    Guest guest{.lease = network.lease(request).value(), .netns = new_network_namespace()};
    network.connect(guest.lease, guest.netns).value();
    return guest;
}

void end_guest(Network& network, Guest guest) {
    network.disconnect(guest.lease, false).value();
    network.release(guest.lease);
}

void send_frame(const Guest& guest, const std::vector<std::uint8_t>& frame) {
    const auto inside = InNamespace::enter(guest.netns).value();
    base::Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    REQUIRE(socket);
    auto route = Netlink::open(NETLINK_ROUTE).value();
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = route.interface_index(guest.lease.container_interface.c_str()).value();
    to.sll_halen = 6;
    REQUIRE(::sendto(
                    socket.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to),
                    sizeof to) == static_cast<ssize_t>(frame.size()));
}

std::vector<std::uint8_t> udp_frame(
        const std::vector<std::uint8_t>& source_mac,
        const std::vector<std::uint8_t>& target_mac,
        const std::string& source,
        const std::string& target,
        std::uint16_t port) {
    std::vector<std::uint8_t> frame = target_mac;
    frame.insert(frame.end(), source_mac.begin(), source_mac.end());
    const std::vector<std::uint8_t> head = {0x08, 0x00, 0x45, 0, 0, 29, 0, 1, 0, 0, 64, 17, 0, 0};
    frame.insert(frame.end(), head.begin(), head.end());
    for (const std::string& address : {source, target}) {
        const Address parsed = ip(address);
        frame.insert(frame.end(), parsed.bytes.begin(), parsed.bytes.begin() + 4);
    }
    std::uint32_t sum = 0;
    for (std::size_t i = 14; i < 34; i += 2)
        sum += static_cast<std::uint32_t>(frame[i] << 8) + frame[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    frame[24] = static_cast<std::uint8_t>(sum >> 8);
    frame[25] = static_cast<std::uint8_t>(sum);
    const auto high = static_cast<std::uint8_t>(port >> 8), low = static_cast<std::uint8_t>(port);
    const std::vector<std::uint8_t> udp = {0x30, 0x39, high, low, 0, 9, 0, 0, 'x'};
    frame.insert(frame.end(), udp.begin(), udp.end());
    return frame;
}

void add_host_address(
        base::FdRef network_namespace,
        const std::string& interface,
        const std::string& address,
        std::uint8_t prefix) {
    const auto inside = InNamespace::enter(network_namespace).value();
    auto route = Netlink::open(NETLINK_ROUTE).value();
    Messages messages;
    add_address(messages, route.interface_index(interface.c_str()).value(), ip(address), prefix);
    route.transact(messages).value();
}

std::string read_in(base::FdRef network_namespace, const std::string& path) {
    const auto inside = InNamespace::enter(network_namespace).value();
    auto text = base::sys::read_host_file(path);
    return text ? *text : "";
}

std::string nft(const std::string& arguments) {
    std::string output;
    std::FILE* pipe = ::popen(("nft " + arguments + " 2>&1").c_str(), "re");
    REQUIRE(pipe != nullptr);
    char buffer[4096];
    while (const auto got = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, got);
    (void)::pclose(pipe);
    return output;
}

std::string ruleset() {
    const std::string all = nft("-s list ruleset");
    std::string out;
    bool dynamic = false;
    bool elements = false;
    for (std::size_t at = 0; at < all.size();) {
        const auto end = std::min(all.find('\n', at), all.size());
        const std::string line = all.substr(at, end - at);
        at = end + 1;
        if (line.starts_with("\tset ") || line.starts_with("\tmap ")) dynamic = false;
        if (line.find("flags dynamic") != std::string::npos) dynamic = true;
        elements = elements || (dynamic && line.find("elements = {") != std::string::npos);
        if (!elements) out += line + "\n";
        if (elements && line.ends_with("}")) elements = false;
    }
    return out;
}

std::uint64_t dropped(const std::string& table, const std::string& chain) {
    const std::string text = nft("list chain netdev " + table + " " + chain);
    const auto drop = text.rfind("drop");
    REQUIRE(drop != std::string::npos);
    const auto packets = text.rfind("packets ", drop);
    REQUIRE(packets != std::string::npos);
    return std::stoull(text.substr(packets + 8));
}

std::vector<std::string> interfaces() {
    auto route = Netlink::open(NETLINK_ROUTE).value();
    std::vector<std::string> names;
    const std::vector<Link> links = list_links(route).value();
    for (const Link& link : links) {
        if (link.name.starts_with("w")) names.push_back(link.name);
    }
    return names;
}

std::uint64_t mtu_of(base::FdRef network_namespace, const std::string& interface) {
    const auto inside = InNamespace::enter(network_namespace).value();
    auto route = Netlink::open(NETLINK_ROUTE).value();
    return get_link(route, interface).value().mtu;
}

}  // namespace test
