#include "garden/net/links.hpp"

#include "base/fail.hpp"

#include <net/if.h>
#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

namespace garden::net {

namespace {

constexpr unsigned kCreate = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
constexpr unsigned kReplace = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;

template <class T>
T* extra(nlmsghdr* header) {
    return static_cast<T*>(mnl_nlmsg_put_extra_header(header, sizeof(T)));
}

int family_of(const Address& address) {
    return address.is_v6() ? AF_INET6 : AF_INET;
}

void put_address(nlmsghdr* header, unsigned type, const Address& address) {
    mnl_attr_put(header, static_cast<std::uint16_t>(type), address.length, address.bytes.data());
}

void put_mac(nlmsghdr* header, unsigned type, const Mac& mac) {
    mnl_attr_put(header, static_cast<std::uint16_t>(type), mac.size(), mac.data());
}

void put_setting(nlmsghdr* header, unsigned number, std::uint32_t value) {
    mnl_attr_put_u32(header, static_cast<std::uint16_t>(number), value);
}

// IPv4 settings of one link; numbers from <linux/ip.h>.
void put_ipv4_settings(nlmsghdr* header, End end) {
    nlattr* family = mnl_attr_nest_start(header, AF_INET);
    nlattr* settings = mnl_attr_nest_start(header, IFLA_INET_CONF);
    put_setting(header, IPV4_DEVCONF_ACCEPT_REDIRECTS, 0);
    put_setting(header, IPV4_DEVCONF_SEND_REDIRECTS, 0);
    put_setting(header, IPV4_DEVCONF_SECURE_REDIRECTS, 0);
    if (end != End::container) {
        put_setting(header, IPV4_DEVCONF_FORWARDING, 1);
        put_setting(header, IPV4_DEVCONF_PROXY_ARP, 0);
        put_setting(header, IPV4_DEVCONF_RP_FILTER, 1);
        // Answer only for the gateway address: a container learns no other address of the host by
        // ARP.
        put_setting(header, IPV4_DEVCONF_ARP_IGNORE, 1);
        put_setting(header, IPV4_DEVCONF_ARP_ANNOUNCE, 2);
    }
    mnl_attr_nest_end(header, settings);
    mnl_attr_nest_end(header, family);
}

}  // namespace

void add_veth(Messages& messages, const VethPair& pair) {
    messages.add("create a veth pair", RTM_NEWLINK, kCreate, [&](nlmsghdr* header) {
        extra<ifinfomsg>(header)->ifi_family = AF_UNSPEC;
        mnl_attr_put_strz(header, IFLA_IFNAME, pair.host_name.c_str());
        mnl_attr_put_u32(header, IFLA_MTU, pair.mtu);
        mnl_attr_put_u32(header, IFLA_GROUP, pair.group);
        put_mac(header, IFLA_ADDRESS, pair.host_mac);
        // One queue each: the default is one per processor, which is memory for nothing here.
        mnl_attr_put_u32(header, IFLA_NUM_TX_QUEUES, 1);
        mnl_attr_put_u32(header, IFLA_NUM_RX_QUEUES, 1);
        nlattr* info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
        nlattr* data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
        nlattr* peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
        extra<ifinfomsg>(header)->ifi_family = AF_UNSPEC;
        mnl_attr_put_strz(header, IFLA_IFNAME, pair.peer_name.c_str());
        mnl_attr_put_u32(header, IFLA_MTU, pair.mtu);
        mnl_attr_put_u32(header, IFLA_NUM_TX_QUEUES, 1);
        mnl_attr_put_u32(header, IFLA_NUM_RX_QUEUES, 1);
        put_mac(header, IFLA_ADDRESS, pair.peer_mac);
        mnl_attr_put_u32(
                header, IFLA_NET_NS_FD, static_cast<std::uint32_t>(pair.peer_namespace.get()));
        mnl_attr_nest_end(header, peer);
        mnl_attr_nest_end(header, data);
        mnl_attr_nest_end(header, info);
    });
}

void add_bridge(Messages& messages, const Bridge& bridge) {
    messages.add("create a bridge", RTM_NEWLINK, kCreate, [&](nlmsghdr* header) {
        extra<ifinfomsg>(header)->ifi_family = AF_UNSPEC;
        mnl_attr_put_strz(header, IFLA_IFNAME, bridge.name.c_str());
        mnl_attr_put_u32(header, IFLA_MTU, bridge.mtu);
        mnl_attr_put_u32(header, IFLA_GROUP, bridge.group);
        put_mac(header, IFLA_ADDRESS, bridge.mac);
        nlattr* info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
        nlattr* data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
        mnl_attr_put_u8(header, IFLA_BR_MCAST_SNOOPING, 0);
        mnl_attr_nest_end(header, data);
        mnl_attr_nest_end(header, info);
    });
}

void set_up(Messages& messages, int index, End end) {
    messages.add("set an interface up", RTM_NEWLINK, NLM_F_ACK, [&](nlmsghdr* header) {
        auto* info = extra<ifinfomsg>(header);
        info->ifi_family = AF_UNSPEC;
        info->ifi_index = index;
        info->ifi_flags = IFF_UP;
        info->ifi_change = IFF_UP;
        nlattr* families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
        put_ipv4_settings(header, end);
        if (end == End::host || end == End::host_v6) {
            // No link-local address on the host's end: IPv6 there is what we configure, nothing
            // else (NET-08).
            nlattr* family = mnl_attr_nest_start(header, AF_INET6);
            mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
            mnl_attr_nest_end(header, family);
        }
        mnl_attr_nest_end(header, families);
    });
}

void set_port(Messages& messages, int index, int bridge, bool isolated) {
    messages.add(
            "attach an interface to the bridge", RTM_NEWLINK, NLM_F_ACK, [&](nlmsghdr* header) {
                auto* info = extra<ifinfomsg>(header);
                info->ifi_index = index;
                mnl_attr_put_u32(header, IFLA_MASTER, static_cast<std::uint32_t>(bridge));
            });
    // Only after the attachment is there a port to isolate; the link is still down, so there is no
    // gap (NET-01).
    messages.add("isolate a bridge port", RTM_NEWLINK, NLM_F_ACK, [&](nlmsghdr* header) {
        auto* info = extra<ifinfomsg>(header);
        info->ifi_index = index;
        nlattr* link = mnl_attr_nest_start(header, IFLA_LINKINFO);
        mnl_attr_put_strz(header, IFLA_INFO_SLAVE_KIND, "bridge");
        nlattr* data = mnl_attr_nest_start(header, IFLA_INFO_SLAVE_DATA);
        mnl_attr_put_u8(header, IFLA_BRPORT_ISOLATED, isolated ? 1 : 0);
        mnl_attr_nest_end(header, data);
        mnl_attr_nest_end(header, link);
    });
}

void delete_link(Messages& messages, int index) {
    messages.add("delete an interface", RTM_DELLINK, NLM_F_ACK, [&](nlmsghdr* header) {
        extra<ifinfomsg>(header)->ifi_index = index;
    });
}

namespace {

void put_interface_address(
        nlmsghdr* header,
        int index,
        const Address& address,
        std::uint8_t prefix,
        const std::optional<Address>& peer) {
    auto* info = extra<ifaddrmsg>(header);
    info->ifa_family = static_cast<std::uint8_t>(family_of(address));
    info->ifa_prefixlen = prefix;
    info->ifa_index = static_cast<std::uint32_t>(index);
    put_address(header, IFA_LOCAL, address);
    put_address(header, IFA_ADDRESS, peer ? *peer : address);
    if (address.is_v6()) {
        mnl_attr_put_u32(
                header, IFA_FLAGS,
                IFA_F_NODAD);  // nobody else can have it, and nobody should wait a second
    } else if (!peer && prefix < 31) {
        Cidr cidr{.network = address, .address = address, .prefix = prefix};
        if (auto whole = parse_cidr(to_string(address) + "/" + std::to_string(unsigned{prefix})))
            cidr = *whole;
        put_address(header, IFA_BROADCAST, range_of(cidr).last);
    }
}

void put_route(nlmsghdr* header, int index, const Address& address, std::uint8_t prefix) {
    auto* info = extra<rtmsg>(header);
    info->rtm_family = static_cast<std::uint8_t>(family_of(address));
    info->rtm_dst_len = prefix;
    info->rtm_table = RT_TABLE_MAIN;
    info->rtm_protocol = RTPROT_STATIC;
    info->rtm_scope = prefix == 0 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    info->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(header, RTA_OIF, static_cast<std::uint32_t>(index));
}

}  // namespace

void add_address(
        Messages& messages,
        int index,
        const Address& address,
        std::uint8_t prefix,
        std::optional<Address> peer) {
    messages.add("add an address", RTM_NEWADDR, kReplace, [&](nlmsghdr* header) {
        put_interface_address(header, index, address, prefix, peer);
    });
}

void delete_address(Messages& messages, int index, const Address& address, std::uint8_t prefix) {
    messages.add("delete an address", RTM_DELADDR, NLM_F_ACK, [&](nlmsghdr* header) {
        put_interface_address(header, index, address, prefix, std::nullopt);
    });
}

void add_route(Messages& messages, int index, const Address& destination, std::uint8_t prefix) {
    messages.add("add a route", RTM_NEWROUTE, kReplace, [&](nlmsghdr* header) {
        put_route(header, index, destination, prefix);
        put_address(header, RTA_DST, destination);
    });
}

void delete_route(Messages& messages, int index, const Address& destination, std::uint8_t prefix) {
    messages.add("delete a route", RTM_DELROUTE, NLM_F_ACK, [&](nlmsghdr* header) {
        put_route(header, index, destination, prefix);
        put_address(header, RTA_DST, destination);
    });
}

void add_default_route(Messages& messages, int index, const Address& gateway) {
    messages.add("add the default route", RTM_NEWROUTE, kReplace, [&](nlmsghdr* header) {
        put_route(header, index, gateway, 0);
        put_address(header, RTA_GATEWAY, gateway);
    });
}

void add_neighbour(Messages& messages, int index, const Address& address, const Mac& mac) {
    messages.add("add a neighbour", RTM_NEWNEIGH, kReplace, [&](nlmsghdr* header) {
        auto* info = extra<ndmsg>(header);
        info->ndm_family = static_cast<std::uint8_t>(family_of(address));
        info->ndm_ifindex = index;
        info->ndm_state = NUD_PERMANENT;
        put_address(header, NDA_DST, address);
        put_mac(header, NDA_LLADDR, mac);
    });
}

void delete_neighbour(Messages& messages, int index, const Address& address) {
    messages.add("delete a neighbour", RTM_DELNEIGH, NLM_F_ACK, [&](nlmsghdr* header) {
        auto* info = extra<ndmsg>(header);
        info->ndm_family = static_cast<std::uint8_t>(family_of(address));
        info->ndm_ifindex = index;
        put_address(header, NDA_DST, address);
    });
}

}  // namespace garden::net
