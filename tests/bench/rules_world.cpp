#include "tests/bench/rules_world.hpp"

#include "base/sys/file.hpp"
#include "garden/net/conntrack.hpp"
#include "garden/net/links.hpp"
#include "garden/net/namespace.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <thread>
#include <vector>

namespace bench {

using namespace garden::net;

namespace {

constexpr const char *kHost = "192.0.2.1", *kOutside = "192.0.2.2", *kGateway = "10.200.0.1";
constexpr const char* kNowhere = "198.51.100.1";  // the outside forwards nothing: no answer
constexpr std::size_t kPackets = 20'000;          // fewer than the kernel tracks flows
constexpr std::size_t kAtOnce = 64;
constexpr int kRounds = 7;

Address ip(const char* text) {
    return parse_address(text).value();
}

// A pair between the thread's namespace and the other, each end with an address of its own.
void connect(
        const std::string& here,
        const char* address,
        const std::string& there,
        const char* peer,
        base::FdRef other) {
    auto route = Netlink::open(NETLINK_ROUTE).value();
    Messages make;
    add_veth(
            make, {.host_name = here,
                   .peer_name = there,
                   .host_mac = {2, 0, 0, 0, 0, 1},
                   .peer_mac = {2, 0, 0, 0, 0, 2},
                   .peer_namespace = other});
    route.transact(make).value();
    const auto raise = [](Netlink& in, const std::string& name, const char* own) {
        Messages up;
        const int index = in.interface_index(name.c_str()).value();
        set_up(up, index, End::container);
        add_address(up, index, ip(own), 24);
        in.transact(up).value();
    };
    raise(route, here, address);
    const auto inside = InNamespace::enter(other).value();
    auto its = Netlink::open(NETLINK_ROUTE).value();
    raise(its, there, peer);
    Messages way;
    add_default_route(way, its.interface_index(there.c_str()).value(), ip(address));
    its.transact(way).value();
}

// Datagrams to a port each, or all to one.
void send_all(int socket, std::size_t count, bool one_flow) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    (void)::inet_pton(AF_INET, kNowhere, &to.sin_addr);
    std::array<sockaddr_in, kAtOnce> targets{};
    std::array<mmsghdr, kAtOnce> messages{};
    char byte = 'b';
    iovec part{.iov_base = &byte, .iov_len = 1};
    for (std::size_t sent = 0; sent < count;) {
        const std::size_t now = std::min(kAtOnce, count - sent);
        for (std::size_t i = 0; i < now; ++i) {
            targets.at(i) = to;
            targets.at(i).sin_port =
                    htons(static_cast<std::uint16_t>(one_flow ? 9 : 10'000 + sent + i));
            messages.at(i).msg_hdr = {
                    .msg_name = &targets.at(i),
                    .msg_namelen = sizeof(sockaddr_in),
                    .msg_iov = &part,
                    .msg_iovlen = 1};
        }
        const int done = ::sendmmsg(socket, messages.data(), static_cast<unsigned>(now), 0);
        if (done <= 0) base::panic("send datagrams");
        sent += static_cast<std::size_t>(done);
    }
}

// Of the thread's namespace; a new one has what the machine has.
void forward(bool on) {
    std::ofstream("/proc/sys/net/ipv4/ip_forward") << (on ? "1" : "0");
}

std::uint64_t bytes_out() {
    auto route = Netlink::open(NETLINK_ROUTE).value();
    return get_link(route, "up0").value().tx_bytes;
}

void forget(const std::string& address) {
    auto netfilter = Netlink::open(NETLINK_NETFILTER).value();
    const auto flows = list_flows(netfilter, ip(address.c_str()), Side::opened).value();
    forget_flows(netfilter, flows, false).value();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.at(values.size() / 2);
}

}  // namespace

double microseconds(std::chrono::steady_clock::time_point since) {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - since)
            .count();
}

base::Fd new_network_namespace() {
    base::Fd made;
    std::thread maker([&] {
        if (::unshare(CLONE_NEWNET) == 0)
            made = base::sys::open_host("/proc/thread-self/ns/net", O_RDONLY).value();
    });
    maker.join();
    if (!made) base::panic("make a network namespace");
    return made;
}

World::World() : outside_(new_network_namespace()) {
    if (::unshare(CLONE_NEWNET) != 0) base::panic("make a network namespace");
    connect("up0", kHost, "out0", kOutside, outside_);
    auto route = Netlink::open(NETLINK_ROUTE).value();
    Messages messages;
    set_up(messages, 1, End::container);
    add_default_route(messages, route.interface_index("up0").value(), ip(kOutside));
    route.transact(messages).value();
    forward(true);
    const auto inside = InNamespace::enter(outside_).value();
    forward(false);  // or packets go to and fro until their time is over
}

std::string interface_of(std::size_t container) {
    return "w-" + std::to_string(container);
}

void connect_by_hand(base::FdRef guest) {
    connect(interface_of(0), kGateway, "eth0", kGuest, guest);
}

Traffic measure_traffic(base::FdRef guest, const std::string& address) {
    const base::Fd socket = [&] {
        const auto inside = InNamespace::enter(guest).value();
        return base::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    }();
    constexpr std::uint64_t kFrame = 14 + 20 + 8 + 1;
    const std::uint64_t before = bytes_out();
    std::vector<double> established, fresh;
    for (int i = 0; i < kRounds; ++i) {
        for (const bool one_flow : {true, false}) {
            const auto start = std::chrono::steady_clock::now();
            send_all(socket.get(), kPackets, one_flow);
            (one_flow ? established : fresh)
                    .push_back(static_cast<double>(kPackets) / microseconds(start) * 1e6);
            forget(address);
        }
    }
    const auto sent = static_cast<double>(2 * kRounds * kPackets * kFrame);
    return {.established = median(established),
            .fresh = median(fresh),
            .arrived = static_cast<double>(bytes_out() - before) / sent};
}

}  // namespace bench
