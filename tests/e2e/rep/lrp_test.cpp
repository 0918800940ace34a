// The life of an LRP: delivered over HTTP, run in a real container, told to the brain (executor-rep
// §17.4, §21, lifecycle §4).
#include "tests/e2e/rep/cell.hpp"
#include "tests/support/needs.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace test;
using brain::api::LrpState;

TEST_CASE("an LRP is claimed and runs with addresses and environment") {
    NEEDS(root, nft);
    Cell cell;
    auto wanted = app("web", kServer, 2);
    wanted.ports = {8080, 9090};
    wanted.definition.env = {{.name = "COLOUR", .value = "blue"}};
    wanted.definition.metric_tags = {
            {"where", {.fixed = {}, .dynamic = brain::api::DynamicTag::index}}};
    wanted.routes["internal-routes"] = R"([{"hostname":"web.internal"}])";
    REQUIRE(cell.brain().desire_lrp(wanted));
    CHECK(cell.record("web", 1).state == LrpState::unclaimed);
    CHECK(cell.place().empty());

    const auto lrp = cell.running("web", 1);
    (void)cell.running("web", 0);
    CHECK(lrp.instance.cell_id == kCellId);
    CHECK(lrp.instance.instance_guid.size() == 28);
    CHECK(lrp.net_info.address == "192.0.2.1");
    CHECK(lrp.availability_zone == "z1");
    CHECK(lrp.routable == true);
    CHECK(lrp.metric_tags == brain::api::MetricTags{{"where", "1"}});
    REQUIRE(lrp.internal_routes.size() == 1);
    CHECK(lrp.internal_routes[0].hostname == "web.internal");
    REQUIRE(lrp.net_info.ports.size() == 2);
    CHECK(lrp.net_info.ports[0].container_port == 8080);
    CHECK(lrp.net_info.ports[0].host_port != 0);
    CHECK(lrp.net_info.ports[1].container_port == 9090);
    CHECK(lrp.net_info.ports[1].host_port != lrp.net_info.ports[0].host_port);
    const auto info = cell.garden().client().info(lrp.instance.instance_guid);
    REQUIRE(info);
    CHECK(lrp.net_info.instance_address == info->container_ip);
    CHECK(soon([&] { return cell.answers(lrp.net_info.ports[0].host_port); }));
}

TEST_CASE("an app sees who it is in its environment") {
    NEEDS(root, nft);
    Cell cell;
    auto wanted = app("env", "env >/tmp/out; sync; exec sleep 1000", 2);
    wanted.ports = {8080};
    wanted.definition.env = {{.name = "COLOUR", .value = "blue"}};
    REQUIRE(cell.brain().desire_lrp(wanted));
    CHECK(cell.place().empty());
    const auto lrp = cell.running("env", 1);
    std::string text;
    REQUIRE(cell.inside(
                    lrp.instance.instance_guid,
                    "while ! grep -q COLOUR /tmp/out; do usleep 1000; done", &text) == 0);
    const auto has = [&](const std::string& line) {
        INFO(line);
        CHECK(("\n" + text).find("\n" + line + "\n") != std::string::npos);
    };
    const auto& net = lrp.net_info;
    const auto host_port = std::to_string(net.ports.at(0).host_port);
    has("INSTANCE_GUID=" + lrp.instance.instance_guid);
    has("CF_INSTANCE_GUID=" + lrp.instance.instance_guid);
    has("INSTANCE_INDEX=1");
    has("CF_INSTANCE_INDEX=1");
    has("COLOUR=blue");
    has("CF_INSTANCE_IP=" + net.address);
    has("CF_INSTANCE_INTERNAL_IP=" + net.instance_address);
    has("CF_INSTANCE_PORT=" + host_port);
    has("CF_INSTANCE_ADDR=" + net.address + ":" + host_port);
}

TEST_CASE("an exit is a crash with its status and its container goes") {
    NEEDS(root, nft);
    Cell cell;
    REQUIRE(cell.brain().desire_lrp(app("bad", "exit 17")));
    CHECK(cell.place().empty());
    REQUIRE(soon([&] { return cell.record("bad").crash_count == 1; }));
    const auto lrp = cell.record("bad");
    CHECK(lrp.state == LrpState::unclaimed);
    CHECK_THAT(lrp.crash_reason, Catch::Contains("Exited with status 17"));
    CHECK(lrp.instance.empty());
    CHECK(soon([&] { return cell.handles().empty() && cell.containers().empty(); }));
    // Two more crashes and nobody places it at once.
    for (const int count : {2, 3}) {
        CHECK(cell.place().empty());
        REQUIRE(soon([&] { return cell.record("bad").crash_count == count; }));
        REQUIRE(soon([&] { return cell.handles().empty() && cell.containers().empty(); }));
    }
    CHECK(cell.record("bad").state == LrpState::crashed);
}

TEST_CASE("a stopped LRP leaves neither record nor container") {
    NEEDS(root, nft);
    Cell cell;
    REQUIRE(cell.brain().desire_lrp(app("app", kForever)));
    CHECK(cell.place().empty());
    const auto guid = cell.running("app").instance.instance_guid;
    CHECK_FALSE(cell.http().stop_lrp("app", "nobody"));
    CHECK_FALSE(cell.http().stop_lrp("other", guid));
    REQUIRE(cell.brain().remove_desired_lrp("app"));
    REQUIRE(cell.http().stop_lrp("app", guid));
    CHECK(soon([&] { return cell.records("app").empty() && cell.gone(guid); }));
}

TEST_CASE("updated routes and metric tags reach the record in a moment") {
    NEEDS(root, nft);
    Cell cell({.adjust = [](auto& config) { config.times.bulk = std::chrono::hours(1); }});
    REQUIRE(cell.brain().desire_lrp(app("app", kForever)));
    CHECK(cell.place().empty());
    const auto before = cell.running("app");
    rep::api::LrpUpdate update;
    update.instance_guid = before.instance.instance_guid;
    update.key = before.key;
    update.internal_routes = {{.hostname = "new.internal"}};
    update.metric_tags = {{"organization", "blue"}};
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(cell.http().update_lrp(update));
    REQUIRE(soon([&] { return cell.record("app").internal_routes == update.internal_routes; }));
    CHECK(std::chrono::steady_clock::now() - begin < patience(milliseconds(1'000)));
    CHECK(cell.record("app").metric_tags == update.metric_tags);
    CHECK(cell.record("app").instance == before.instance);
}

TEST_CASE("an LRP that is never healthy crashes after its start timeout") {
    NEEDS(root, nft);
    Cell cell;
    auto wanted = app("slow", kForever);
    wanted.monitor = shell("exit 1");
    wanted.start_timeout_ms = 2'000;
    REQUIRE(cell.brain().desire_lrp(wanted));
    CHECK(cell.place().empty());
    REQUIRE(soon([&] { return cell.record("slow").state == LrpState::claimed; }));
    REQUIRE(soon([&] { return cell.record("slow").crash_count == 1; }));
    CHECK_THAT(cell.record("slow").crash_reason, Catch::Contains("never healthy after 2"));
    CHECK(soon([&] { return cell.handles().empty(); }));
}

TEST_CASE("an LRP that nobody desires any more when it would run goes again") {
    NEEDS(root, nft);
    Cell cell;
    const auto wanted = app("app", kForever);
    REQUIRE(cell.brain().desire_lrp(wanted));
    auto work = work_of(wanted);
    REQUIRE(cell.brain().remove_desired_lrp("app"));
    CHECK(cell.must_perform(work).empty());
    CHECK(soon([&] { return cell.containers().empty(); }));
    CHECK(cell.records("app").empty());

    // The record is there, the definition is not.
    brain::api::ActualLrp record;
    record.key = {.process_guid = "app", .index = 0, .domain = "apps"};
    record.state = LrpState::unclaimed;
    cell.brain().put(record);
    CHECK(cell.must_perform(work).empty());
    CHECK(soon([&] { return cell.containers().empty() && cell.records("app").empty(); }));
    CHECK(cell.handles().empty());
}

TEST_CASE("a container that gardend lost is a crash") {
    NEEDS(root, nft);
    Cell cell;
    REQUIRE(cell.brain().desire_lrp(app("app", kForever)));
    CHECK(cell.place().empty());
    const auto guid = cell.running("app").instance.instance_guid;
    REQUIRE(cell.garden().client().destroy(guid));
    CHECK(soon([&] { return cell.record("app").crash_count == 1; }));
    CHECK(soon([&] { return cell.gone(guid); }));
}
