// One brain over a real database: what is answered is durable, what is durable is told and acted
// on.
#include "tests/unit/brain_core/bench.hpp"

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> sorted(std::vector<std::string> texts) {
    std::sort(texts.begin(), texts.end());
    return texts;
}

api::LrpState state_of(core::Core& core, const std::string& guid, int index) {
    const auto group = core.find_actual_lrp(guid, index);
    if (!group || !group->ordinary) return api::LrpState::invalid;
    return group->ordinary->state;
}

}  // namespace

TEST_CASE("what was answered is there in the next life, whatever it was") {
    const Directory directory;
    {
        Life life(directory);
        life.arrive("cell-1");
        REQUIRE(life.core->upsert_domain("apps", 0s));
        REQUIRE(life.core->desire_lrp(app("web", 2)));
        REQUIRE(life.core->start_actual_lrp(running("web", 0, "i-0", "cell-1")));
        REQUIRE(life.core->desire_task(job("t-1")));
        CHECK(life.core->start_task("t-1", "cell-1").value());
    }
    Life life(directory);
    CHECK(life.core->fresh_domains().value() == std::vector<std::string>{"apps"});
    CHECK(life.core->find_desired_lrp("web").value()->instances == 2);
    CHECK(state_of(*life.core, "web", 0) == api::LrpState::running);
    CHECK(state_of(*life.core, "web", 1) == api::LrpState::unclaimed);
    CHECK(life.core->find_task("t-1").value()->state == api::TaskState::running);
    // A known cell need not be heard to count, and what waits is offered at once.
    CHECK(life.core->list_cells().value().size() == 1);
    CHECK(soon([&] {
        const std::lock_guard lock(life.effects.mutex);
        return life.effects.starts == std::vector<std::string>{"web/1"};
    }));
}

TEST_CASE("an app that is desired is offered to the auctioneer once, index by index") {
    const Directory directory;
    Life life(directory);
    REQUIRE(life.core->desire_lrp(app("web", 3)));
    CHECK(sorted(life.effects.take_starts()) ==
          std::vector<std::string>{"web/0", "web/1", "web/2"});
    const auto again = life.core->desire_lrp(app("web", 3));
    REQUIRE_FALSE(again);
    CHECK(api::error_name(again.error()) == api::kResourceExists);
    CHECK(life.effects.take_starts().empty());
}

TEST_CASE("a full store refuses the change, keeps nothing of it and takes the next one") {
    const Directory directory;
    {
        Life life(directory);
        REQUIRE(life.core->desire_lrp(app("first", 1)));
        auto events = life.core->subscribe().value();
        (void)life.effects.take_starts();
        life.store->fail_next(base::Errc::exhausted);
        const auto refused = life.core->desire_lrp(app("web", 2));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind == base::Errc::exhausted);
        CHECK(life.core->list_desired_lrps("").value().size() == 1);
        CHECK(life.core->list_actual_lrps("").value().size() == 1);
        CHECK(life.effects.take_starts().empty());
        CHECK_FALSE(events->next(50ms).value());
        REQUIRE(life.core->desire_lrp(app("web", 1)));
        CHECK(life.core->standing().role == core::Role::leader);
    }
    Life life(directory);
    CHECK(life.core->find_desired_lrp("web").value()->instances == 1);
}

TEST_CASE(
        "when the store's answer is not known everything is read again, nothing is acknowledged") {
    const bool done = GENERATE(false, true);
    CAPTURE(done);
    const Directory directory;
    Life life(directory);
    REQUIRE(life.core->desire_lrp(app("first", 1)));
    auto events = life.core->subscribe().value();
    life.store->fail_next(base::Errc::timeout, done);
    const auto unknown = life.core->desire_lrp(app("web", 2));
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().kind == base::Errc::unavailable);
    CHECK(soon([&] { return life.core->find_desired_lrp("first").has_value(); }));
    CHECK(life.core->find_desired_lrp("web").has_value() == done);
    // Readers of events must list again.
    CHECK(soon([&] {
        const auto event = events->next(10ms);
        return !event && event.error().kind == base::Errc::cancelled;
    }));
}

TEST_CASE("many callers at once share few commits, and each answer is durable") {
    const Directory directory;
    constexpr int kCallers = 32;
    constexpr int kEach = 20;
    {
        Life life(directory);
        std::atomic<int> failed = 0;
        std::vector<std::thread> callers;
        for (int caller = 0; caller < kCallers; ++caller)
            callers.emplace_back([&, caller] {
                for (int i = 0; i < kEach; ++i)
                    if (!life.core->desire_task(
                                job("t-" + std::to_string(caller) + "-" + std::to_string(i))))
                        ++failed;
            });
        for (auto& caller : callers) caller.join();
        CHECK(failed == 0);
        CHECK(life.store->commits < kCallers * kEach / 2);
    }
    Life life(directory);
    CHECK(life.core->list_tasks("").value().size() == kCallers * kEach);
}

TEST_CASE("events come in the order of the changes, to every reader, and slow ones are cut off") {
    const Directory directory;
    Life life(directory);
    auto reader = life.core->subscribe().value();
    auto slow = life.core->subscribe().value();
    REQUIRE(life.core->desire_lrp(app("web", 1)));
    CHECK(reader->next(1s).value()->kind == api::EventKind::desired_lrp_created);
    CHECK(reader->next(1s).value()->kind == api::EventKind::actual_lrp_created);
    for (int i = 0; i <= 600; ++i) {
        REQUIRE(life.core->desire_task(job("t-" + std::to_string(i))));
        REQUIRE(life.core->cancel_task("t-" + std::to_string(i)));
        CHECK(reader->next(1s).value()->task_after->task_guid == "t-" + std::to_string(i));
        CHECK(reader->next(1s).value()->task_after->state == api::TaskState::completed);
    }
    std::size_t told = 0;
    for (;; ++told) {
        const auto event = slow->next(10ms);
        if (!event) break;
        REQUIRE(*event);
    }
    CHECK(told <= api::kMaxQueuedEvents);
}

TEST_CASE("a cell that is not heard any more loses its instances at the end of its lease") {
    const Directory directory;
    Life life(directory);
    REQUIRE(life.core->desire_lrp(app("web", 1)));
    REQUIRE(life.core->put_presence(life.cell("cell-1"), "one", 200ms));
    REQUIRE(life.core->start_actual_lrp(running("web", 0, "i-0", "cell-1")));
    REQUIRE(life.core->desire_task(job("t-1")));
    REQUIRE(life.core->start_task("t-1", "cell-1"));
    (void)life.effects.take_starts();
    CHECK(soon([&] { return state_of(*life.core, "web", 0) == api::LrpState::unclaimed; }));
    CHECK(life.core->find_actual_lrp("web", 0).value().suspect->instance.instance_guid == "i-0");
    CHECK(soon([&] {
        const std::lock_guard lock(life.effects.mutex);
        return life.effects.starts == std::vector<std::string>{"web/0"};
    }));
    CHECK(soon([&] {
        return life.core->find_task("t-1").value()->failure_reason ==
               "cell disappeared before completion";
    }));

    SECTION("and has them again when it returns before the replacement runs") {
        life.arrive("cell-1");
        CHECK(soon([&] { return state_of(*life.core, "web", 0) == api::LrpState::running; }));
    }
}

TEST_CASE("a lease is its owner's, may not last for ever, and ends when it is given back") {
    const Directory directory;
    Life life(directory);
    life.arrive("cell-1");
    const auto other = life.core->put_presence(life.cell("cell-1"), "another life", 5s);
    REQUIRE_FALSE(other);
    CHECK(api::error_name(other.error()) == api::kResourceConflict);
    const auto endless = life.core->put_presence(life.cell("cell-2"), "x", 24h);
    REQUIRE_FALSE(endless);
    CHECK(endless.error().text.find("at most 60000") != std::string::npos);
    REQUIRE(life.core->release_presence("cell-1", "life of cell-1"));
    CHECK(life.core->list_cells().value().empty());
    CHECK(life.core->put_presence(life.cell("cell-1"), "another life", 5s));
}

TEST_CASE("a crash waits for its time and restarts without a pass over everything") {
    const Directory directory;
    auto config = Life::quick();
    config.limits.crash_backoff_ns = 300'000'000;
    config.limits.immediate_restarts = 1;
    Life life(directory, config);
    life.arrive("cell-1");
    REQUIRE(life.core->desire_lrp(app("web", 1)));
    REQUIRE(life.core->start_actual_lrp(running("web", 0, "i-0", "cell-1")));
    (void)life.effects.take_starts();
    REQUIRE(life.core->crash_actual_lrp(key("web", 0), instance("i-0", "cell-1"), "broke"));
    CHECK(state_of(*life.core, "web", 0) == api::LrpState::crashed);
    CHECK(soon([&] { return state_of(*life.core, "web", 0) == api::LrpState::unclaimed; }));
    CHECK(life.effects.take_starts() == std::vector<std::string>{"web/0"});
}

TEST_CASE("orphans go when their domain becomes fresh, not before") {
    const Directory directory;
    Life life(directory);
    life.arrive("cell-1");
    REQUIRE(life.core->start_actual_lrp(running("ghost", 0, "i-0", "cell-1")));
    REQUIRE(life.core->converge_now());
    base::pause_for(100ms);
    CHECK(life.effects.stops.empty());
    REQUIRE(life.core->upsert_domain("apps", 0s));
    CHECK(soon([&] {
        const std::lock_guard lock(life.effects.mutex);
        return !life.effects.stops.empty() && life.effects.stops[0] == "cell-1:i-0";
    }));
}

TEST_CASE("a second brain on the same database stands by, and leads when the first stops") {
    const Directory directory;
    auto first = std::make_unique<Life>(directory);
    REQUIRE(first->core->desire_lrp(app("web", 1)));
    base::SystemClock clock;
    Recorder effects;
    auto store = store::open_sqlite({.path = directory.path / "brain.db"}).value();
    auto config = Life::quick();
    config.name = "brain-2";
    core::Core second(config, *store, effects, clock);
    second.start();
    CHECK(soon([&] { return second.standing().role == core::Role::standby; }));
    const auto refused = second.desire_lrp(app("other", 1));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == base::Errc::unavailable);
    CHECK(refused.error().text.find("brain-1") != std::string::npos);
    first.reset();
    CHECK(soon([&] { return second.standing().role == core::Role::leader; }));
    CHECK(second.find_desired_lrp("web"));
    second.stop();
}

TEST_CASE(
        "a round's failures are one commit; an instance without a place is offered when room "
        "appears") {
    const Directory directory;
    Life life(directory);
    life.arrive("cell-1");
    REQUIRE(life.core->desire_lrp(app("web", 50)));
    REQUIRE(life.core->desire_task(job("t-1")));
    (void)life.effects.take_starts();
    std::vector<auctioneer::FailedLrp> failed;
    for (int i = 0; i < 50; ++i)
        failed.push_back({.key = key("web", i), .placement_error = "insufficient resources"});
    const auto before = life.store->commits;
    life.core->auction_failed(failed, {{.task_guid = "t-1", .reason = "no room"}});
    CHECK(life.store->commits - before <= 3);
    CHECK(life.core->find_actual_lrp("web", 7).value().ordinary->placement_error ==
          "insufficient resources");
    CHECK(life.core->find_task("t-1").value()->rejection_count == 1);
    life.arrive("cell-2");
    CHECK(soon([&] {
        const std::lock_guard lock(life.effects.mutex);
        return std::count(life.effects.starts.begin(), life.effects.starts.end(), "web/7") > 0;
    }));
}
