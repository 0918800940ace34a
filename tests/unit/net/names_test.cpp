#include "garden/net/names.hpp"

#include <catch2/catch.hpp>

using namespace garden::net;

TEST_CASE("interface names fit the kernel's fifteen characters and lead back to the lease") {
    const std::string id = lease_id(1'700'000'000'000'000);
    CHECK(is_lease_id(id));
    CHECK(id != lease_id(1'700'000'000'000'001));
    for (const char* tag : {"", "a", "ab"}) {
        CHECK(host_interface(tag, id).size() <= 15);
        CHECK(bridge_interface(tag, parse_address("10.2.0.0").value()).size() <= 15);
        CHECK(id_of_interface(tag, host_interface(tag, id)) == id);
        CHECK(is_bridge(tag, bridge_interface(tag, parse_address("10.2.0.0").value())));
    }
    CHECK(host_interface("", id) == "w" + id + "-0");
    CHECK(bridge_interface("", parse_address("10.254.0.0").value()) == "wbrdg-0afe0000");
}

TEST_CASE("one daemon's names are not another's") {
    const std::string id = lease_id(77);
    for (const std::string mine : {"", "a", "ab"}) {
        for (const std::string other : {"", "a", "ab", "b"}) {
            if (mine == other) continue;
            CHECK(!id_of_interface(other, host_interface(mine, id)));
            CHECK(interface_group(mine) != interface_group(other));
            CHECK(table_name(mine) != table_name(other));
        }
    }
    CHECK(!id_of_interface("", "wlan0"));
    CHECK(!id_of_chain("c-short"));
    CHECK(id_of_chain(egress_chain(id)) == id);
    CHECK(id_of_chain(ingress_chain(id)) == id);
}

TEST_CASE("a link-local address follows from the MAC address") {
    const Mac mac = container_mac(parse_address("10.254.0.2").value());
    CHECK(mac == Mac{0x02, 0xc1, 10, 254, 0, 2});
    CHECK(to_string(link_local(mac)) == "fe80::c1:aff:fefe:2");
}
