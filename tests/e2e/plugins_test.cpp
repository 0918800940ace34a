// Garden's plugins (garden-behaviours C.7, C.8): scripts that really connect a container and really
// make its root file system, and what happens to their work when gardend is killed.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/support/needs.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using test::Daemon;
using test::patience;
using test::process;
using test::run_to_end;

namespace {

std::string text_of(const fs::path& path) {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
}

void write_script(const fs::path& path, const std::string& text) {
    std::ofstream(path) << "#!/bin/sh\nset -e\nDIR=" << path.parent_path().string() << "\n" << text;
    REQUIRE(::chmod(path.c_str(), 0755) == 0);
}

// A pair of interfaces, one end in the namespace of the pid it is told. `hang` in its directory
// makes it wait in the middle of "up".
constexpr const char* kNetworkPlugin = R"(
while [ $# -gt 0 ]; do case $1 in --action) action=$2; shift;; --handle) handle=$2; shift;; esac; shift; done
input=$(cat)
echo "$action $handle $input" >> $DIR/calls
case $action in
up)
    pid=$(echo "$input" | sed 's/.*"Pid":\([0-9]*\).*/\1/')
    ip link add plug-$handle type veth peer name eth0 netns $pid
    ip addr add 10.253.0.1/30 dev plug-$handle
    ip link set plug-$handle up
    nsenter -t $pid -n ip addr add 10.253.0.2/30 dev eth0
    nsenter -t $pid -n ip link set eth0 up
    while [ -e $DIR/hang ]; do sleep 0.05; done
    echo '{"properties":{"garden.network.container-ip":"10.253.0.2","garden.network.host-ip":"10.253.0.1",
      "garden.network.external-ip":"192.0.2.9","garden.network.mapped-ports":"[]"},
      "dns_servers":["10.253.0.1"],"search_domains":["apps.internal"]}' ;;
down) ip link del plug-$handle 2>/dev/null || true ;;
net-in) echo '{"host_port":40001,"container_port":8080}' ;;
esac
)";

// A root file system copied for each container.
constexpr const char* kImagePlugin = R"(
while [ $# -gt 0 ]; do
    case $1 in
    --disk-limit-size-bytes|--username|--password) shift;;
    create|delete|stats|capacity) action=$1;;
    --*) ;;
    *) uri=$last; last=$1;;
    esac
    shift
done
echo "$action $uri $last" >> $DIR/calls
case $action in
create)
    cp -a $DIR/rootfs $DIR/made-$last
    while [ -e $DIR/hang ]; do sleep 0.05; done
    echo '{"root":{"path":"'$DIR/made-$last'"},"process":{"env":["FROM=plugin"]},"mounts":[]}' ;;
delete) rm -rf $DIR/made-$last ;;
stats) echo '{"disk_usage":{"total_bytes_used":700,"exclusive_bytes_used":300}}' ;;
capacity) echo '{"capacity":123456}' ;;
esac
)";

bool wait_for(const std::function<bool()>& what) {
    const auto deadline = std::chrono::steady_clock::now() + patience(milliseconds(10'000));
    while (!what()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
}

}  // namespace

TEST_CASE("a network plugin connects containers, and is told of every call and of the end") {
    NEEDS(root, nft);
    Daemon daemon({.start = false});
    const fs::path plugin = daemon.directory() + "/network-plugin";
    write_script(plugin, kNetworkPlugin);
    daemon.add_flags({"--network-plugin", plugin, "--network-plugin-extra-arg", "--config=x"});
    daemon.start();
    auto spec = daemon.spec("one");
    spec.properties = {{"network.app_id", "a"}};
    spec.netout_rules = {{.protocol = 1, .networks = {{.start = "1.2.3.4"}}}};
    REQUIRE(daemon.client().create(spec));
    const auto calls = daemon.directory() + "/calls";
    CHECK(text_of(calls).find("\"app_id\":\"a\"") != std::string::npos);
    CHECK(text_of(calls).find("\"netout_rules\":[{\"protocol\":1") != std::string::npos);

    const auto seen = run_to_end(
            daemon.client(), "one",
            process({"sh", "-c", "cat /proc/net/dev /etc/hosts /etc/resolv.conf"}));
    CHECK(seen.out.find("eth0") != std::string::npos);
    CHECK(seen.out.find("10.253.0.2 one\n") != std::string::npos);
    CHECK(seen.out.find("nameserver 10.253.0.1\n") != std::string::npos);
    CHECK(seen.out.find("search apps.internal\n") != std::string::npos);
    const auto info = daemon.client().info("one").value();
    CHECK(info.container_ip == "10.253.0.2");
    CHECK(info.host_ip == "10.253.0.1");
    CHECK(info.external_ip == "192.0.2.9");

    CHECK(daemon.client().net_out("one", {.protocol = 2}));
    CHECK(text_of(calls).find("net-out one {\"container_ip\":\"10.253.0.2\",\"netout_rule\":{"
                              "\"protocol\":2}}") != std::string::npos);
    const auto mapped = daemon.client().net_in("one", 0, 8080).value();
    CHECK(mapped.host_port == 40001);  // the plugin's word counts
    CHECK(mapped.container_port == 8080);
    CHECK(text_of(calls).find("net-in one {\"HostIP\":\"192.0.2.9\",\"HostPort\":0,"
                              "\"ContainerIP\":\"10.253.0.2\",\"ContainerPort\":8080}") !=
          std::string::npos);
    daemon.restart();
    CHECK(run_to_end(daemon.client(), "one", process({"echo", "still"})).out == "still\n");
    const auto later = daemon.client().info("one").value();
    REQUIRE(later.mapped_ports.size() == 1);
    CHECK(later.mapped_ports.front().host_port == 40001);
    CHECK(later.mapped_ports.front().container_port == 8080);
    CHECK(daemon.client().property("one", "garden.network.mapped-ports").value() ==
          "[{\"HostPort\":40001,\"ContainerPort\":8080}]");
    CHECK(daemon.client().destroy("one"));
    CHECK(text_of(calls).find("down one null") != std::string::npos);
}

TEST_CASE("gardend killed while a network plugin works: the plugin is told to take it down") {
    NEEDS(root, nft);
    Daemon daemon({.start = false});
    const fs::path plugin = daemon.directory() + "/network-plugin";
    write_script(plugin, kNetworkPlugin);
    daemon.add_flags({"--network-plugin", plugin});
    daemon.start();
    const fs::path hang = daemon.directory() + "/hang";
    std::ofstream(hang) << "";
    std::thread client([&] { (void)daemon.new_client()->create(daemon.spec("cut")); });
    const auto calls = daemon.directory() + "/calls";
    const bool up = wait_for([&] { return text_of(calls).find("up cut") != std::string::npos; });
    daemon.kill9();
    fs::remove(hang);
    client.join();
    REQUIRE(up);
    daemon.start();
    CHECK(text_of(calls).find("down cut null") != std::string::npos);
    CHECK(daemon.client().list().value().empty());
    CHECK(daemon.findings() == std::vector<std::string>{});
}

TEST_CASE("an image plugin makes the root file system, tells its use, and deletes it") {
    NEEDS(root, nft);
    Daemon daemon({.start = false});
    const fs::path plugin = daemon.directory() + "/image-plugin";
    write_script(plugin, kImagePlugin);
    daemon.add_flags({"--image-plugin", plugin, "--image-plugin-extra-arg", "--store"});
    daemon.start();
    auto spec = daemon.spec("one");
    spec.image.uri = "docker://reg/app#2";
    REQUIRE(daemon.client().create(spec));
    const auto seen = run_to_end(
            daemon.client(), "one",
            process({"sh", "-c", "echo $FROM; touch /root/mine && stat -c %u /root/mine"}));
    CHECK(seen.out == "plugin\n0\n");
    CHECK(seen.err == "");
    const auto metrics = daemon.client().metrics("one").value();
    CHECK(metrics.disk_stat.total_bytes_used == 700);
    CHECK(metrics.disk_stat.exclusive_bytes_used == 300);
    CHECK(daemon.client().capacity().value().schedulable_disk_in_bytes == 123'456);
    CHECK(fs::exists(daemon.directory() + "/made-one/root/mine"));
    CHECK(daemon.client().destroy("one"));
    CHECK_FALSE(fs::exists(daemon.directory() + "/made-one"));
    CHECK(text_of(daemon.directory() + "/calls").find("create docker://reg/app:2 one\n") !=
          std::string::npos);
}

TEST_CASE("an image plugin that fails, or gardend killed beside it, leaves nothing") {
    NEEDS(root, nft);
    Daemon daemon({.start = false});
    const fs::path plugin = daemon.directory() + "/image-plugin";
    write_script(plugin, kImagePlugin);
    daemon.add_flags({"--image-plugin", plugin});
    daemon.start();
    const fs::path hang = daemon.directory() + "/hang";
    std::ofstream(hang) << "";
    std::thread client([&] { (void)daemon.new_client()->create(daemon.spec("cut")); });
    const fs::path made = daemon.directory() + "/made-cut";
    const bool begun = wait_for([&] { return fs::exists(made / "etc/group"); });
    daemon.kill9();
    fs::remove(hang);
    client.join();
    REQUIRE(begun);
    daemon.start();
    CHECK_FALSE(fs::exists(made));
    CHECK(daemon.client().list().value().empty());

    write_script(plugin, "echo no room >&2; [ \"$1\" = delete ]");
    const auto failed = daemon.client().create(daemon.spec("failed"));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().text.find("image plugin: create: exit status 1: no room") !=
          std::string::npos);
    CHECK(daemon.client().list({{"garden.state", "all"}}).value().empty());
    CHECK(daemon.findings() == std::vector<std::string>{});
}
