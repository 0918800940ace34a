// Each rule of executor-rep §5.6 to §5.12 as a sentence.
#include "executor/steps/duration.hpp"
#include "tests/unit/executor_steps/bench.hpp"

#include <catch2/catch.hpp>

using namespace test;  // NOLINT: a test of nothing else
using Kind = Outcome::Kind;

namespace {

// ok: ends well after 1 s; bad: 7 after 1 s; long: until told; deaf: does not hear SIGTERM.
struct Programs : Bench {
    Programs() {
        processes.programs["ok"].lives = seconds(1);
        processes.programs["bad"] = {.lives = seconds(1), .status = 7};
        processes.programs["worse"] = {.lives = seconds(2), .status = 8};
        processes.programs["long"] = {};
        processes.programs["deaf"].leaves_after = std::nullopt;
    }
};

}  // namespace

TEST_CASE("a serial runs its children one after the other and is ready when the last one is") {
    Programs b;
    auto& w = b.start(serial_of({run_of("ok"), run_of("long")}));
    CHECK(b.processes.started.size() == 1);
    CHECK(w.readies == 0);
    b.advance(seconds(1));
    CHECK(b.processes.started.size() == 2);
    CHECK(w.readies == 1);
    CHECK_FALSE(w.done());
}

TEST_CASE("a serial stops at the first failure and says what that says") {
    Programs b;
    auto& w = b.start(serial_of({run_of("bad"), run_of("ok")}));
    b.advance(seconds(2));
    CHECK(w.dones == 1);
    CHECK(w.outcome.message == "APP: Exited with status 7");
    CHECK(b.processes.started.size() == 1);
}

TEST_CASE("a serial passes a cancel to its current child and starts no other") {
    Programs b;
    auto& w = b.start(serial_of({run_of("long"), run_of("ok")}));
    b.cancel();
    CHECK(w.outcome.kind == Kind::cancelled);
    CHECK(b.processes.started.size() == 1);
    CHECK(b.processes.running() == 0);
}

TEST_CASE("a child that leaves cleanly after a cancel makes the serial succeed") {
    Programs b;
    auto& w = b.start(serial_of({try_of(run_of("long")), run_of("ok")}));
    b.cancel();
    CHECK(w.outcome.good());
    CHECK(b.processes.started.size() == 1);
}

TEST_CASE("a serial that is cancelled before it begins starts nothing") {
    Programs b;
    auto step = executor::make_step(serial_of({run_of("ok")}), b.tools(), "APP", "run");
    step->cancel();
    step->cancel();
    auto& w = b.start(std::move(step));
    CHECK(w.dones == 1);
    CHECK(w.outcome.kind == Kind::cancelled);
    CHECK(b.processes.started.empty());
}

TEST_CASE("a serial goes on with its current child after a restart") {
    Programs b;
    const auto action = serial_of({run_of("ok"), run_of("long"), run_of("ok")});
    b.start(action);
    b.advance(seconds(1));
    auto& w = b.restart(executor::make_step(action, b.tools(), "APP", "run"));
    CHECK(b.processes.started.size() == 2);
    CHECK(b.processes.running("long") == 1);
    b.cancel();
    CHECK(w.outcome.kind == Kind::cancelled);
    CHECK(b.processes.running() == 0);
    CHECK_FALSE(b.processes.started_twice);
}

TEST_CASE("a cancel that is the first thing after a restart ends what runs") {
    Programs b;
    const auto action = serial_of({run_of("ok"), parallel_of({run_of("long"), run_of("long")})});
    b.start(action);
    b.advance(seconds(1));
    REQUIRE(b.processes.running() == 2);
    auto step = executor::make_step(action, b.tools(), "APP", "run");
    step->cancel();
    auto& w = b.restart(std::move(step));
    CHECK(w.dones == 1);
    CHECK(b.processes.running() == 0);
    CHECK(b.processes.started.size() == 3);
}

TEST_CASE("a parallel waits for all even when one fails and is ready when all are") {
    Programs b;
    auto& w = b.start(parallel_of({run_of("bad"), run_of("worse")}));
    CHECK(w.readies == 1);
    b.advance(seconds(1));
    CHECK_FALSE(w.done());
    b.advance(seconds(1));
    CHECK(w.outcome.kind == Kind::failed);
    CHECK(w.outcome.message == "APP: Exited with status 7; APP: Exited with status 8");
}

TEST_CASE("an aggregate leaves out what is hidden and is there even when all is") {
    const auto cancelled = Outcome::cancelled();
    const Outcome killed{.kind = Kind::grace_exceeded, .message = "killed", .detail = {}};
    CHECK(executor::aggregate({cancelled, Outcome::failed("a"), killed, Outcome::failed("")})
                  .message == "a");
    const auto hidden = executor::aggregate({cancelled, killed});
    CHECK_FALSE(hidden.good());
    CHECK(hidden.message.empty());
    CHECK(executor::aggregate({Outcome::success(), Outcome::success()}).good());
}

TEST_CASE("a codependent's child that leaves with success is an error and cancels the rest") {
    Programs b;
    auto& w = b.start(codependent_of({run_of("ok"), run_of("long")}));
    CHECK(w.readies == 1);
    b.advance(seconds(1));
    CHECK(w.outcome.kind == Kind::failed);
    CHECK(w.outcome.message == "Codependent step exited");
    CHECK(b.processes.running() == 0);
}

TEST_CASE("a codependent says its child's failure and ends only when all have stopped") {
    Programs b;
    auto& w = b.start(codependent_of({run_of("bad"), run_of("deaf")}));
    b.advance(seconds(2));
    CHECK_FALSE(w.done());
    b.advance(seconds(10));
    CHECK(w.outcome.message == "APP: Exited with status 7");
    CHECK(b.processes.running() == 0);
}

TEST_CASE("in the internal form success is no error and cancels others only when told to") {
    Programs b;
    const auto group = [&](bool cancel_others) {
        executor::Steps steps;
        const std::string name = cancel_others ? "a" : "b";
        steps.push_back(executor::make_step(run_of("ok"), b.tools(), "APP", name + "/0"));
        steps.push_back(executor::make_step(run_of("long"), b.tools(), "APP", name + "/1"));
        return executor::codependent(
                b.tools(), std::move(steps),
                {.error_on_exit = false, .cancel_others_on_exit = cancel_others});
    };
    b.start(group(false));
    b.advance(seconds(5));
    CHECK_FALSE(b.watched().done());
    b.cancel();
    b.start(group(true));
    b.advance(seconds(1));
    CHECK(b.watched().done());
    CHECK(b.watched().outcome.message.empty());
}

TEST_CASE("a timeout interrupts its child and says how long it was and what the child said") {
    Programs b;
    auto& quiet = b.start(timeout_of(run_of("long"), seconds(1)));
    CHECK(quiet.readies == 1);
    b.advance(milliseconds(900));
    CHECK_FALSE(quiet.done());
    b.advance(milliseconds(100));
    CHECK(quiet.outcome.message == "exceeded 1s timeout");
    CHECK(b.processes.running() == 0);
    Programs c;
    auto& loud = c.start(timeout_of(parallel_of({run_of("bad"), run_of("long")}), seconds(90)));
    c.advance(seconds(90));
    CHECK(loud.outcome.message == "exceeded 1m30s timeout; APP: Exited with status 7");
}

TEST_CASE("a child that ends before its timeout has its own result") {
    Programs b;
    auto& w = b.start(timeout_of(run_of("bad"), seconds(2)));
    b.advance(seconds(3));
    CHECK(w.dones == 1);
    CHECK(w.outcome.message == "APP: Exited with status 7");
}

TEST_CASE("a restart does not extend a timeout") {
    Programs b;
    const auto action = timeout_of(run_of("long"), seconds(60));
    b.start(action);
    b.advance(seconds(40));
    auto& w = b.restart(executor::make_step(action, b.tools(), "APP", "run"));
    b.advance(seconds(19));
    CHECK_FALSE(w.done());
    b.advance(seconds(1));
    CHECK(w.outcome.message == "exceeded 1m0s timeout");
}

TEST_CASE("a child that ended in time has although its deadline is over after a restart") {
    Programs b;
    const auto action = parallel_of({timeout_of(run_of("ok"), seconds(5)), run_of("long")});
    b.start(action);
    b.advance(seconds(2));
    b.restart(executor::make_step(action, b.tools(), "APP", "run"));
    b.advance(seconds(60));
    b.restart(executor::make_step(action, b.tools(), "APP", "run"));
    b.cancel();
    CHECK(b.watched().outcome.message.empty());
}

TEST_CASE("a timeout that had expired before the restart is still the reason after it") {
    Programs b;
    const auto action = timeout_of(run_of("deaf"), seconds(1));
    b.start(action);
    b.advance(seconds(2));  // expired, and waiting for the kill
    auto& w = b.restart(executor::make_step(action, b.tools(), "APP", "run"));
    b.advance(seconds(10));
    CHECK(w.outcome.message == "exceeded 1s timeout");
    CHECK(b.processes.running() == 0);
}

TEST_CASE("a try swallows a failure and passes a cancel on") {
    Programs b;
    auto& w = b.start(try_of(run_of("bad")));
    b.advance(seconds(1));
    CHECK(w.outcome.good());
    Programs c;
    auto& cancelled = c.start(try_of(run_of("long")));
    c.cancel();
    CHECK(cancelled.done());
    CHECK(c.processes.running() == 0);
}

TEST_CASE("progress is told with the step's own source and failures go to stderr") {
    Programs b;
    auto& good = b.start(progress_of(run_of("ok")));
    b.advance(seconds(1));
    CHECK(good.outcome.good());
    CHECK(b.log.has("STG out: begins\n"));
    CHECK(b.log.has("STG out: worked\n"));
    CHECK(b.log.has("APP out: Exit status 0\n"));
    Programs c;
    auto& bad = c.start(progress_of(run_of("bad")));
    c.advance(seconds(1));
    CHECK(bad.outcome.message == "APP: Exited with status 7");
    CHECK(c.log.has("STG err: failed: APP: Exited with status 7\n"));
    Programs d;
    d.start(progress_of(run_of("long")));
    d.cancel();
    CHECK(d.log.has("STG err: failed\n"));
}

TEST_CASE("progress is not told twice after a restart") {
    Programs b;
    const auto action = progress_of(run_of("long"));
    b.start(action);
    b.log.text.clear();
    b.restart(executor::make_step(action, b.tools(), "APP", "run"));
    CHECK_FALSE(b.log.has("begins"));
}

TEST_CASE("sources pass through parallel and try and timeout and not through serial") {
    Programs b;
    const auto with_source = [](auto action, const std::string& source) {
        action.log_source = source;
        return executor::api::Action{.value = action};
    };
    using executor::api::ParallelAction;
    using executor::api::SerialAction;
    b.start(with_source(
            ParallelAction{
                    .actions =
                            {run_of("ok"), run_of("bad", "OWN"),
                             with_source(
                                     SerialAction{.actions = {run_of("worse")}, .log_source = ""},
                                     "NOT")},
                    .log_source = ""},
            "PAR"));
    b.advance(seconds(2));
    CHECK(b.log.has("PAR out: Exit status 0"));
    CHECK(b.log.has("OWN out: Exit status 7"));
    CHECK(b.log.has("PAR out: Exit status 8"));
}

TEST_CASE("durations read as Go writes them") {
    using executor::to_go_text;
    CHECK(to_go_text(seconds(0)) == "0s");
    CHECK(to_go_text(seconds(1)) == "1s");
    CHECK(to_go_text(std::chrono::minutes(15)) == "15m0s");
    CHECK(to_go_text(std::chrono::hours(1)) == "1h0m0s");
    CHECK(to_go_text(milliseconds(1500)) == "1.5s");
    CHECK(to_go_text(milliseconds(250)) == "250ms");
    CHECK(to_go_text(std::chrono::microseconds(1500)) == "1.5ms");
    CHECK(to_go_text(std::chrono::nanoseconds(7)) == "7ns");
    CHECK(to_go_text(milliseconds(61'050)) == "1m1.05s");
    CHECK(to_go_text(seconds(-2)) == "-2s");
    CHECK(executor::to_go_text_rounded(std::chrono::nanoseconds(1'000'400'000)) == "1s");
}

TEST_CASE("an outcome reads back from its JSON") {
    Outcome out{.kind = Kind::exit_timeout, .message = "m", .detail = "d", .retryable = true};
    const auto text = base::json::encode(out);
    CHECK(base::json::decode<Outcome>(text).value() == out);
    CHECK(base::json::decode<Outcome>(base::json::encode(Outcome::success())).value().good());
    CHECK_FALSE(base::json::decode<Outcome>(R"({"kind":"odd"})"));
}
