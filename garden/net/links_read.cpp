// What links.hpp asks the kernel: interfaces and addresses that are there.
#include "base/fail.hpp"
#include "garden/net/links.hpp"

#include <sys/socket.h>

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace garden::net {

namespace {

// All zero: AF_UNSPEC, and no index.
template <class T>
void of_any_family(nlmsghdr* header) {
    (void)mnl_nlmsg_put_extra_header(header, sizeof(T));
}

int each_attribute(const nlattr* attribute, void* data) {
    auto& table = *static_cast<std::vector<const nlattr*>*>(data);
    const auto type = mnl_attr_get_type(attribute);
    if (type < table.size()) table[type] = attribute;
    return MNL_CB_OK;
}

template <class T>
const T* info_of(const nlmsghdr* header) {
    return static_cast<const T*>(mnl_nlmsg_get_payload(header));
}

// By type; null where the message has none. `T` comes before them, `last` is what the caller reads.
template <class T>
std::vector<const nlattr*> attributes_of(const nlmsghdr* header, std::size_t last) {
    std::vector<const nlattr*> attributes(last + 1);
    (void)mnl_attr_parse(header, sizeof(T), each_attribute, &attributes);
    return attributes;
}

Link parse_link(const nlmsghdr* header) {
    const auto* info = info_of<ifinfomsg>(header);
    const auto attributes = attributes_of<ifinfomsg>(header, IFLA_GROUP);
    Link link{.index = info->ifi_index};
    if (const auto* name = attributes[IFLA_IFNAME]) link.name = mnl_attr_get_str(name);
    if (const auto* group = attributes[IFLA_GROUP]) link.group = mnl_attr_get_u32(group);
    if (const auto* mtu = attributes[IFLA_MTU]) {
        const std::uint32_t value = mnl_attr_get_u32(mtu);
        link.mtu = static_cast<std::uint16_t>(value > 65535 ? 65535 : value);
    }
    if (const auto* state = attributes[IFLA_OPERSTATE])
        link.carries = mnl_attr_get_u8(state) == IF_OPER_UP;
    if (const auto* master = attributes[IFLA_MASTER])
        link.master = static_cast<int>(mnl_attr_get_u32(master));
    if (const auto* stats = attributes[IFLA_STATS64]) {
        rtnl_link_stats64 copy{};
        std::memcpy(
                &copy, mnl_attr_get_payload(stats),
                std::min<std::size_t>(mnl_attr_get_payload_len(stats), sizeof copy));
        link.rx_bytes = copy.rx_bytes;
        link.tx_bytes = copy.tx_bytes;
    }
    return link;
}

std::optional<InterfaceAddress> parse_interface_address(const nlmsghdr* header) {
    const auto* info = info_of<ifaddrmsg>(header);
    const auto attributes = attributes_of<ifaddrmsg>(header, IFA_LOCAL);
    const nlattr* local =
            attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    if (local == nullptr) return {};
    Address address;
    address.length = static_cast<std::uint8_t>(info->ifa_family == AF_INET6 ? 16 : 4);
    if (mnl_attr_get_payload_len(local) != address.length) return {};
    std::memcpy(address.bytes.data(), mnl_attr_get_payload(local), address.length);
    const auto cidr =
            parse_cidr(to_string(address) + "/" + std::to_string(unsigned{info->ifa_prefixlen}));
    if (!cidr) return {};
    return InterfaceAddress{.index = static_cast<int>(info->ifa_index), .address = *cidr};
}

// Everything of one kind: asked for by `request`, read from answers of `type`.
template <class Item, class Parse>
base::Result<std::vector<Item>> list_all(
        Netlink& route, const Messages& request, unsigned type, Parse parse) {
    std::vector<Item> items;
    TRY(route.dump(
            request, [&] { items.clear(); },
            [&](const nlmsghdr* header) {
                if (header->nlmsg_type != type) return;
                if (std::optional<Item> item = parse(header)) items.push_back(*std::move(item));
            }));
    return items;
}

}  // namespace

base::Result<std::vector<Link>> list_links(Netlink& route) {
    Messages request;
    request.add("list interfaces", RTM_GETLINK, NLM_F_DUMP, of_any_family<ifinfomsg>);
    return list_all<Link>(route, request, RTM_NEWLINK, parse_link);
}

base::Result<std::vector<InterfaceAddress>> list_addresses(Netlink& route) {
    Messages request;
    request.add("list addresses", RTM_GETADDR, NLM_F_DUMP, of_any_family<ifaddrmsg>);
    return list_all<InterfaceAddress>(route, request, RTM_NEWADDR, parse_interface_address);
}

base::Result<Link> get_link(Netlink& route, const std::string& name) {
    Messages request;
    request.add("read an interface", RTM_GETLINK, NLM_F_ACK, [&](nlmsghdr* header) {
        of_any_family<ifinfomsg>(header);
        mnl_attr_put_strz(header, IFLA_IFNAME, name.c_str());
    });
    std::optional<Link> link;
    auto got = route.dump(
            request, [] {},
            [&](const nlmsghdr* header) {
                if (header->nlmsg_type == RTM_NEWLINK) link = parse_link(header);
            });
    if (!got && got.error().sys == ENODEV) got.error().kind = base::Errc::not_found;
    TRY(std::move(got).context(name));
    if (!link) return base::fail(base::Errc::not_found, "interface {} does not exist", name);
    return *std::move(link);
}

}  // namespace garden::net
