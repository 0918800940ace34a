// Random operations on the world and on the reference; both must say and become the same.
#include "base/json_writer.hpp"
#include "base/parse.hpp"
#include "brain/model/converge.hpp"
#include "brain/model/desired_rules.hpp"
#include "brain/model/lrp_rules.hpp"
#include "brain/model/task_rules.hpp"
#include "invariants.hpp"
#include "mirror.hpp"
#include "records.hpp"
#include "reference.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>

#include <catch2/catch.hpp>

using namespace test;

namespace model = brain::model;

namespace {

std::multiset<std::string> effects_of(const model::Outcome& out) {
    std::multiset<std::string> said;
    const auto at = [](const std::string& guid, int index) {
        return guid + "/" + std::to_string(index);
    };
    for (const auto& start : out.starts)
        for (const auto index : start.indices)
            said.insert("offer " + at(start.desired->process_guid, index));
    for (const auto& stop : out.stops)
        said.insert(
                "stop " + at(stop.key.process_guid, stop.key.index) + " " +
                stop.instance.instance_guid);
    for (const auto& update : out.updates)
        said.insert(
                "update " + at(update.key.process_guid, update.key.index) +
                update.instance.instance_guid);
    for (const auto& task : out.task_starts) said.insert("offer task " + task->task_guid);
    for (const auto& cancel : out.cancels)
        said.insert("cancel " + cancel.task_guid + " on " + cancel.cell_id);
    for (const auto& task : out.callbacks) said.insert("tell " + task->task_guid);
    return said;
}

// Both name epochs in their own order: each of one side must always be the same one of the other.
class Epochs {
  public:
    bool same(const std::string& ours, const std::string& theirs) {
        const auto [a, new_a] = ours_.try_emplace(ours, theirs);
        const auto [b, new_b] = theirs_.try_emplace(theirs, ours);
        return new_a == new_b && a->second == theirs && b->second == ours;
    }

  private:
    std::map<std::string, std::string> ours_, theirs_;
};

class Game {
  public:
    explicit Game(unsigned seed) : random_(seed) {
        reference_.limits = limits_;
        reference_.now = now_;
    }

    void step() {
        pass_time();
        reference_.effects.clear();
        reference_.answer = false;
        outcome_ = {};
        refusal_.clear();
        answer_ = false;
        expected_.clear();
        const int kind = number(100);
        if (kind < 14)
            client();
        else if (kind < 60)
            cell();
        else if (kind < 64)
            cells();
        else if (kind < 80)
            task();
        else
            converge();
    }

    // What is not the same, "" when all is.
    std::string differs() {
        if (refusal_ != expected_) return "refused as '" + refusal_ + "', not '" + expected_ + "'";
        if (answer_ != reference_.answer) return "answer";
        if (effects_of(outcome_) != reference_.effects) return "effects";
        if (auto text = rows_differ(); !text.empty()) return text;
        if (auto text = others_differ(); !text.empty()) return text;
        if (auto text = mirror_.differs(world_); !text.empty()) return "mirror: " + text;
        return "";
    }

    std::string broken() const { return test::broken(world_); }

    const std::string& last() const { return last_; }

    std::map<std::string, int> seen;  // operation and refusal: how often

  private:
    int number(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

    bool chance(int percent) { return number(100) < percent; }

    std::string guid() { return "p" + std::to_string(number(4)); }

    std::string domain() { return chance(90) ? "d0" : "d1"; }

    std::string any_cell() { return "c" + std::to_string(number(4)); }

    void pass_time() {
        if (chance(40)) now_ += number(1000) * 1'000'000;
        if (chance(15)) now_ += number(40) * kSecond;
        if (chance(2)) now_ += number(1200) * kSecond;
        reference_.now = now_;
    }

    model::Context context() {
        return {.world = world_, .now = now_, .new_guid = new_guid_, .limits = limits_};
    }

    void take(model::Outcome out) {
        test::apply(world_, out);
        mirror_.see(out);
        outcome_.append(std::move(out));
    }

    void take(base::Result<model::Outcome> out) {
        if (out)
            take(std::move(out).value());
        else
            refusal_ = brain::api::error_name(out.error());
    }

    void take(base::Result<model::Evacuated> out) {
        if (!out) return take(base::Result<model::Outcome>(std::move(out).error()));
        answer_ = out->keep_container;
        take(std::move(out->outcome));
    }

    void take(base::Result<model::StartedTask> out) {
        if (!out) return take(base::Result<model::Outcome>(std::move(out).error()));
        answer_ = out->should_start;
        take(std::move(out->outcome));
    }

    std::map<std::string, brain::api::MetricTagValue> some_tags() {
        std::map<std::string, brain::api::MetricTagValue> out;
        if (chance(50)) out["fixed"].fixed = std::to_string(number(2));
        if (chance(30)) out["index"].dynamic = brain::api::DynamicTag::index;
        if (chance(30)) out["guid"].dynamic = brain::api::DynamicTag::instance_guid;
        return out;
    }

    std::map<std::string, std::string> some_routes() {
        switch (number(3)) {
            case 0:
                return {};
            case 1:
                return {{"internal-routes", R"([{"hostname":"h1"}])"}, {"other", "7"}};
            default:
                return {{"internal-routes", R"([{"hostname":"h1"},{"hostname":"h2"}])"}};
        }
    }

    void client() {
        switch (number(5)) {
            case 0:
            case 1: {
                last_ = "desire";
                auto lrp = desired(guid(), number(5));
                lrp.domain = domain();
                lrp.routes = some_routes();
                lrp.definition.metric_tags = some_tags();
                if (chance(30)) lrp.update_strategy = brain::api::UpdateStrategy::recreate;
                expected_ = reference_.desire(lrp);
                return take(model::desire_lrp(context(), lrp));
            }
            case 2: {
                last_ = "update";
                brain::api::DesiredLrpUpdate update;
                if (chance(60)) update.instances = number(5);
                if (chance(30)) update.routes = some_routes();
                if (chance(30)) update.metric_tags = some_tags();
                if (chance(30)) update.annotation = "text";
                const auto name = guid();
                expected_ = reference_.update(name, update);
                return take(model::update_desired_lrp(context(), name, update));
            }
            case 3: {
                last_ = "remove desired";
                const auto name = guid();
                expected_ = reference_.remove_desired(name);
                return take(model::remove_desired_lrp(context(), name));
            }
            default: {
                last_ = "domain";
                const auto name = domain();
                const int seconds = chance(10) ? 0 : number(200);
                reference_.upsert_domain(name, seconds);
                return take(model::upsert_domain(context(), name, std::chrono::seconds(seconds)));
            }
        }
    }

    // Mostly of a row that is there, with the instance that it has.
    brain::api::RunningLrp who() {
        brain::api::RunningLrp out;
        const auto rows = all_rows(world_);
        if (!rows.empty() && chance(90)) {
            const auto& row =
                    *rows[static_cast<std::size_t>(number(static_cast<int>(rows.size())))];
            out.key = row.key;
            if (chance(75)) out.instance = row.instance;
        } else {
            out.key = {.process_guid = guid(), .index = number(5), .domain = domain()};
        }
        if (chance(2)) out.key.domain = domain();
        if (out.instance.empty())
            out.instance = {
                    .instance_guid = "i" + std::to_string(number(40)), .cell_id = any_cell()};
        out.net_info.address = chance(80) ? "10.0.0.1" : "10.0.0.2";
        out.routable = chance(80);
        if (const auto lrp = world_.desired(out.key.process_guid); lrp && chance(70)) {
            ActualLrp row;
            row.key = out.key;
            row.instance = out.instance;
            out.metric_tags = model::resolve_tags(*lrp, row);
            out.internal_routes = model::internal_routes_of(*lrp);
            std::ranges::reverse(out.internal_routes);
        }
        return out;
    }

    void cell() {
        const auto running = who();
        const auto& key = running.key;
        const auto& instance = running.instance;
        const auto ctx = context();
        switch (number(14)) {
            case 0:
            case 1:
                last_ = "claim";
                expected_ = reference_.claim(key, instance);
                return take(model::claim_lrp(ctx, key, instance));
            case 2:
            case 3:
            case 4:
                last_ = "start";
                expected_ = reference_.start(running);
                return take(model::start_lrp(ctx, running));
            case 5:
            case 6:
                last_ = "crash";
                expected_ = reference_.crash(key, instance, "reason");
                return take(model::crash_lrp(ctx, key, instance, "reason"));
            case 7:
                last_ = "fail";
                expected_ = reference_.fail(key, "no place");
                return take(model::fail_lrp(ctx, key, "no place"));
            case 8: {
                last_ = "remove";
                const auto given = chance(20) ? brain::api::InstanceKey() : instance;
                expected_ = reference_.remove(key, given);
                return take(model::remove_lrp(ctx, key, given));
            }
            case 9:
                last_ = "retire";
                expected_ = reference_.retire(key.process_guid, key.index);
                return take(model::retire_lrp(ctx, key.process_guid, key.index));
            default:
                return evacuate(running);
        }
    }

    void evacuate(const brain::api::RunningLrp& running) {
        const auto ctx = context();
        const auto& key = running.key;
        const auto& instance = running.instance;
        switch (number(7)) {
            case 0:
                last_ = "evacuate claimed";
                expected_ = reference_.evacuate_claimed(key, instance);
                return take(model::evacuate_claimed_lrp(ctx, key, instance));
            case 1:
                last_ = "evacuate stopped";
                expected_ = reference_.evacuate_stopped(key, instance);
                return take(model::evacuate_stopped_lrp(ctx, key, instance));
            case 2:
                last_ = "evacuate crashed";
                expected_ = reference_.evacuate_crashed(key, instance, "reason");
                return take(model::evacuate_crashed_lrp(ctx, key, instance, "reason"));
            case 3:
                last_ = "remove evacuating";
                expected_ = reference_.remove_evacuating(key, instance);
                return take(model::remove_evacuating_lrp(ctx, key, instance));
            default:
                last_ = "evacuate running";
                expected_ = reference_.evacuate_running(running);
                return take(model::evacuate_running_lrp(ctx, running));
        }
    }

    void cells() {
        last_ = "cell";
        const auto name = any_cell();
        if (world_.cell(name)) {
            remove_cell(world_, name);
            reference_.cells.erase(name);
        } else {
            put_cell(world_, name);
            reference_.cells.insert(name);
        }
    }

    void task() {
        const auto name = "t" + std::to_string(number(4));
        const auto ctx = context();
        const auto there = world_.task(name);
        const auto cell =
                there && !there->cell_id.empty() && chance(70) ? there->cell_id : any_cell();
        last_ = "task";
        switch (number(9)) {
            case 0:
            case 1: {
                auto given = test::task(name, TaskState::pending);
                if (chance(30)) given.task_definition.completion_callback_url.clear();
                expected_ = reference_.desire_task(given);
                return take(model::desire_task(ctx, given));
            }
            case 2:
                expected_ = reference_.start_task(name, cell);
                return take(model::start_task(ctx, name, cell));
            case 3: {
                const brain::api::TaskOutcome outcome{
                        .task_guid = name,
                        .cell_id = cell,
                        .failed = chance(50),
                        .failure_reason = "failed",
                        .result = "result"};
                expected_ = reference_.complete_task(outcome);
                return take(model::complete_task(ctx, outcome));
            }
            case 4:
                expected_ = reference_.cancel_task(name);
                return take(model::cancel_task(ctx, name));
            case 5:
                expected_ = reference_.fail_task(name, "why");
                return take(model::fail_task(ctx, name, "why"));
            case 6:
                expected_ = reference_.reject_task(name, "no place");
                return take(model::reject_task(ctx, name, "no place"));
            case 7:
                expected_ = reference_.resolve_task(name);
                return take(model::resolve_task(ctx, name));
            default:
                expected_ = reference_.delete_task(name);
                return take(model::delete_task(ctx, name));
        }
    }

    void converge() {
        last_ = "converge";
        const std::int64_t previous = chance(50) ? 0 : last_pass_;
        last_pass_ = now_;
        reference_.converge(previous);
        auto around = model::survey(world_, now_);
        around.previous = previous;
        for (const auto& domain : world_.domains()) take(model::plan_domain(domain, now_));
        for (const auto& view : world_.processes("", 100)) {
            model::Findings findings;
            const bool harmony = model::in_harmony(view, around, limits_);
            auto out = model::plan_process(context(), view, around, findings);
            if (out.empty() != harmony) refusal_ = "harmony is not what the plan says";
            take(std::move(out));
        }
        for (const auto& task : world_.tasks_of(""))
            take(model::plan_task(context(), task, around));
    }

    std::string rows_differ() {
        const auto ours = all_rows(world_);
        auto& theirs = reference_.rows;
        if (ours.size() != theirs.size())
            return std::to_string(ours.size()) + " rows, not " + std::to_string(theirs.size());
        for (const auto& row : ours) {
            const auto* other =
                    reference_.row(row->key.process_guid, row->key.index, row->presence);
            const auto text = brain::api::to_string(row->presence);
            if (other == nullptr) return "row of " + std::string(text);
            if (!epochs_.same(row->modification_tag.epoch, other->modification_tag.epoch))
                return "epoch";
            auto named = *other;
            named.modification_tag.epoch = row->modification_tag.epoch;
            if (!(named == *row))
                return "row " + base::json::encode(*row) + " not " + base::json::encode(named);
        }
        return "";
    }

    std::string others_differ() {
        const auto lrps = world_.desired_of("");
        if (lrps.size() != reference_.desired.size()) return "number of desired";
        for (const auto& lrp : lrps) {
            auto other = *reference_.find_desired(lrp->process_guid);
            if (!epochs_.same(lrp->modification_tag.epoch, other.modification_tag.epoch))
                return "epoch of desired";
            other.modification_tag.epoch = lrp->modification_tag.epoch;
            if (!(other == *lrp)) return "desired " + lrp->process_guid;
        }
        const auto tasks = world_.tasks_of("");
        if (tasks.size() != reference_.tasks.size()) return "number of tasks";
        for (const auto& task : tasks) {
            const auto* other = reference_.find_task(task->task_guid);
            if (other == nullptr || !(*other == *task)) return "task " + task->task_guid;
        }
        const auto domains = world_.domains();
        if (domains.size() != reference_.domains.size()) return "number of domains";
        return "";
    }

    std::mt19937 random_;
    std::int64_t now_ = 1'700'000'000 * kSecond;
    std::int64_t last_pass_ = 0;
    int guids_ = 0;
    std::function<std::string()> new_guid_ = [this] { return "epoch-" + std::to_string(guids_++); };
    model::Limits limits_;
    World world_;
    Reference reference_;
    Mirror mirror_;
    Epochs epochs_;

    model::Outcome outcome_;  // of the last step
    std::string refusal_, expected_, last_;
    bool answer_ = false;

  public:
    const std::string& refusal() const { return refusal_; }
};

unsigned chosen_seed() {
    const char* given = std::getenv("CLOCHE_TEST_SEED");
    if (given != nullptr) return base::parse_number<unsigned>(given, "CLOCHE_TEST_SEED").value();
    return std::random_device()();
}

}  // namespace

TEST_CASE("any sequence of operations leaves the world that the naive model has") {
    const unsigned seed = chosen_seed();
    std::cout << "seed " << seed << " (CLOCHE_TEST_SEED)\n";
    std::map<std::string, int> seen;
    // Games of their own: time runs far in one, and a strange state must be reached again.
    for (unsigned round = 0; round < 100; ++round) {
        Game game(seed + round);
        for (int step = 0; step < 1'100; ++step) {
            game.step();
            const auto difference = game.differs();
            INFO("seed " << seed + round << " step " << step << ": " << game.last());
            REQUIRE(difference == "");
            if (step % 32 == 0) REQUIRE(game.broken() == "");
            seen[game.last() + (game.refusal().empty() ? "" : ": ") + game.refusal()] += 1;
        }
    }
    // The game is worth nothing when it does not get there.
    for (const auto* what :
         {"claim", "claim: ActualLRPCannotBeClaimed", "start", "start: ActualLRPCannotBeStarted",
          "crash", "crash: ActualLRPCannotBeCrashed", "fail", "fail: ActualLRPCannotBeFailed",
          "remove: ResourceNotFound", "evacuate running", "evacuate claimed", "remove evacuating",
          "converge", "desire: ResourceExists", "update: ResourceNotFound"}) {
        INFO(what);
        CHECK(seen[what] > 50);
    }
}
