// From any world, with cells that do what they are asked, convergence comes to an end.
#include "base/fail.hpp"
#include "stage.hpp"

#include <iostream>
#include <random>

#include <catch2/catch.hpp>

using namespace test;

namespace api = brain::api;
namespace model = brain::model;

namespace {

class Cluster {
  public:
    explicit Cluster(unsigned seed) : random_(seed) {
        for (const auto* cell : {"c0", "c1", "c2"})
            if (std::string(cell) == "c0" || chance(60)) put_cell(stage_.world, cell);
        fresh_ = chance(80);
        if (fresh_)
            for (const auto* domain : {"d", "d2"}) put_domain(stage_.world, domain, 0);
        for (int i = 0; i < 6; ++i) make_process("p" + std::to_string(i));
    }

    // One pass, then what cells and auctioneer do about it; false when there was nothing to do.
    bool pass() {
        bool busy = false;
        for (const auto& view : stage_.world.processes("", 100)) {
            const auto around = model::survey(stage_.world, stage_.now);
            model::Findings findings;
            const bool harmony = model::in_harmony(view, around, stage_.limits);
            auto out = model::plan_process(stage_.ctx(), view, around, findings);
            if (harmony != out.empty()) problem_ = "in_harmony is not what the plan says";
            busy = busy || !out.empty();
            apply(stage_.world, out);
            obey(out);
        }
        live();
        return busy;
    }

    void wait(std::int64_t seconds) { stage_.now += seconds * kSecond; }

    // Each desired index runs once or has been given up; in a fresh domain nothing else is there.
    std::string problem() const {
        if (!problem_.empty()) return problem_;
        for (const auto& view : stage_.world.processes("", 100)) {
            const auto around = model::survey(stage_.world, stage_.now);
            if (model::next_due(view, around, stage_.limits))
                return view.process_guid + ": something is due";
            const auto wanted = view.desired ? view.desired->instances : 0;
            for (std::int32_t i = 0; i < wanted; ++i) {
                const auto row = stage_.world.group(view.process_guid, i).ordinary;
                if (!row) return view.process_guid + ": an index has no row";
                const bool given_up = row->state == LrpState::crashed && row->crash_count >= 200;
                if (row->state != LrpState::running && !given_up)
                    return view.process_guid + ": an index does not run";
            }
            for (const auto& row : view.rows) {
                const bool extra = row->key.index >= wanted;
                // Beside one that was given up, or where nothing may be stopped, it stays.
                const auto ordinary =
                        stage_.world.group(view.process_guid, row->key.index).ordinary;
                if (row->presence == Presence::suspect && !extra &&
                    ordinary->state == LrpState::running)
                    return view.process_guid + ": a suspect stayed";
                if (fresh_ && extra && row->presence != Presence::evacuating)
                    return view.process_guid + ": an index is too many";
            }
        }
        return "";
    }

  private:
    int number(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

    bool chance(int percent) { return number(100) < percent; }

    // Any rows at all, also such as no operation leaves behind.
    void make_process(const std::string& guid) {
        if (chance(80)) {
            auto lrp = desired(guid, number(4));
            if (chance(30)) lrp.routes["internal-routes"] = R"([{"hostname":"a"}])";
            if (chance(30)) lrp.definition.metric_tags["i"].dynamic = api::DynamicTag::index;
            put(stage_.world, lrp);
        }
        for (std::int32_t index = 0; index < 5; ++index)
            for (const auto presence :
                 {Presence::ordinary, Presence::evacuating, Presence::suspect}) {
                if (!chance(presence == Presence::ordinary ? 60 : 20)) continue;
                auto state = static_cast<LrpState>(1 + number(4));
                if (presence != Presence::ordinary)
                    state = chance(70) ? LrpState::running : LrpState::claimed;
                const bool placed = state == LrpState::claimed || state == LrpState::running;
                auto row =
                        actual(guid, index, state, placed ? "c" + std::to_string(number(3)) : "",
                               presence);
                row.instance.instance_guid += placed ? std::to_string(counter_++) : "";
                row.since = stage_.now - number(2'000) * kSecond;
                row.crash_count = chance(10) ? 200 : number(12);
                if (chance(5)) row.key.domain = "d2";
                put(stage_.world, row);
            }
    }

    void start(const api::LrpKey& key, const api::InstanceKey& instance) {
        const auto lrp = stage_.world.desired(key.process_guid);
        api::RunningLrp running;
        running.key = key;
        running.instance = instance;
        running.net_info.address = "10.0.0.1";
        if (lrp) {
            ActualLrp row;
            row.key = key;
            row.instance = instance;
            running.metric_tags = model::resolve_tags(*lrp, row);
            running.internal_routes = model::internal_routes_of(*lrp);
        }
        (void)stage_.take(model::start_lrp(stage_.ctx(), running));
    }

    void obey(const model::Outcome& out) {
        for (const auto& offered : out.starts)
            for (const auto index : offered.indices) {
                if (chance(30)) continue;  // no place this time
                const api::LrpKey key{
                        .process_guid = offered.desired->process_guid,
                        .index = index,
                        .domain = offered.desired->domain};
                const api::InstanceKey instance{
                        .instance_guid = "new-" + std::to_string(counter_++), .cell_id = "c0"};
                if (model::claim_lrp(stage_.ctx(), key, instance)) {
                    (void)stage_.take(model::claim_lrp(stage_.ctx(), key, instance));
                    if (chance(70)) start(key, instance);
                }
            }
        for (const auto& stop : out.stops)
            (void)stage_.take(model::remove_lrp(stage_.ctx(), stop.key, stop.instance));
        for (const auto& update : out.updates) start(update.key, update.instance);
    }

    // What present cells do by themselves: a claimed container comes to run.
    void live() {
        for (const auto& cell : stage_.world.cells())
            for (const auto& row : stage_.world.actuals_on(cell->presence.cell_id))
                if (row->presence == Presence::ordinary && row->state == LrpState::claimed)
                    start(row->key, row->instance);
    }

    std::mt19937 random_;
    Stage stage_;
    bool fresh_ = false;
    int counter_ = 0;
    std::string problem_;
};

}  // namespace

TEST_CASE("from any world convergence reaches harmony and then plans nothing") {
    const unsigned seed = std::random_device()();
    std::cout << "seed " << seed << "\n";
    for (unsigned world = 0; world < 300; ++world) {
        INFO("seed " << seed + world);
        Cluster cluster(seed + world);
        int passes = 0;
        // The longest back-off is sixteen minutes.
        for (int quiet = 0; quiet < 40 && passes < 400; ++passes) {
            quiet = cluster.pass() ? 0 : quiet + 1;
            cluster.wait(31);
        }
        CHECK(passes < 400);
        REQUIRE(cluster.problem() == "");
        CHECK_FALSE(cluster.pass());
    }
}
