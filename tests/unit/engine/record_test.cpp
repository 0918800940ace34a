#include "garden/engine/record.hpp"

#include "garden/engine/depot.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <catch2/catch.hpp>

using namespace garden;

namespace {

ContainerRecord sample() {
    ContainerRecord record;
    record.handle = Handle("web-1");
    record.stage = Stage::created;
    record.spec.handle = record.handle;
    record.spec.image.uri = "docker:///busybox";
    record.spec.env = {"A=1"};
    record.spec.out_rules = {
            {},
            {.protocol = 1,
             .networks = {{.first = "10.0.0.1", .last = ""}},
             .ports = {{.first = 1, .last = 2}},
             .icmp = OutRuleSpec::Icmp{.type = 8, .code = {}},
             .log = true}};
    record.spec.container_class = ContainerClass::privileged_in_userns;
    record.spec.limits.memory_bytes = std::uint64_t{1} << 60;
    record.spec.limits.disk_scope = DiskScope::exclusive;
    record.range_owner = "x-1";
    record.range = {.base = 0x90000, .length = 65'536};
    record.lease = net::Lease{};
    record.lease->id = "abc";
    record.lease->container_ip = "10.254.0.2";
    record.properties = {{"a", "b"}, {"utf8", "\xc3\xa4"}};
    record.events = {"Out of memory"};
    record.oom_kills = 3;
    return record;
}

}  // namespace

TEST_CASE("a record reads back as it was written") {
    const auto record = sample();
    const auto again = parse_record(to_json(record)).value();
    CHECK(to_json(again) == to_json(record));
    CHECK(again.handle == record.handle);
    CHECK(again.spec.limits.memory_bytes == record.spec.limits.memory_bytes);
    CHECK(again.spec.container_class == ContainerClass::privileged_in_userns);
    REQUIRE(again.spec.out_rules.size() == 2);
    CHECK(again.spec.out_rules[1].networks[0].first == "10.0.0.1");
    CHECK(again.spec.out_rules[1].icmp->type == 8);
    CHECK_FALSE(again.spec.out_rules[1].icmp->code);
    REQUIRE(again.lease);
    CHECK(again.lease->container_ip == "10.254.0.2");
    CHECK(again.properties == record.properties);
}

TEST_CASE("credentials never reach the depot") {
    auto record = sample();
    record.spec.image.username = "joe";
    record.spec.image.password = "s3cret";
    CHECK(to_json(record).find("s3cret") == std::string::npos);
    CHECK(to_json(record).find("joe") == std::string::npos);
}

TEST_CASE("a torn or foreign record is an error, not a container") {
    CHECK(parse_record("").error().kind == base::Errc::corrupt);
    CHECK(parse_record("{}").error().kind == base::Errc::corrupt);
    const auto text = to_json(sample());
    CHECK_FALSE(parse_record(text.substr(0, text.size() / 2)));
}

TEST_CASE("a bundle is made once, keeps its record and its process rows, and goes as a whole") {
    char name[] = "/tmp/cloche-depot-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    const auto depot = Depot::open(name).value();
    const Handle handle("web-1");
    const auto bundle = depot.create_bundle(handle).value();
    CHECK(depot.create_bundle(handle).error().kind == base::Errc::already_exists);
    Depot::save(bundle, sample()).value();
    CHECK(Depot::load(bundle).value().handle == handle);
    Depot::save_process(
            bundle, {.id = "p1", .user = "alice", .argv = {"sh", "-c"}, .terminal = true})
            .value();
    const auto rows = Depot::load_processes(bundle);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].argv == std::vector<std::string>{"sh", "-c"});
    Depot::drop_process(bundle, "p1");
    CHECK(Depot::load_processes(bundle).empty());
    CHECK(depot.list().value() == std::vector<Handle>{handle});
    depot.remove(handle).value();
    depot.remove(handle).value();
    CHECK(depot.list().value().empty());
    std::filesystem::remove_all(name);
}
