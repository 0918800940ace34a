// The wire: rep state exactly as executor-rep §14.3 shows it, records of the brain both ways, error
// names and numbers.
#include "brain/api/brain.hpp"
#include "rep/api/types.hpp"
#include "tests/unit/rep/worlds.hpp"

#include <catch2/catch.hpp>

using namespace test;
using base::json::decode;
using base::json::encode;

TEST_CASE("the state of a cell has the mixed names of its wire format") {
    rep::api::CellState state;
    state.rep_url = "https://cell-1.cell.service.cf.internal:1801";
    state.cell_id = "cell-1";
    state.rootfs_providers = {
            {"docker", {.arbitrary = true, .names = {}}},
            {"preloaded", {.arbitrary = false, .names = {"cflinuxfs4"}}}};
    state.available_resources = {.memory_mb = 1, .disk_mb = 2, .containers = 3};
    auto lrp = lrp_work("app", 2, 4);
    lrp.instance_guid = "i";
    lrp.state = "RUNNING";
    state.lrps = {lrp};
    auto task = task_work("t", 5);
    task.state = "Running";
    state.tasks = {task};
    state.zone = "z1";
    const std::string text =
            R"({"rep_url":"https://cell-1.cell.service.cf.internal:1801","cell_id":"cell-1",)"
            R"("cell_index":0,"RootFSProviders":{"docker":{"type":"arbitrary"},)"
            R"("preloaded":{"type":"fixed_set","set":{"cflinuxfs4":{}}}},)"
            R"("AvailableResources":{"MemoryMB":1,"DiskMB":2,"Containers":3},)"
            R"("TotalResources":{"MemoryMB":0,"DiskMB":0,"Containers":0},)"
            R"("LRPs":[{"instance_guid":"i","process_guid":"app","index":2,"domain":"apps",)"
            R"("PlacementTags":[],"VolumeDrivers":[],"RootFs":"preloaded:cflinuxfs4",)"
            R"("MemoryMB":4,"DiskMB":0,"MaxPids":0,"state":"RUNNING"}],)"
            R"("Tasks":[{"TaskGuid":"t","Domain":"jobs","PlacementTags":[],"VolumeDrivers":[],)"
            R"("RootFs":"preloaded:cflinuxfs4","MemoryMB":5,"DiskMB":0,"MaxPids":0,)"
            R"("state":"Running","failed":false}],"StartingContainerCount":0,"Zone":"z1",)"
            R"("Evacuating":false,"VolumeDrivers":[],"PlacementTags":[],)"
            R"("OptionalPlacementTags":[],"ProxyMemoryAllocationMB":0})";
    CHECK(encode(state) == text);
    CHECK(decode<rep::api::CellState>(text).value() == state);
}

TEST_CASE("a state full of nulls is an empty one") {
    const auto state = decode<rep::api::CellState>(
            R"({"LRPs":null,"Tasks":null,"RootFSProviders":null,"VolumeDrivers":null,)"
            R"("PlacementTags":null,"OptionalPlacementTags":null,"Zone":null})");
    REQUIRE(state);
    CHECK(*state == rep::api::CellState{});
    CHECK_FALSE(decode<rep::api::RootfsProvider>(R"({"type":"some_set"})"));
    CHECK(decode<rep::api::RootfsProvider>(R"({"type":"fixed_set","set":null})"));
}

TEST_CASE("records of the brain survive their JSON") {
    auto lrp = desired("app", 3);
    lrp.definition.env = {{.name = "A", .value = "1"}};
    lrp.definition.metric_tags["i"] = {
            .fixed = {}, .dynamic = brain::api::DynamicTag::instance_guid};
    lrp.definition.image_layers = {
            {.name = "n",
             .url = "http://x",
             .destination_path = "/",
             .layer_type = brain::api::LayerType::exclusive,
             .media_type = brain::api::MediaType::zip,
             .digest_algorithm = brain::api::DigestAlgorithm::sha512,
             .digest_value = "d"}};
    lrp.definition.log_rate_limit = brain::api::LogRateLimit{.bytes_per_second = -1};
    lrp.monitor = action("/bin/check");
    lrp.routes["cf-router"] = R"([{"hostnames":["a"],"port":8080}])";
    lrp.sidecars = {{.action = action("/bin/side"), .disk_mb = 1, .memory_mb = 2}};
    lrp.update_strategy = brain::api::UpdateStrategy::recreate;
    CHECK(decode<brain::api::DesiredLrp>(encode(lrp)).value() == lrp);

    auto actual = record("i", brain::api::LrpState::running);
    actual.presence = brain::api::Presence::suspect;
    actual.net_info.ports = {{.container_port = 8080, .host_port = 61'000}};
    actual.since = 1'234'567'890'123'456'789;
    actual.modification_tag = {.epoch = "e", .index = 7};
    const auto text = encode(actual);
    CHECK(text.find(R"("process_guid":"app","index":0,"domain":"apps","instance_guid":"i")") !=
          std::string::npos);
    CHECK(text.find(R"("state":"RUNNING")") != std::string::npos);
    CHECK(text.find(R"("presence":"SUSPECT")") != std::string::npos);
    CHECK(text.find("1234567890123456789") != std::string::npos);
    CHECK(decode<brain::api::ActualLrp>(text).value() == actual);
    // As protobuf's JSON numbers them.
    CHECK(decode<brain::api::ActualLrp>(R"({"presence":1})")->presence ==
          brain::api::Presence::evacuating);
    CHECK_FALSE(decode<brain::api::ActualLrp>(R"({"presence":"NOWHERE"})"));
    CHECK_FALSE(decode<brain::api::ActualLrp>(R"({"presence":3})"));

    auto t = test::task("t", "/r");
    t.state = brain::api::TaskState::resolving;
    t.rejection_count = 2;
    CHECK(decode<brain::api::Task>(encode(t)).value() == t);
    const auto presence = rep::plan::presence(
            cell(), {.memory_mb = std::int64_t{1} << 40, .disk_mb = -1, .containers = 249});
    CHECK(presence.capacity.memory_mb == 2'147'483'647);
    CHECK(presence.capacity.disk_mb == 0);
    CHECK(decode<brain::api::CellPresence>(encode(presence)).value() == presence);
}

TEST_CASE("the brain's refusals are found again by name and number") {
    using namespace brain::api;
    CHECK(error_number(make_error(kCannotBeClaimed)) == 15);
    CHECK(error_number(make_error(kCannotBeStarted)) == 16);
    CHECK(error_number(make_error(kCannotBeCrashed)) == 17);
    CHECK(error_number(make_error(kResourceNotFound, "app/0")) == 13);
    const auto transition = make_error(kInvalidStateTransition, "from Running to Pending");
    CHECK(transition.text == "Cannot transition from Running to Pending");
    CHECK(error_number(transition) == 9);
    CHECK(error_name(make_error(kRunningOnDifferentCell, "a not b")) == kRunningOnDifferentCell);
    base::Error other;
    other.kind = base::Errc::unavailable;
    other.text = "cannot claim actual LRP";
    CHECK(error_name(other).empty());
    for (const auto& known : named_errors())
        CHECK(error_number(make_error(known.name)) == known.number);
}
