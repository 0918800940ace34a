// Placement by kind, intake with its refusals, conversion in both directions, the cell's state.
#include "rep/plan/convert.hpp"
#include "rep/plan/intake.hpp"
#include "tests/unit/rep/worlds.hpp"

#include <catch2/catch.hpp>

using namespace test;
using namespace rep::plan;

TEST_CASE("a root filesystem matches by scheme, and a preloaded one by name") {
    const auto providers = providers_of({{"cflinuxfs4", ""}}, {"docker"});
    CHECK(rootfs_matches(providers, "preloaded:cflinuxfs4"));
    CHECK(rootfs_matches(providers, "preloaded+layer:cflinuxfs4?layer=http://x&layer_digest=1"));
    CHECK(rootfs_matches(providers, "docker:///cloudfoundry/grace#v1"));
    CHECK_FALSE(rootfs_matches(providers, "preloaded:cflinuxfs3"));
    CHECK_FALSE(rootfs_matches(providers, "preloaded:"));
    CHECK_FALSE(rootfs_matches(providers, "oci:///x"));
    CHECK_FALSE(rootfs_matches(providers, "no url at all"));
    CHECK_FALSE(rootfs_matches(providers, ":x"));
    CHECK_FALSE(rootfs_matches(providers, ""));
}

TEST_CASE("placement tags: required must be desired, desired must be known") {
    using L = std::vector<std::string>;
    CHECK(tags_match({}, {}, {}));
    CHECK(tags_match({"a"}, {"b"}, {"a"}));
    CHECK(tags_match({"a"}, {"b"}, {"b", "a"}));
    CHECK_FALSE(tags_match({"a"}, {}, L{}));  // a tagged cell refuses untagged work
    CHECK_FALSE(tags_match({}, {}, {"a"}));   // an untagged one tagged work
    CHECK_FALSE(tags_match({"a"}, {"b"}, {"b"}));
    CHECK_FALSE(tags_match({"a"}, {"b"}, {"a", "c"}));
    CHECK(tags_match({}, {"b"}, L{}));
}

TEST_CASE("presence names its providers in order") {
    const auto providers = presence_providers({{"a", ""}, {"b", ""}}, {"docker", "oci"});
    REQUIRE(providers.size() == 4);
    CHECK(providers[0].name == "preloaded");
    CHECK(providers[0].properties == std::vector<std::string>{"a", "b"});
    CHECK(providers[1].name == "preloaded+layer");
    CHECK(providers[2].name == "docker");
    CHECK(providers[2].properties.empty());
}

namespace {

std::function<std::string()> counter() {
    return [n = 0]() mutable { return "guid-" + std::to_string(n++); };
}

Snapshot room(std::int64_t memory_mb, std::int64_t containers = 100) {
    Snapshot out;
    out.remaining = {.memory_mb = memory_mb, .disk_mb = 1'000, .containers = containers};
    out.total = out.remaining;
    return out;
}

std::string refusal_of(rep::api::Lrp lrp, const Cell& of, const Snapshot& now) {
    rep::api::Work work;
    work.lrps.push_back(std::move(lrp));
    const auto intake = plan_intake(of, now, work, counter());
    REQUIRE(intake);
    return intake->refused.lrps.empty() ? "" : intake->refused.lrps[0].refusal;
}

}  // namespace

TEST_CASE("intake takes the largest LRPs first and refuses what does not fit any more") {
    rep::api::Work work;
    work.cell_id = kCell;
    work.lrps = {
            lrp_work("a", 0, 100), lrp_work("b", 0, 300), lrp_work("c", 0, 300),
            lrp_work("d", 0, 200)};
    const auto intake = plan_intake(cell(), room(700), work, counter());
    REQUIRE(intake);
    REQUIRE(intake->reservations.size() == 3);
    CHECK(intake->reservations[0].request.tags.at("process-guid") == "b");
    CHECK(intake->reservations[1].request.tags.at("process-guid") == "c");
    CHECK(intake->reservations[2].request.tags.at("process-guid") == "a");
    REQUIRE(intake->refused.lrps.size() == 1);
    CHECK(intake->refused.lrps[0].process_guid == "d");
    CHECK(intake->refused.lrps[0].refusal == "insufficient resources: memory");
    CHECK(intake->refused.cell_id == kCell);
}

TEST_CASE("the proxy's memory is counted for LRPs with a limit and never for tasks") {
    auto with_proxy = cell();
    with_proxy.proxy_memory_mb = 32;
    rep::api::Work work;
    work.lrps = {lrp_work("a", 0, 100), lrp_work("free", 0, 0)};
    work.tasks = {task_work("t", 100)};
    const auto intake = plan_intake(with_proxy, room(1'000), work, counter());
    REQUIRE(intake);
    REQUIRE(intake->reservations.size() == 3);
    CHECK(intake->reservations[0].request.memory_mb == 132);
    CHECK(intake->reservations[1].request.memory_mb == 0);
    CHECK(intake->reservations[2].request.memory_mb == 100);
    CHECK(refusal_of(lrp_work("a", 0, 100), with_proxy, room(131)) ==
          "insufficient resources: memory");
    CHECK(refusal_of(lrp_work("a", 0, 100), with_proxy, room(132)).empty());
}

TEST_CASE("every refusal says why") {
    CHECK(refusal_of(lrp_work("a", 0, 2'000), cell(), room(1, 0)) ==
          "insufficient resources: containers, memory");
    auto lrp = lrp_work("a", 0);
    lrp.needs.rootfs = "preloaded:windows";
    CHECK(refusal_of(lrp, cell(), room(1'000)) ==
          "cell has no root filesystem 'preloaded:windows'");
    lrp = lrp_work("a", 0);
    lrp.needs.volume_drivers = {"smb"};
    CHECK(refusal_of(lrp, cell(), room(1'000)) == "cell lacks a volume driver");
    lrp = lrp_work("a", 0);
    lrp.needs.placement_tags = {"gpu"};
    CHECK(refusal_of(lrp, cell(), room(1'000)) == "placement tags do not match the cell's");
    lrp = lrp_work("a", 0, -1);
    CHECK(refusal_of(lrp, cell(), room(1'000)) == "memory, disk and pids must not be negative");
    lrp = lrp_work("", 0);
    CHECK(refusal_of(lrp, cell(), room(1'000)) ==
          "process_guid and domain must not be empty, index not negative");
    auto leaving = room(1'000);
    leaving.evacuating = true;
    CHECK(refusal_of(lrp_work("a", 0), cell(), leaving) == "cell is evacuating");
}

TEST_CASE("work for another cell is refused as a whole") {
    rep::api::Work work;
    work.cell_id = "cell-2";
    work.lrps = {lrp_work("a", 0)};
    const auto intake = plan_intake(cell(), room(1'000), work, counter());
    REQUIRE_FALSE(intake);
    CHECK(intake.error().text == "cell_id: 'cell-2' is not this cell, 'cell-1'");
}

TEST_CASE("an LRP becomes a run request with its instance variables first") {
    auto lrp = desired("app", 3);
    auto& d = lrp.definition;
    d.env = {{.name = "INSTANCE_INDEX", .value = "mine"}};
    d.log_guid = "log";
    d.log_source = "APP";
    d.metric_tags["source_id"] = {.fixed = "the-source", .dynamic = {}};
    d.metric_tags["idx"] = {.fixed = {}, .dynamic = brain::api::DynamicTag::index};
    d.metric_tags["guid"] = {.fixed = {}, .dynamic = brain::api::DynamicTag::instance_guid};
    d.volume_mounts = {
            {.driver = "nfs",
             .container_dir = "/data",
             .mode = "rw",
             .shared = brain::api::SharedDevice{
                     .volume_id = "v1", .mount_config = R"({"uid":"1000","n":[1]})"}}};
    lrp.routes["internal-routes"] = R"([{"hostname":"a.apps.internal"}])";
    lrp.start_timeout_ms = 60'000;
    auto with_proxy = cell();
    with_proxy.proxy_memory_mb = 32;

    const auto request = run_request(lrp, key("app", 2), "guid-1", with_proxy);
    REQUIRE(request);
    const auto& info = request->info;
    CHECK(request->guid == "guid-1");
    REQUIRE(info.env.size() == 5);
    CHECK(info.env[0].name == "INSTANCE_GUID");
    CHECK(info.env[1].value == "2");
    CHECK(info.env[3].name == "CF_INSTANCE_INDEX");
    CHECK(info.env[4].value == "mine");  // weaker first: the desired one wins
    CHECK(info.cpu_weight == 1);
    CHECK(info.enable_container_proxy);
    REQUIRE(info.ports.size() == 1);
    CHECK(info.ports[0].container_port == 8080);
    CHECK(info.log_rate_limit_bytes_per_second == -1);
    CHECK(info.log_config.index == 2);
    CHECK(info.metrics_config.guid == "the-source");
    CHECK(info.metrics_config.tags.at("idx") == "2");
    CHECK(info.metrics_config.tags.at("guid") == "guid-1");
    REQUIRE(info.internal_routes.size() == 1);
    CHECK(info.internal_routes[0].hostname == "a.apps.internal");
    REQUIRE(info.volume_mounts.size() == 1);
    CHECK(info.volume_mounts[0].mode == 1);
    CHECK(info.volume_mounts[0].config.at("n") == "[1]");
    CHECK(info.start_timeout_ms == 60'000);
    CHECK(info.rootfs == "preloaded:cflinuxfs4");
    CHECK(info.run == lrp.definition.action);
    CHECK(executor::api::validate(info));
}

TEST_CASE("an LRP without ports has no proxy; a weight over the executor's bound is cut") {
    auto lrp = desired("app", 1);
    lrp.ports.clear();
    lrp.definition.cpu_weight = 5'000;
    lrp.definition.log_rate_limit = brain::api::LogRateLimit{.bytes_per_second = 0};
    auto with_proxy = cell();
    with_proxy.proxy_memory_mb = 32;
    const auto request = run_request(lrp, key(), "guid-1", with_proxy);
    REQUIRE(request);
    CHECK_FALSE(request->info.enable_container_proxy);
    CHECK(request->info.cpu_weight == 100);
    CHECK(request->info.log_rate_limit_bytes_per_second == 0);
}

TEST_CASE("what cannot be converted says why") {
    auto lrp = desired("app", 1);
    SECTION("a stack that the cell lost") {
        lrp.definition.rootfs = "preloaded:gone";
        const auto request = run_request(lrp, key(), "g", cell());
        REQUIRE_FALSE(request);
        CHECK(request.error().text == "preloaded rootfs path not found: gone");
    }
    SECTION("a volume with a mode that nobody knows") {
        lrp.definition.volume_mounts = {
                {.driver = "nfs", .container_dir = "/x", .mode = "x", .shared = {}}};
        const auto request = run_request(lrp, key(), "g", cell());
        REQUIRE_FALSE(request);
        CHECK(request.error().text == "volume_mounts: mode 'x' is neither r nor rw");
    }
    SECTION("internal routes that are no list") {
        lrp.routes["internal-routes"] = "7";
        CHECK_FALSE(run_request(lrp, key(), "g", cell()));
    }
}

TEST_CASE("a stack of the operator's map replaces the root filesystem") {
    auto mapped = cell();
    mapped.stacks["cflinuxfs4"] = "/var/stacks/cflinuxfs4.tar";
    const auto request = run_request(desired("app", 1), key(), "g", mapped);
    REQUIRE(request);
    CHECK(request->info.rootfs == "/var/stacks/cflinuxfs4.tar");
}

namespace {

brain::api::ImageLayer layer(const std::string& name, brain::api::LayerType type) {
    return {.name = name,
            .url = "http://blobs/" + name,
            .destination_path = "/home/vcap",
            .layer_type = type,
            .media_type = brain::api::MediaType::tgz,
            .digest_algorithm = brain::api::DigestAlgorithm::sha256,
            .digest_value = "abc"};
}

}  // namespace

TEST_CASE("image layers: shared ones are cached, exclusive ones downloaded before the setup") {
    auto lrp = desired("app", 1);
    lrp.setup = action("/bin/setup");
    lrp.definition.legacy_download_user = "vcap";
    lrp.definition.image_layers = {
            layer("buildpack", brain::api::LayerType::shared),
            layer("droplet", brain::api::LayerType::exclusive),
            layer("second", brain::api::LayerType::exclusive)};
    SECTION("one layer") {
        const auto request = run_request(lrp, key(), "g", cell());
        REQUIRE(request);
        REQUIRE(request->info.cached_dependencies.size() == 1);
        CHECK(request->info.cached_dependencies[0].from == "http://blobs/buildpack");
        REQUIRE(request->info.setup);
        const auto* serial = std::get_if<executor::api::SerialAction>(&request->info.setup->value);
        REQUIRE(serial != nullptr);
        REQUIRE(serial->actions.size() == 2);
        const auto* together =
                std::get_if<executor::api::ParallelAction>(&serial->actions[0].value);
        REQUIRE(together != nullptr);
        CHECK(together->actions.size() == 2);
        CHECK(serial->actions[1] == action("/bin/setup"));
        CHECK(executor::api::validate(request->info));
    }
    SECTION("two layers: the first exclusive one is a part of the root filesystem") {
        auto two = cell();
        two.two_layers = true;
        const auto request = run_request(lrp, key(), "g", two);
        REQUIRE(request);
        CHECK(request->info.rootfs ==
              "preloaded+layer:cflinuxfs4?layer=http%3A%2F%2Fblobs%2Fdroplet&layer_path="
              "%2Fhome%2Fvcap&layer_digest=abc");
        const auto* serial = std::get_if<executor::api::SerialAction>(&request->info.setup->value);
        REQUIRE(serial != nullptr);
        const auto* together =
                std::get_if<executor::api::ParallelAction>(&serial->actions[0].value);
        REQUIRE(together != nullptr);
        CHECK(together->actions.size() == 1);
    }
}

TEST_CASE("a task becomes a run request with its own variables only") {
    auto t = test::task("t-1", "/tmp/result");
    auto& d = t.task_definition.definition;
    d.env = {{.name = "A", .value = "1"}};
    d.metric_tags["idx"] = {.fixed = {}, .dynamic = brain::api::DynamicTag::index};
    d.metric_tags["a"] = {.fixed = "b", .dynamic = {}};
    const auto request = run_request(t, cell());
    REQUIRE(request);
    CHECK(request->guid == "t-1");
    CHECK(request->tags.at("result-file") == "/tmp/result");
    REQUIRE(request->info.env.size() == 1);
    CHECK(request->info.cpu_weight == 1);
    CHECK(request->info.ports.empty());
    CHECK_FALSE(request->info.enable_container_proxy);
    CHECK(request->info.metrics_config.tags == executor::api::Tags{{"a", "b"}});
    CHECK(executor::api::validate(request->info));
}

TEST_CASE("net info prefers the host's address unless the container says otherwise") {
    auto c = lrp_container("g", State::running);
    c.info.ports = {{.container_port = 8080, .host_port = 61'000}};
    auto info = net_info(c);
    CHECK(info.address == "10.0.0.1");
    CHECK(info.instance_address == "10.255.0.1");
    CHECK(info.preferred_address == brain::api::PreferredAddress::host);
    CHECK(info.ports == c.info.ports);
    c.advertise_preference_for_instance_address = true;
    CHECK(net_info(c).preferred_address == brain::api::PreferredAddress::instance);
}

TEST_CASE("the state tells containers by their tags, and counts everything that starts") {
    Snapshot now = room(500);
    now.containers = {
            lrp_container("a", State::reserved), lrp_container("b", State::running),
            task_container("t", State::initializing)};
    auto crashed = lrp_container("c", State::completed);
    crashed.run_result.failed = true;
    auto over = lrp_container("d", State::completed);
    auto done = task_container("u", State::completed);
    done.run_result.failed = true;
    Container untagged;
    untagged.guid = "x";
    untagged.state = State::created;
    now.containers.insert(now.containers.end(), {crashed, over, done, untagged});
    const auto state = cell_state(cell(), now);
    REQUIRE(state.lrps.size() == 4);
    CHECK(state.lrps[0].state == "CLAIMED");
    CHECK(state.lrps[1].state == "RUNNING");
    CHECK(state.lrps[2].state == "CRASHED");
    CHECK(state.lrps[3].state == "SHUTDOWN");
    REQUIRE(state.tasks.size() == 2);
    CHECK(state.tasks[0].state == "Running");
    CHECK(state.tasks[1].state == "Completed");
    CHECK(state.tasks[1].failed);
    CHECK(state.starting_container_count == 3);
    CHECK(state.available_resources.memory_mb == 500);
}
