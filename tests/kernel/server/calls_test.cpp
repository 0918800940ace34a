// Calls about a container and what they answer: properties, limits, info, metrics, grace time
// (garden-api §5, §6, §9).
#include "server_fixture.hpp"
#include "tests/support/needs.hpp"

#include <regex>
#include <thread>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;

namespace {

std::string plain(int status, const std::string& message) {
    return std::to_string(status) + " {\"Type\":\"\",\"Message\":\"" + message +
           "\",\"Handle\":\"\",\"ProcessID\":\"\",\"Binary\":\"\"}\n";
}

// The answers of calls without a result.
constexpr const char* kNone = "200 {}\n";

}  // namespace

TEST_CASE("properties are set, read, listed, filtered and removed") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    fixture.create("d");
    const auto& at = fixture.endpoint();
    CHECK(call(at, "PUT", "/containers/c/properties/a%20b", R"({"value":"c&d"})").line() == kNone);
    CHECK(call(at, "PUT", "/containers/c/properties/a+b", R"({"value":"plus"})").line() == kNone);
    CHECK(call(at, "GET", "/containers/c/properties/a%20b").line() == "200 {\"value\":\"c&d\"}\n");
    CHECK(call(at, "GET", "/containers/c/properties/a+b").line() == "200 {\"value\":\"plus\"}\n");
    // The golden filter of §14, with a container that
    // matches.
    CHECK(call(at, "GET", "/containers?a+b=c%26d&network.x=1").body == "{\"Handles\":[]}\n");
    CHECK(call(at, "PUT", "/containers/c/properties/network.x", R"({"value":"1"})").status == 200);
    CHECK(call(at, "GET", "/containers?a+b=c%26d&network.x=1").body == "{\"Handles\":[\"c\"]}\n");
    CHECK(call(at, "GET", "/containers?nothing=").body == "{\"Handles\":[\"c\",\"d\"]}\n");
    CHECK(call(at, "GET", "/containers?network.x=1&network.x=2").body == "{\"Handles\":[\"c\"]}\n");
    CHECK(call(at, "GET", "/containers?garden.state=all").body == "{\"Handles\":[\"c\",\"d\"]}\n");
    const auto all = call(at, "GET", "/containers/c/properties").body;
    CHECK(all.find(R"("a b":"c&d")") != std::string::npos);
    CHECK(all.find(R"("garden.state":"created")") != std::string::npos);
    CHECK(all.find(R"("garden.network.external-ip":"192.0.2.1")") != std::string::npos);
    CHECK(call(at, "DELETE", "/containers/c/properties/a%20b").line() == kNone);
    CHECK(call(at, "DELETE", "/containers/c/properties/a%20b").line() == kNone);
    CHECK(call(at, "GET", "/containers/c/properties/a%20b").line() ==
          plain(404, "property does not exist: a b"));
}

TEST_CASE("limits are answered as Go's client compares them: whole objects") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    const auto& at = fixture.endpoint();
    const auto created =
            call(at, "POST", "/containers",
                 R"({"handle":"l","limits":{"cpu_limits":{"limit_in_shares":1024},)"
                 R"("memory_limits":{"limit_in_bytes":67108864},"pid_limits":{"max":50}}})");
    REQUIRE(created.status == 200);
    CHECK(call(at, "GET", "/containers/l/limits/memory").body == "{\"limit_in_bytes\":67108864}\n");
    CHECK(call(at, "GET", "/containers/l/limits/disk").body == "{}\n");
    CHECK(call(at, "GET", "/containers/l/limits/bandwidth").body == "{}\n");
    const auto cpu = call(at, "GET", "/containers/l/limits/cpu").body;
    // 1024 shares on cgroup v1, weight 100 on v2; never a
    // member `weight`.
    CHECK((cpu == "{\"limit_in_shares\":1024}\n" || cpu == "{\"limit_in_shares\":100}\n"));
    fixture.create("free");
    CHECK(call(at, "GET", "/containers/free/limits/memory").body == "{}\n");
}

TEST_CASE("info has every member of Go's struct, in its names") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto body = call(fixture.endpoint(), "GET", "/containers/c/info").body;
    CHECK(std::regex_match(
            body,
            std::regex(R"re(\{"State":"active","Events":\[\],"HostIP":"[0-9.]+",)re"
                       R"re("ContainerIP":"[0-9.]+","ContainerIPv6":"",)re"
                       R"re("ExternalIP":"192\.0\.2\.1","ContainerPath":"/[^"]+",)re"
                       R"re("ProcessIDs":\[\],"Properties":\{[^}]*\},"MappedPorts":\[\]\}\n)re")));
    CHECK(call(fixture.endpoint(), "PUT", "/containers/c/stop", "{\"kill\":true}").line() == kNone);
    CHECK(call(fixture.endpoint(), "GET", "/containers/c/info")
                  .body.starts_with("{\"State\":\"stopped\","));
}

TEST_CASE("metrics have every member of Go's struct, in its names") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto body = call(fixture.endpoint(), "GET", "/containers/c/metrics").body;
    std::string pattern = R"(\{"MemoryStat":\{)";
    for (const char* name :
         {"active_anon",
          "active_file",
          "cache",
          "hierarchical_memory_limit",
          "inactive_anon",
          "inactive_file",
          "mapped_file",
          "pgfault",
          "pgmajfault",
          "pgpgin",
          "pgpgout",
          "rss",
          "total_active_anon",
          "total_active_file",
          "total_cache",
          "total_inactive_anon",
          "total_inactive_file",
          "total_mapped_file",
          "total_pgfault",
          "total_pgmajfault",
          "total_pgpgin",
          "total_pgpgout",
          "total_rss",
          "total_unevictable",
          "unevictable",
          "swap",
          "hierarchical_memsw_limit",
          "total_swap",
          "TotalUsageTowardLimit",
          "anon",
          "file",
          "swapcached"})
        pattern += "\"" + std::string(name) + "\":\\d+,";
    pattern.back() = '\\';
    pattern +=
            R"(},"CPUStat":\{"Usage":\d+,"User":\d+,"System":\d+\},"DiskStat":\{)"
            R"("TotalBytesUsed":\d+,"TotalInodesUsed":\d+,"ExclusiveBytesUsed":\d+,)"
            R"("ExclusiveInodesUsed":\d+\},"NetworkStat":(null|\{"RxBytes":\d+,"TxBytes":\d+\}),)"
            R"("PidStat":\{"Current":\d+,"Max":\d+\},"Age":[1-9]\d*,"CPUEntitlement":\d+\})";
    INFO(body);
    CHECK(std::regex_match(body, std::regex(pattern + "\\n")));
    const auto bulk = call(fixture.endpoint(), "GET", "/containers/bulk_metrics?handles=c").body;
    CHECK(std::regex_match(
            bulk, std::regex(R"(\{"c":\{"Metrics":)" + pattern + R"(,"Err":null\}\}\n)")));
}

TEST_CASE("bulk calls have an entry for each handle, errors included") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("a");
    fixture.create("b");
    const auto& at = fixture.endpoint();
    CHECK(call(at, "GET", "/containers/bulk_info?handles=").line() == "200 {}\n");
    CHECK(call(at, "GET", "/containers/bulk_info").line() == "200 {}\n");
    CHECK(call(at, "GET", "/containers/bulk_metrics").line() == "200 {}\n");
    const auto body = call(at, "GET",
                           "/containers/"
                           "bulk_info?handles=a%2Cb%2Cnope")
                              .body;
    CHECK(std::regex_match(
            body, std::regex(R"re(\{"a":\{"Info":\{"State":"active",.*\},"Err":null\},)re"
                             R"re("b":\{"Info":\{"State":"active",.*\},"Err":null\},)re"
                             R"re("nope":\{"Info":\{"State":"",.*\},"Err":\{)re"
                             R"re("Type":"ContainerNotFoundError",)re"
                             R"re("Message":"unknown handle: nope","Handle":"nope",)re"
                             R"re("ProcessID":"","Binary":""\}\}\}\n)re")));
    // A cell's worth of handles in one target, as Go's
    // client sends them.
    std::string many = "/containers/bulk_metrics?handles=a";
    for (int i = 0; i < 2000; ++i)
        many += "%2C00000000-0000-4000-8000-00000000" + std::to_string(1000 + i);
    const auto answer = call(at, "GET", many);
    CHECK(answer.status == 200);
    CHECK(answer.body.find("00000000-0000-4000-8000-"
                           "000000002999") != std::string::npos);
}

TEST_CASE("net in maps a port, tells it in Info, and refuses what is no port or taken") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    fixture.create("d");
    const auto& at = fixture.endpoint();
    const auto map = [&](const char* handle, const char* body) {
        return call(at, "POST", std::string("/containers/") + handle + "/net/in", body);
    };
    CHECK(map("c", R"({"handle":"c","host_port":8080})").body ==
          "{\"host_port\":8080,\"container_port\":8080}\n");
    CHECK(map("c", R"({"container_port":22})").body ==
          "{\"host_port\":61001,\"container_port\":22}\n");
    const auto info = call(at, "GET", "/containers/c/info").body;
    CHECK(info.find(R"("MappedPorts":[{"HostPort":8080,"ContainerPort":8080},)"
                    R"({"HostPort":61001,"ContainerPort":22}])") != std::string::npos);
    CHECK(call(at, "GET", "/containers/c/properties/garden.network.mapped-ports")
                  .body.find("61001") != std::string::npos);
    CHECK(map("d", R"({"host_port":8080})").status == 409);
    CHECK(map("d", R"({"host_port":65536})").line() ==
          plain(400, "65536 to 0: a port is at most 65535"));
    CHECK(call(at, "DELETE", "/containers/c").status == 200);
    CHECK(map("d", R"({"host_port":8080})").status == 200);
}

TEST_CASE("a security group is read and replaced as a whole") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto& at = fixture.endpoint();
    const std::string path = "/cloche/v1/containers/c/net/out";
    CHECK(call(at, "GET", path).body == "[]\n");
    CHECK(call(at, "POST", "/containers/c/net/out", R"({"protocol":1})").line() == kNone);
    const std::string rules = R"([{"protocol":2,"networks":[{"start":"1.2.3.4","end":"1.2.3.9"}],)"
                              R"("ports":[{"start":53,"end":54}],"log":true},)"
                              R"({"protocol":3,"icmps":{"type":8,"code":0}}])";
    CHECK(call(at, "PUT", path, rules).status / 100 == 2);
    CHECK(call(at, "GET", path).body == rules + "\n");
    CHECK(call(at, "PUT", path, R"([{"protocol":9}])").status == 400);
    CHECK(call(at, "GET", path).body == rules + "\n");
    CHECK(call(at, "PUT", path, "[]").status / 100 == 2);
    CHECK(call(at, "GET", path).body == "[]\n");
    CHECK(call(at, "PUT", "/cloche/v1/containers/x/net/out", "[]").status == 404);
}

TEST_CASE("the bandwidth of a living container is limited, and no more") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto& at = fixture.endpoint();
    const std::string path = "/containers/c/limits/bandwidth";
    const std::string limits = R"({"rate":1000000,"burst":50000})";
    CHECK(call(at, "PUT", path, limits).body == limits + "\n");
    CHECK(call(at, "GET", path).body == limits + "\n");
    CHECK(call(at, "PUT", path, "{}").body == "{}\n");
    CHECK(call(at, "GET", path).body == "{}\n");
    CHECK(call(at, "PUT", "/containers/x/limits/bandwidth", limits).status == 404);
}

TEST_CASE("net out of a container that exists, and nothing to do is done") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto& at = fixture.endpoint();
    CHECK(call(at, "POST", "/containers/c/net/out", R"({"protocol":1})").line() == kNone);
    CHECK(call(at, "POST", "/containers/c/net/out",
               R"({"protocol":3,"ports":[{"start":1,"end":2}]})")
                  .line() == plain(400, "Ports cannot be specified for Protocol ICMP"));
    CHECK(call(at, "POST", "/containers/c/net/out", R"({"protocol":5})").line() ==
          plain(400, "invalid protocol: 5"));
    CHECK(call(at, "POST", "/containers/c/net/out",
               R"({"networks":[{"start":"10.0.0.9","end":"10.0.0.1"}]})")
                  .line() == plain(400, "networks: 10.0.0.9 to 10.0.0.1 is no range of addresses"));
    CHECK(call(at, "POST", "/containers/c/net/out/bulk",
               R"([{},{"protocol":1,"networks":[{"end":"1.2.3.4"}],"ports":[{"start":80,"end":80}],"log":true}])")
                  .line() == kNone);
    CHECK(call(at, "POST", "/containers/c/net/out/bulk", "null\n").line() == kNone);
    CHECK(call(at, "POST", "/containers/c/net/out/bulk", "[]\n").line() == kNone);
}

TEST_CASE("a grace time beyond what a clock can hold means never") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    const auto& at = fixture.endpoint();
    constexpr const char* kForEver = "9223372036854775807";
    fixture.create("set");
    CHECK(call(at, "PUT", "/containers/set/grace_time", kForEver).line() == kNone);
    const auto made =
            call(at, "POST", "/containers",
                 std::string(R"({"handle":"made","grace_time":)") + kForEver + "}");
    CHECK(made.status == 200);
    CHECK(call(at, "GET", "/containers/made/properties/garden.grace-time").body.find(kForEver) !=
          std::string::npos);
    std::this_thread::sleep_for(500ms);
    CHECK(call(at, "GET", "/containers?garden.state=all").body ==
          "{\"Handles\":[\"made\",\"set\"]}\n");
}

TEST_CASE("a container that nobody uses for its grace time is destroyed") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto& at = fixture.endpoint();
    const auto alive = [&] { return call(at, "GET", "/containers").body != "{\"Handles\":[]}\n"; };
    CHECK(call(at, "PUT", "/containers/c/grace_time", "0\n").line() == kNone);
    CHECK(call(at, "GET",
               "/containers/c/properties/"
               "garden.grace-time")
                  .body == "{\"value\":\"0\"}\n");
    // An attached client keeps it alive.
    const auto body = base::json::encode(ServerFixture::process({"sleep", "1000"}));
    auto process = begin(at, "POST", "/containers/c/processes", body);
    CHECK(call(at, "PUT", "/containers/c/grace_time", "400000000\n").line() == kNone);
    std::this_thread::sleep_for(1s);
    CHECK(alive());
    process.main.close();
    CHECK(eventually([&] { return !alive(); }));
}

TEST_CASE("an idle connection serves several calls, and a Go client's own call closes it") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    Wire wire(fixture.endpoint());
    for (int i = 0; i < 3; ++i) {
        wire.send(go_hijack("GET", "/ping"));
        CHECK(wire.until("{}\n").starts_with("HTTP/1.1 200 OK\r\n"));
    }
    wire.send(go_request("GET", "/ping"));
    CHECK(wire.rest().find("Connection: close\r\n") != std::string::npos);
}

TEST_CASE("the typed client makes every ordinary call") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    auto client = fixture.client();
    client.ping().value();
    CHECK(client.capacity().value().max_containers > 0);
    garden::api::ContainerSpec spec;
    spec.handle = "typed";
    spec.properties = {{"a", "b"}};
    spec.limits.memory_limits.limit_in_bytes = 64 << 20;
    CHECK(client.create(spec).value() == "typed");
    CHECK(client.create(spec).error().kind == base::Errc::already_exists);
    CHECK(client.list({{"a", "b"}}).value() == std::vector<std::string>{"typed"});
    CHECK(client.info("typed").value().properties.at("a") == "b");
    CHECK(client.metrics("typed").value().age > 0);
    CHECK(client.bulk_info({"typed", "x"}).value().at("x").error->handle == "x");
    CHECK_FALSE(client.bulk_metrics({"typed"}).value().at("typed").error);
    CHECK(client.memory_limits("typed").value().limit_in_bytes == 64 << 20);
    CHECK(client.disk_limits("typed").value().byte_hard == 0);
    CHECK(client.bandwidth_limits("typed").value().rate == 0);
    CHECK(client.cpu_limits("typed").value().weight == 0);
    client.set_property("typed", "k", "v").value();
    CHECK(client.property("typed", "k").value() == "v");
    client.remove_property("typed", "k").value();
    CHECK(client.property("typed", "k").error().kind == base::Errc::not_found);
    CHECK(client.properties("typed").value().contains("garden.state"));
    client.set_grace_time("typed", std::chrono::hours(1)).value();
    CHECK(client.net_in("typed", 0, 80).value().container_port == 80);
    client.net_out("typed", {}).value();
    client.bulk_net_out("typed", {}).value();
    client.stop("typed", true).value();
    client.destroy("typed").value();
    CHECK(client.destroy("typed").error().text == "unknown handle: typed");
}
