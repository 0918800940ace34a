#include "garden/net/host.hpp"

#include <catch2/catch.hpp>

using namespace garden::net;

namespace {

Lease a_lease() {
    return Lease{.host_ip = "10.254.0.1", .container_ip = "10.254.0.2"};
}

}  // namespace

TEST_CASE("the hosts file names the container by the end of its handle") {
    CHECK(hosts_text({}, a_lease(), "web-1") == "127.0.0.1 localhost\n10.254.0.2 web-1\n");
    const std::string handle(60, 'x');
    CHECK(hosts_text({}, a_lease(), "y" + handle) ==
          "127.0.0.1 localhost\n10.254.0.2 " + std::string(49, 'x') + "\n");
    Lease both = a_lease();
    both.container_ip6 = "fd00::2";
    CHECK(hosts_text({.additional_host_entries = {"1.2.3.4 db"}}, both, "web") ==
          "127.0.0.1 localhost\n::1 localhost\n10.254.0.2 web\nfd00::2 web\n1.2.3.4 db\n");
}

TEST_CASE("the hosts file of a container without a network leads to its loopback") {
    CHECK(hosts_text_of_loopback({}, "web") == "127.0.0.1 localhost\n127.0.0.1 web\n");
    CHECK(hosts_text_of_loopback({.pool6 = "fd00::/48"}, "web") ==
          "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 web\n::1 web\n");
}

TEST_CASE(
        "resolv.conf comes from the configuration, else from the host without its loopback "
        "servers") {
    const std::string host =
            "# comment\nnameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch example.org\noptions "
            "ndots:1\n";
    CHECK(resolv_text({}, a_lease(), host) ==
          "# comment\nnameserver 9.9.9.9\nsearch example.org\noptions ndots:1\n");
    CHECK(resolv_text({.additional_dns_servers = {"1.1.1.1"}}, a_lease(), "nameserver 9.9.9.9") ==
          "nameserver 9.9.9.9\nnameserver 1.1.1.1\n");
    CHECK(resolv_text(
                  {.dns_servers = {"8.8.8.8"}, .additional_dns_servers = {"1.1.1.1"}}, a_lease(),
                  host) == "nameserver 8.8.8.8\nnameserver 1.1.1.1\n");
}

TEST_CASE("a host that resolves for itself only is asked at the gateway") {
    CHECK(resolv_text({}, a_lease(), "nameserver 127.0.0.53\n") == "nameserver 10.254.0.1\n");
    CHECK(resolvers_of({}, "nameserver 127.0.0.53\n").on_gateway);
    const Resolvers listed = resolvers_of({}, "nameserver 127.0.0.1\nnameserver 9.9.9.9\n");
    CHECK(!listed.on_gateway);
    REQUIRE(listed.addresses.size() == 1);
    CHECK(to_string(listed.addresses[0]) == "9.9.9.9");
    CHECK(resolv_text({}, a_lease(), "") == "");
}
