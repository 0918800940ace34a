// What an operator sets for every container of a host, as the containers feel it.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/support/needs.hpp"

#include <catch2/catch.hpp>

using test::Daemon;
using test::process;
using test::run_to_end;

TEST_CASE("TCP timers of the configuration are those of every container") {
    NEEDS(root, nft);
    Daemon daemon({.start = false});
    daemon.add_flags({"--tcp-keepalive-time", "37", "--tcp-retries2", "6"});
    daemon.start();
    daemon.create("timed");
    const auto seen = run_to_end(
            daemon.client(), "timed",
            process(
                    {"cat", "/proc/sys/net/ipv4/tcp_keepalive_time",
                     "/proc/sys/net/ipv4/tcp_retries2", "/proc/sys/net/ipv4/tcp_retries1"}));
    CHECK(seen.out == "37\n6\n3\n");
}

TEST_CASE("a device rule of the configuration is for privileged containers alone") {
    NEEDS(root, nft);
    constexpr const char* kTry =
            "busybox mknod /dev/loop b 7 0 && head -c 0 /dev/loop && echo opened";
    const auto tried = [&](const std::vector<std::string>& flags, const std::string& name) {
        Daemon daemon({.start = false});
        daemon.add_flags(flags);
        daemon.start();
        auto spec = daemon.spec("tried");
        spec.cloche.container_class = name;
        REQUIRE(daemon.client().create(spec));
        return run_to_end(daemon.client(), "tried", process({"sh", "-c", kTry})).out;
    };
    CHECK(tried({"--device-cgroup-rule", "b 7:0 r"}, "privileged") == "opened\n");
    CHECK(tried({}, "privileged") == "");
    CHECK(tried({"--device-cgroup-rule", "b 7:0 r"}, "unprivileged") == "");
}
