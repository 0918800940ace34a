// lifecycle §3, §5.2.
#include "stage.hpp"

#include <catch2/catch.hpp>

using namespace test;

namespace api = brain::api;
namespace model = brain::model;

namespace {

std::string update(Stage& stage, const api::DesiredLrpUpdate& update) {
    return stage.take(model::update_desired_lrp(stage.ctx(), "p", update));
}

// Two unclaimed or crashed, one claimed, one running, one suspect beside it, one evacuating.
void set_all_states(Stage& stage) {
    put(stage.world, desired("p", 4));
    put(stage.world, actual("p", 0, LrpState::unclaimed));
    put(stage.world, actual("p", 1, LrpState::crashed));
    put(stage.world, actual("p", 2, LrpState::claimed, "c1"));
    put(stage.world, actual("p", 3, LrpState::running, "c1"));
    put(stage.world, actual("p", 0, LrpState::running, "c2", Presence::suspect));
    put(stage.world, actual("p", 3, LrpState::running, "c3", Presence::evacuating));
}

}  // namespace

TEST_CASE("desiring makes a row for each index and offers those that were really made") {
    Stage stage;
    put(stage.world, actual("p", 1, LrpState::running, "c1"));
    auto lrp = desired("p", 3);
    lrp.modification_tag = {.epoch = "a client's", .index = 7};
    CHECK(stage.take(model::desire_lrp(stage.ctx(), lrp)) ==
          "desired-created created created; offer p/0; offer p/2");
    CHECK(stage.last.starts.size() == 1);
    CHECK(stage.world.desired("p")->modification_tag.epoch == "new-0");
    CHECK(stage.world.desired("p")->modification_tag.index == 0);
    CHECK(stage.get()->modification_tag == api::ModificationTag{.epoch = "new-1", .index = 0});
    CHECK(stage.get()->routable == false);
    CHECK(stage.get()->since == stage.now);
    CHECK(stage.row(Presence::ordinary, 1) == "RUNNING c1");
    CHECK(stage.take(model::desire_lrp(stage.ctx(), lrp)) == "ResourceExists");
}

TEST_CASE("an update changes what it names and always counts the tag up") {
    Stage stage;
    CHECK(update(stage, {}) == "ResourceNotFound");
    put(stage.world, desired("p", 0));
    CHECK(update(stage, {}) == "desired-changed");
    CHECK(stage.world.desired("p")->modification_tag.index == 1);
    api::DesiredLrpUpdate all;
    all.annotation = "text";
    all.routes = std::map<std::string, std::string>{{"r", "{}"}};
    all.image_username = "user";
    all.image_password = "password";
    CHECK(update(stage, all) == "desired-changed");
    const auto lrp = stage.world.desired("p");
    CHECK(lrp->definition.annotation == "text");
    CHECK(lrp->routes.size() == 1);
    CHECK(lrp->definition.image_username == "user");
    CHECK(lrp->modification_tag.index == 2);
    all.image_password.reset();
    CHECK(update(stage, all) == "InvalidRequest");
}

TEST_CASE("more instances are made and offered in the new range only") {
    Stage stage;
    put(stage.world, desired("p", 1));
    CHECK(update(stage, {.instances = 3}) ==
          "desired-changed created created; offer p/1; offer p/2");
    CHECK(stage.row() == "");
}

TEST_CASE("fewer instances stop every index from the new count on") {
    Stage stage;
    set_all_states(stage);
    CHECK(update(stage, {.instances = 1}) ==
          "desired-changed removed; stop p/2 on c1; stop p/3 on c1");
    CHECK(stage.row() == "UNCLAIMED");
    CHECK(stage.row(Presence::ordinary, 1) == "");
    CHECK(stage.row(Presence::ordinary, 3) == "RUNNING c1");
    CHECK(stage.row(Presence::evacuating, 3) == "RUNNING c3");
}

TEST_CASE("a removal stops everything but what evacuates") {
    Stage stage;
    set_all_states(stage);
    CHECK(stage.take(model::remove_desired_lrp(stage.ctx(), "p")) ==
          "desired-removed removed removed; stop p/0 on c2; stop p/2 on c1; stop p/3 on c1");
    CHECK(stage.row(Presence::suspect) == "RUNNING c2");
    CHECK(stage.take(model::remove_desired_lrp(stage.ctx(), "p")) == "ResourceNotFound");
}

TEST_CASE("new internal routes or metric tags are sent to every instance that a cell has") {
    Stage stage;
    set_all_states(stage);
    api::DesiredLrpUpdate routes;
    routes.routes =
            std::map<std::string, std::string>{{"internal-routes", R"([{"hostname":"a"}])"}};
    CHECK(update(stage, routes) == "desired-changed; update p/0; update p/2; update p/3");
    CHECK(stage.last.updates[0].internal_routes[0].hostname == "a");
    CHECK(update(stage, routes) == "desired-changed");
    api::DesiredLrpUpdate tags;
    tags.metric_tags = std::map<std::string, api::MetricTagValue>{
            {"i", {.fixed = "", .dynamic = api::DynamicTag::index}},
            {"g", {.fixed = "", .dynamic = api::DynamicTag::instance_guid}},
            {"f", {.fixed = "x", .dynamic = api::DynamicTag::none}}};
    CHECK(update(stage, tags) == "desired-changed; update p/0; update p/2; update p/3");
    CHECK(stage.last.updates[1].metric_tags ==
          api::MetricTags{{"f", "x"}, {"g", "p-2-c1"}, {"i", "2"}});
    api::DesiredLrpUpdate other;
    other.routes = std::map<std::string, std::string>{
            {"internal-routes", R"([{"hostname":"a"}])"}, {"cf-router", "[]"}};
    CHECK(update(stage, other) == "desired-changed");
}

TEST_CASE("internal routes that are no list of hostnames name nothing") {
    auto lrp = desired("p", 1);
    for (const auto* text : {"", "{", "7", "[7]", "{\"hostname\":\"a\"}"}) {
        lrp.routes["internal-routes"] = text;
        CHECK(model::internal_routes_of(lrp).empty());
    }
}

TEST_CASE("what is over a bound is refused with field, value and limit") {
    Stage stage;
    stage.limits.max_instances = 5;
    const auto says = [](const auto& result, const std::string& words) {
        REQUIRE_FALSE(result);
        CHECK(api::error_name(result.error()) == "InvalidRequest");
        CHECK(result.error().text.find(words) != std::string::npos);
    };
    says(model::desire_lrp(stage.ctx(), desired("p", 6)), "instances: 6 is not in 0..5");
    says(model::desire_lrp(stage.ctx(), desired("p", -1)), "instances: -1 is not in 0..5");
    says(model::desire_lrp(stage.ctx(), desired(std::string(300, 'p'), 1)), "limit of 255");
    put(stage.world, desired("p", 1));
    says(model::update_desired_lrp(stage.ctx(), "p", {.instances = 6}), "instances: 6");
    says(model::upsert_domain(stage.ctx(), "", std::chrono::seconds(1)), "domain");
    says(model::upsert_domain(stage.ctx(), "d", std::chrono::seconds(-1)), "ttl: -1 s");
    says(model::upsert_domain(stage.ctx(), "d", std::chrono::seconds::max()), "ttl: ");
}

TEST_CASE("a domain is fresh until its time, rounded to the second, or for ever") {
    Stage stage;
    (void)stage.take(model::upsert_domain(stage.ctx(), "d", std::chrono::seconds(2)));
    const auto domain = stage.world.domain("d");
    CHECK(domain->expires_at == stage.now + 2 * kSecond);
    CHECK(model::is_fresh(*domain, stage.now + kSecond + kSecond / 2 - 1));
    CHECK_FALSE(model::is_fresh(*domain, stage.now + kSecond + kSecond / 2));
    CHECK(model::plan_domain(domain, stage.now + 2 * kSecond - 1).nothing());
    CHECK_FALSE(model::plan_domain(domain, stage.now + 2 * kSecond).nothing());
    CHECK(model::next_due(*domain) == domain->expires_at);
    (void)stage.take(model::upsert_domain(stage.ctx(), "d", std::chrono::seconds(0)));
    CHECK(model::is_fresh(*stage.world.domain("d"), stage.now * 2));
    CHECK_FALSE(model::next_due(*stage.world.domain("d")));
    CHECK(model::plan_domain(stage.world.domain("d"), stage.now * 2).nothing());
}
