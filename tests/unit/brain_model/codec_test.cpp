#include "brain/model/codec.hpp"

#include "base/json_writer.hpp"
#include "records.hpp"

#include <set>

#include <catch2/catch.hpp>

using namespace test;

namespace model = brain::model;

namespace {

ActualLrp full_actual() {
    auto out = actual("p", 3, LrpState::running, "cell-1", Presence::evacuating);
    out.net_info = {
            .address = "10.1.2.3",
            .ports =
                    {{.container_port = 8080,
                      .host_port = 61'001,
                      .container_tls_proxy_port = 61'443,
                      .host_tls_proxy_port = 65'535}},
            .instance_address = "10.255.0.2",
            .preferred_address = brain::api::PreferredAddress::host,
            .instance_ipv6_address = "fd00::2"};
    out.crash_count = 7;
    out.crash_reason = "Exited with status 17 \xff\n\"";
    out.placement_error = "insufficient resources: memory";
    out.since = 1'700'000'000'123'456'789;
    out.modification_tag = {.epoch = "epoch", .index = 4'294'967'295};
    out.internal_routes = {{.hostname = "a.internal"}, {.hostname = ""}};
    out.metric_tags = {{"a", "1"}, {"b", ""}};
    out.routable = false;
    out.availability_zone = "z1";
    return out;
}

template <class Ptr>
Ptr there_and_back(const Ptr& record) {
    const auto changes = model::encode_all(Changed<Ptr>{.before = nullptr, .after = record});
    REQUIRE(changes.size() == 1);
    REQUIRE(changes[0].value);
    auto read = model::decode(changes[0].key, *changes[0].value);
    REQUIRE(read);
    REQUIRE(*read);
    const auto* change = std::get_if<Changed<Ptr>>(&**read);
    REQUIRE(change != nullptr);
    CHECK(change->before == nullptr);
    return change->after;
}

template <class Record>
void is_kept(Record record) {
    const auto given = std::make_shared<const Record>(std::move(record));
    const auto read = there_and_back(given);
    REQUIRE(read != nullptr);
    CHECK(*read == *given);
}

std::string key_of(ActualLrp record) {
    return model::encode_all(Changed<ActualPtr>{
                                     .before = nullptr,
                                     .after = std::make_shared<const ActualLrp>(std::move(record))})
            .at(0)
            .key;
}

}  // namespace

TEST_CASE("every record is read as it was written") {
    is_kept(full_actual());
    is_kept(ActualLrp{});
    auto negative = actual("p", 0, LrpState::crashed);
    negative.since = -5;
    negative.crash_count = -1;
    negative.routable = std::nullopt;
    is_kept(negative);

    auto lrp = desired("p", 3);
    lrp.definition.metric_tags["index"].dynamic = brain::api::DynamicTag::index;
    lrp.definition.env = {{.name = "A", .value = "1"}};
    lrp.routes = {{"cf-router", "[ {\"hostnames\":  [\"a\"] } ]"}, {"other", "this is no JSON"}};
    lrp.update_strategy = brain::api::UpdateStrategy::recreate;
    is_kept(lrp);

    auto work = task("t", TaskState::resolving, "c1");
    work.created_at = 1;
    work.rejection_count = 2;
    work.result = "42";
    work.failure_reason = "reason";
    is_kept(work);

    is_kept(model::Domain{.name = "cf-apps", .expires_at = 1'700'000'000'000'000'000});
    is_kept(model::Domain{.name = "a/b \n\"", .expires_at = 0});
    model::Cell cell;
    cell.presence.cell_id = "cell-1";
    cell.presence.placement_tags = {"x"};
    cell.owner = "owner";
    is_kept(cell);
}

TEST_CASE("keys cannot collide whatever name a client chose") {
    std::set<std::string> keys;
    std::size_t given = 0;
    for (const auto* guid : {"p", "p/1", "p/1/0", "p/", "/", "", "p/1/0/0", "p/-1"})
        for (const std::int32_t index : {0, 1, 10, 2'147'483'647})
            for (const auto presence :
                 {Presence::ordinary, Presence::evacuating, Presence::suspect}) {
                auto record = actual(guid, index, LrpState::running, "c", presence);
                keys.insert(key_of(record));
                given += 1;
                is_kept(record);
            }
    CHECK(keys.size() == given);
}

TEST_CASE("a row that moved has two keys and the old one goes first") {
    const auto before = std::make_shared<const ActualLrp>(
            actual("p", 0, LrpState::running, "c1", Presence::ordinary));
    auto moved = *before;
    moved.presence = Presence::suspect;
    const auto after = std::make_shared<const ActualLrp>(moved);
    const auto changes = model::encode_all(Changed<ActualPtr>{.before = before, .after = after});
    REQUIRE(changes.size() == 2);
    CHECK(changes[0].key == "actual/p/0/0");
    CHECK_FALSE(changes[0].value);
    CHECK(changes[1].key == "actual/p/0/2");
    CHECK(changes[1].value);
    const auto removed = model::encode_all(Changed<ActualPtr>{.before = before, .after = nullptr});
    REQUIRE(removed.size() == 1);
    CHECK_FALSE(removed[0].value);
    CHECK(model::encode_all(Changed<ActualPtr>{.before = before, .after = before}).size() == 1);
}

TEST_CASE("an older form of an actual LRP is read and a newer one refused by name") {
    const auto record = full_actual();
    auto plain = record;
    plain.crash_reason = "text";  // JSON keeps text only
    const auto read = model::decode("actual/p/3/1", "\x01" + base::json::encode(plain));
    REQUIRE(read);
    CHECK(*std::get<Changed<ActualPtr>>(**read).after == plain);

    for (const auto* key : {"actual/p/3/1", "desired/p", "task/t", "domain/d", "cell/c"}) {
        const auto refused = model::decode(key, "\x03whatever");
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind == base::Errc::unsupported);
        CHECK(refused.error().text.find(key) != std::string::npos);
        CHECK(refused.error().text.find("form 3") != std::string::npos);
    }
}

TEST_CASE("a damaged record is corrupt and named") {
    const auto changes = model::encode_all(Changed<ActualPtr>{
            .before = nullptr, .after = std::make_shared<const ActualLrp>(full_actual())});
    const auto& whole = *changes[0].value;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto cut = model::decode(changes[0].key, whole.substr(0, size));
        REQUIRE_FALSE(cut);
        CHECK(cut.error().kind == base::Errc::corrupt);
    }
    CHECK_FALSE(model::decode(changes[0].key, whole + "x"));
    for (const auto* key :
         {"actual/", "actual/p", "actual/p/0", "actual/p/x/0", "actual/p/0/3", "actual/p/00/0",
          "actual/p/0/00", "actual/p/3000000000/0"})
        CHECK_FALSE(model::decode(key, whole));
    // Any one byte changed: read or refused, never a crash.
    for (std::size_t at = 1; at < whole.size(); ++at) {
        auto changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 0xff);
        (void)model::decode(changes[0].key, changed);
    }
    CHECK_FALSE(model::decode("task/t", ""));
    CHECK_FALSE(model::decode("task/t", "\x01{"));
    const auto other = model::decode("task/other", "\x01" + base::json::encode(task("t", {})));
    REQUIRE_FALSE(other);
    CHECK(other.error().text.find("task/t") != std::string::npos);
}

TEST_CASE("an unknown prefix is nothing") {
    const auto read = model::decode("meta/schema", "1");
    REQUIRE(read);
    CHECK_FALSE(*read);
}
