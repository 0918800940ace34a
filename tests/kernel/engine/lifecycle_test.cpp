#include "engine_fixture.hpp"
#include "tests/support/needs.hpp"

#include <signal.h>

#include <fstream>
#include <future>
#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace garden;
using test::EngineFixture;

TEST_CASE(
        "a container runs a process, gives its output and its exit code, and leaves nothing "
        "behind") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("c1");
    const auto output = fixture.run(handle, {"sh", "-c", "echo hello; echo goodbye >&2; exit 42"});
    CHECK(output.out == "hello\n");
    CHECK(output.err == "goodbye\n");
    CHECK(output.exit_code == 42);
    fixture.engine().destroy(handle).value();
    CHECK(fixture.engine().list({}).empty());
    CHECK(fixture.findings().empty());
}

TEST_CASE("ID-01: two containers of one image share no host id") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto a = fixture.create("a");
    const auto b = fixture.create("b");
    const auto map_a = fixture.run(a, {"cat", "/proc/self/uid_map"}).out;
    const auto map_b = fixture.run(b, {"cat", "/proc/self/uid_map"}).out;
    std::uint64_t inside = 0;
    std::uint64_t outside_a = 0;
    std::uint64_t outside_b = 0;
    std::uint64_t length = 0;
    REQUIRE(std::sscanf(map_a.c_str(), "%lu %lu %lu", &inside, &outside_a, &length) == 3);
    CHECK(inside == 0);
    CHECK(length == 65'536);
    CHECK(outside_a % 65'536 == 0);
    REQUIRE(std::sscanf(map_b.c_str(), "%lu %lu %lu", &inside, &outside_b, &length) == 3);
    CHECK(outside_a != outside_b);
}

TEST_CASE(
        "a container that wants no network has its loopback and nothing else, also after a "
        "restart") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto spec = fixture.spec("lone");
    spec.network = kNoNetwork;
    const auto handle = fixture.engine().create(std::move(spec), {}).value();
    const auto second = [&] {  // now from prepared seats
        auto again = fixture.spec("lone-2");
        again.network = kNoNetwork;
        return fixture.engine().create(std::move(again), {}).value();
    }();
    const auto connected = fixture.create("connected");
    for (const Handle& each : {handle, second}) {
        CHECK(fixture.run(each, {"sh", "-c", "ls /sys/class/net"}).out == "lo\n");
        CHECK(fixture.run(each, {"sh", "-c", "grep -c . /proc/net/route"}).out ==
              "1\n");  // heading
        CHECK(fixture.run(each, {"busybox", "ping", "-c", "1", "-w", "2", each.get()}).exit_code ==
              0);
    }
    CHECK(fixture.run(handle, {"cat", "/etc/resolv.conf"}).out.empty());
    const auto info = fixture.engine().info(handle).value();
    CHECK(info.container_ip.empty());
    CHECK_FALSE(info.properties.contains("garden.network.container-ip"));
    CHECK(fixture.findings().empty());

    fixture.restart();
    CHECK(fixture.run(handle, {"sh", "-c", "ls /sys/class/net"}).out == "lo\n");
    CHECK(fixture.engine().metrics(handle));
    CHECK_FALSE(fixture.engine().info(connected).value().container_ip.empty());
}

TEST_CASE(
        "NET-06: security groups open what they say, from the start or later, also after a "
        "restart") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto server = fixture.create("server");
    const auto ip = fixture.engine().info(server).value().container_ip;
    REQUIRE(fixture.run(server, {"busybox", "httpd", "-p", "70", "-h", "/etc"}).exit_code == 0);
    // The wget of a static busybox needs libraries for its names.
    const std::vector<std::string> fetch{
            "sh", "-c",
            "printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 " + ip +
                    " 70 | tail -n 1"};
    const OutRuleSpec rule{
            .protocol = 1,
            .networks = {{.first = ip, .last = ""}},
            .ports = {{.first = 70, .last = 70}}};

    const auto late = fixture.create("late");
    CHECK(fixture.run(late, fetch).out.empty());
    const auto refused = fixture.engine().net_out(late, {{.protocol = 3, .ports = rule.ports}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text == "Ports cannot be specified for Protocol ICMP");
    fixture.engine().net_out(late, {rule}).value();
    CHECK(fixture.run(late, fetch).out == "server\n");

    auto spec = fixture.spec("early");
    spec.out_rules = {rule};
    const auto early = fixture.engine().create(std::move(spec), {}).value();
    CHECK(fixture.run(early, fetch).out == "server\n");

    fixture.restart();
    CHECK(fixture.run(late, fetch).out == "server\n");
    const auto stranger = fixture.create("stranger");
    CHECK(fixture.run(stranger, fetch).out.empty());

    auto lone = fixture.spec("lone");
    lone.network = kNoNetwork;
    lone.out_rules = {rule};
    CHECK(fixture.engine().create(std::move(lone), {}).error().kind == base::Errc::invalid);
}

TEST_CASE("users, groups, home and environment come from the container's own files") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("users");
    CHECK(fixture.run(handle, {"id"}, "alice").out ==
          "uid=1001(alice) gid=1010(gardenparty) groups=1010(gardenparty),1011(gardenparty2)\n");
    CHECK(fixture.run(handle, {"sh", "-c", "id -u; id -g; id -G"}).out == "0\n0\n0 10\n");
    CHECK(fixture.run(handle, {"pwd"}, "alice").out == "/home/alice\n");
    CHECK(fixture.run(handle, {"env"}, "alice").out ==
          "PATH=/usr/local/bin:/usr/bin:/bin\nUSER=alice\nHOME=/home/alice\n");
    const auto unknown =
            fixture.engine().run(handle, EngineFixture::process({"true"}, "nobody-here"));
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().text.find(
                  "unable to find user nobody-here: no matching entries in passwd file") !=
          std::string::npos);
}

TEST_CASE("a missing executable is known before run answers") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("missing");
    const auto by_name = fixture.engine().run(handle, EngineFixture::process({"does-not-exist"}));
    REQUIRE_FALSE(by_name);
    CHECK(by_name.error().text.find("executable file not found in $PATH") != std::string::npos);
    const auto by_path =
            fixture.engine().run(handle, EngineFixture::process({"/bin/does-not-exist"}));
    REQUIRE_FALSE(by_path);
    CHECK(by_path.error().text.find("no such file or directory") != std::string::npos);
    CHECK(fixture.engine().processes(handle).value().empty());
}

TEST_CASE("a handle in use, an unknown handle and an unknown process have their texts") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("taken");
    CHECK(fixture.engine().create(fixture.spec("taken"), [](const auto&) {}).error().text ==
          "Handle 'taken' already in use");
    CHECK(fixture.engine().destroy(Handle("nope")).error().text == "unknown handle: nope");
    CHECK(fixture.engine().attach(handle, "nope").error().text == "unknown process: nope");
}

TEST_CASE("the same chosen id is refused while it runs and free again after its exit") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("ids");
    auto process = EngineFixture::process({"sleep", "60"});
    process.id = "some-id";
    const auto first = fixture.engine().run(handle, process).value();
    CHECK(first.process_id == "some-id");
    CHECK(fixture.engine().run(handle, process).error().text.find("already in use") !=
          std::string::npos);
    fixture.engine().signal(handle, "some-id", SIGKILL).value();
    CHECK(fixture.wait(handle, "some-id") == 137);
    process.args = {"0"};
    CHECK(fixture.finish(handle, fixture.engine().run(handle, process).value()).exit_code == 0);
}

TEST_CASE("a privileged container has no user namespace and all that the daemon holds") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto spec = fixture.spec("priv");
    spec.container_class = ContainerClass::privileged;
    const auto handle = fixture.engine().create(spec, [](const auto&) {}).value();
    CHECK(fixture.run(handle, {"cat", "/proc/self/uid_map"}).out.find("4294967295") !=
          std::string::npos);
    CHECK(fixture.run(handle, {"grep", "Seccomp:", "/proc/self/status"}).out == "Seccomp:\t2\n");
    spec.handle = Handle("priv-userns");
    spec.container_class = ContainerClass::privileged_in_userns;
    const auto nested = fixture.engine().create(spec, [](const auto&) {}).value();
    CHECK(fixture.run(nested, {"cat", "/proc/self/uid_map"}).out.find("65536") !=
          std::string::npos);
}

TEST_CASE("files go in and out with their user") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("files");
    fixture.run(
            handle,
            {"sh", "-c",
             "mkdir -p /tmp/x/sub; echo data > /tmp/x/sub/file; ln -s file /tmp/x/sub/link"},
            "alice");
    auto outgoing = fixture.engine().stream_out(handle, "alice", "/tmp/x/").value();
    fixture.engine().stream_in(handle, "alice", "/home/alice/copy", outgoing.tar).value();
    outgoing.finish().value();
    CHECK(fixture.run(handle, {"cat", "/home/alice/copy/sub/file"}).out == "data\n");
    CHECK(fixture.run(handle, {"readlink", "/home/alice/copy/sub/link"}).out == "file\n");
    CHECK(fixture.run(handle, {"stat", "-c", "%u:%g", "/home/alice/copy/sub/file"}).out ==
          "1001:1010\n");
    const auto missing = fixture.engine().stream_out(handle, "root", "/does/not/exist");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().text.starts_with("stream-out"));
}

TEST_CASE("stop reaches grandchildren, and a process that ignores TERM is killed in the end") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("stop");
    const auto process =
            fixture.engine()
                    .run(handle, EngineFixture::process({"sh", "-c", "sh -c 'sleep 600' & wait"}))
                    .value();
    fixture.engine().stop(handle, true).value();
    CHECK(fixture.wait(handle, process.process_id) == 137);
    CHECK(fixture.engine().info(handle).value().state == "stopped");
    CHECK(fixture.run(handle, {"echo", "still here"}).out == "still here\n");
}

TEST_CASE("bind mounts, properties, limits and info are as asked for") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto spec = fixture.spec("full");
    spec.bind_mounts = {
            {.source = fixture.rootfs() + "/etc",
             .destination = "/mnt/etc",
             .writable = false,
             .origin_container = false}};
    spec.properties = {{"owner", "me"}};
    spec.limits.memory_bytes = 64 << 20;
    spec.limits.pids = 20;
    spec.env = {"CONTAINER_ENV=1"};
    const auto handle = fixture.engine().create(spec, [](const auto&) {}).value();
    CHECK(fixture.run(handle, {"head", "-n1", "/mnt/etc/passwd"}).out ==
          "root:x:0:0:root:/root:/bin/sh\n");
    CHECK(fixture.run(handle, {"touch", "/mnt/etc/x"}).exit_code != 0);
    CHECK(fixture.run(handle, {"env"}).out.find("CONTAINER_ENV=1\n") != std::string::npos);
    CHECK(fixture.run(handle, {"hostname"}).out == "full\n");
    CHECK(fixture.engine().limits(handle).value().memory_bytes == 64 << 20);
    CHECK(fixture.engine().property(handle, "owner").value() == "me");
    fixture.engine().set_property(handle, "owner", "you").value();
    CHECK(fixture.engine().list({{"owner", "you"}}).size() == 1);
    CHECK(fixture.engine().list({{"owner", "me"}}).empty());
    const auto info = fixture.engine().info(handle).value();
    CHECK(info.state == "active");
    CHECK(info.container_ip.starts_with("10.254."));
    const auto metrics = fixture.engine().metrics(handle).value();
    CHECK(metrics.cgroup.pids.max == 20);
    CHECK(metrics.age.count() > 0);
}

TEST_CASE("an OOM kill leaves the container alive and an event behind") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto spec = fixture.spec("oom");
    spec.limits.memory_bytes = 16 << 20;
    const auto handle = fixture.engine().create(spec, [](const auto&) {}).value();
    const auto output =
            fixture.run(handle, {"sh", "-c", "x=$(dd if=/dev/zero bs=1M count=64 | tr '\\0' 'x')"});
    CHECK(output.exit_code != 0);
    CHECK(fixture.run(handle, {"echo", "alive"}).out == "alive\n");
    const auto events = fixture.engine().info(handle).value().events;
    CHECK(std::find(events.begin(), events.end(), "Out of memory") != events.end());
}

TEST_CASE("an idle container goes when its grace time is over") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    auto spec = fixture.spec("grace");
    spec.grace_time = std::chrono::milliseconds(200);
    const auto handle = fixture.engine().create(spec, [](const auto&) {}).value();
    auto busy = fixture.engine().touch(handle);
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    CHECK(fixture.engine().list({}).size() == 1);
    busy.reset();
    for (int i = 0; i < 100 && !fixture.engine().list({{"garden.state", "all"}}).empty(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    CHECK(fixture.engine().list({{"garden.state", "all"}}).empty());
}

TEST_CASE("addresses of containers that were destroyed together are free again") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    fixture.stop();
    fixture.config().pool_size = 0;  // prepared seats have addresses, too
    fixture.start();
    const auto free = [&] {
        return nlohmann::json::parse(fixture.engine().features_json().value())["network"]["free"]
                .get<std::uint64_t>();
    };
    const auto before = free();
    std::vector<Handle> handles;
    for (int i = 0; i < 4; ++i) handles.push_back(fixture.create("c" + std::to_string(i)));
    CHECK(free() == before - handles.size());
    for (const auto& handle : handles) fixture.engine().destroy(handle).value();
    for (int i = 0; i < 400 && free() != before; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(free() == before);
}

TEST_CASE("eight clients create, run and destroy at once") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    std::vector<std::thread> clients;
    std::atomic<int> good{0};
    for (int client = 0; client < 8; ++client) {
        clients.emplace_back([&, client] {
            for (int i = 0; i < 5; ++i) {
                const auto name = "c" + std::to_string(client) + "-" + std::to_string(i);
                auto handle = fixture.engine().create(fixture.spec(name), [](const auto&) {});
                if (!handle) continue;
                auto process = fixture.engine().run(*handle, EngineFixture::process({"true"}));
                if (!process) continue;
                std::promise<int> code;
                fixture.engine().wait(*handle, process->process_id, [&](auto result) {
                    code.set_value(result ? *result : -1);
                });
                if (code.get_future().get() != 0) continue;
                if (fixture.engine().destroy(*handle)) ++good;
            }
        });
    }
    for (auto& client : clients) client.join();
    CHECK(good == 40);
    CHECK(fixture.findings().empty());
}
