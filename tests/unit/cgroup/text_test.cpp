#include "garden/cgroup/text.hpp"

#include <catch2/catch.hpp>

namespace cg = garden::cgroup;

TEST_CASE("shares become the weight that Garden's clients expect") {
    CHECK(cg::weight_of_shares(0) == 0);
    CHECK(cg::weight_of_shares(1) == 1);
    CHECK(cg::weight_of_shares(2) == 1);
    CHECK(cg::weight_of_shares(10) == 4);
    CHECK(cg::weight_of_shares(50) == 10);
    CHECK(cg::weight_of_shares(100) == 17);
    CHECK(cg::weight_of_shares(280) == 37);
    CHECK(cg::weight_of_shares(1024) == 100);
    CHECK(cg::weight_of_shares(1028) == 101);
    CHECK(cg::weight_of_shares(262144) == 10000);
    CHECK(cg::weight_of_shares(~std::uint64_t{0}) == 10000);
    std::uint64_t last = 0;
    for (std::uint64_t shares = 0; shares < 300000; shares += 97) {
        const auto weight = cg::weight_of_shares(shares);
        REQUIRE(weight >= last);
        REQUIRE(weight <= 10000);
        last = weight;
    }
}

TEST_CASE("the mount table names every hierarchy once, co-mounted controllers together") {
    const auto mounts = cg::parse_mounts(
            "22 1 8:1 / / rw - ext4 /dev/root rw\n"
            "31 23 0:28 / /sys/fs/cgroup ro shared:4 - tmpfs tmpfs ro,mode=755\n"
            "32 31 0:29 / /sys/fs/cgroup/unified rw,nosuid shared:5 - cgroup2 cgroup2 "
            "rw,nsdelegate\n"
            "33 31 0:30 / /sys/fs/cgroup/systemd rw shared:6 - cgroup cgroup "
            "rw,xattr,name=systemd\n"
            "34 31 0:31 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw shared:7 - cgroup cgroup "
            "rw,cpu,cpuacct\n"
            "35 31 0:31 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct\n"
            "36 31 0:33 / /broken rw - cgroup\n");
    REQUIRE(mounts.size() == 3);
    CHECK(mounts[0].unified);
    CHECK(mounts[0].point == "/sys/fs/cgroup/unified");
    CHECK(mounts[1].controllers == std::vector<std::string>{"name=systemd"});
    CHECK(mounts[2].controllers == std::vector<std::string>{"cpu", "cpuacct"});
    CHECK(mounts[2].root == "/docker/abc");
}

TEST_CASE("the own group is found for each controller and for the unified tree") {
    auto groups = cg::parse_own_groups(
            "4:memory:/a\n2:cpu,cpuacct:/b:c\n1:name=systemd:/d\n0::/e\nrubbish\n");
    CHECK(groups["memory"] == "/a");
    CHECK(groups["cpu"] == "/b:c");
    CHECK(groups["cpuacct"] == "/b:c");
    CHECK(groups["name=systemd"] == "/d");
    CHECK(groups[""] == "/e");
}

TEST_CASE("a group is a path below its mount only when the mount shows it") {
    CHECK(cg::below_mount("/", "/").empty());
    CHECK(cg::below_mount("/system.slice/x.service", "/") == "/system.slice/x.service");
    CHECK(cg::below_mount("/docker/abc/in", "/docker/abc") == "/in");
    CHECK(cg::below_mount("/docker/abc", "/docker/abc").empty());
    CHECK(cg::below_mount("/docker/abcdef", "/docker/abc").empty());
    CHECK(cg::below_mount("/../other", "/").empty());
}

TEST_CASE("figures and limits are read as the kernel writes them") {
    auto figures =
            cg::parse_figures("oom_kill_disable 0\nunder_oom 0\noom_kill 3\nodd line here\n\n");
    CHECK(figures["oom_kill"] == 3);
    CHECK(figures.count("odd") == 0);
    CHECK(cg::parse_limit("max\n") == 0);
    CHECK(cg::parse_limit("-1\n") == 0);
    CHECK(cg::parse_limit("9223372036854771712\n") == 0);
    CHECK(cg::parse_limit("67108864\n") == 67108864);
    CHECK(cg::parse_limit("") == 0);
}
