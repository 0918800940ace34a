// Each rule of executor-rep §5.3 as a sentence.
#include "base/fail.hpp"
#include "executor/steps/environment.hpp"
#include "tests/unit/executor_steps/bench.hpp"

#include <catch2/catch.hpp>

using namespace test;  // NOLINT: a test of nothing else
using Kind = Outcome::Kind;

TEST_CASE("a run step is ready when its process exists and succeeds with status 0") {
    Bench b;
    b.processes.programs["p"] = {.lives = seconds(1), .out = "hello\n", .err = "oops\n"};
    auto& w = b.start(run_of("p"));
    CHECK(w.readies == 1);
    b.advance(seconds(1));
    CHECK(w.dones == 1);
    CHECK(w.outcome.good());
    CHECK(b.log.text == "APP out> hello\nAPP err> oops\nAPP out: Exit status 0\n");
}

TEST_CASE("a status other than 0 is a failure that names the source") {
    Bench b;
    b.processes.programs["p"] = {.lives = seconds(1), .status = 3};
    auto& w = b.start(run_of("p", "WEB"));
    b.advance(seconds(1));
    CHECK(w.outcome.message == "WEB: Exited with status 3");
    CHECK(b.log.has("WEB out: Exit status 3\n"));
}

TEST_CASE("a process that ran out of memory says so unless it ended well") {
    Bench b;
    b.processes.programs["p"] = {.lives = seconds(1), .status = 137, .out_of_memory = true};
    b.processes.programs["q"] = {.lives = seconds(1), .status = 0, .out_of_memory = true};
    auto& w = b.start(run_of("p"));
    b.advance(seconds(1));
    CHECK(w.outcome.message == "APP: Exited with status 137 (out of memory)");
    CHECK(b.log.has("APP out: Exit status 137 (out of memory)\n"));
    Bench c;
    c.processes.programs = b.processes.programs;
    auto& good = c.start(run_of("q"));
    c.advance(seconds(1));
    CHECK(good.outcome.good());
    CHECK(c.log.has("Exit status 0\n"));
}

TEST_CASE("a cancelled process is cancelled whatever its status") {
    for (const int status : {0, 143}) {
        Bench b;
        b.processes.programs["p"] = {.leaves_after = milliseconds(100)};
        b.processes.programs["p"].status = status;
        auto& w = b.start(run_of("p"));
        b.cancel();
        CHECK_FALSE(w.done());
        b.advance(milliseconds(100));
        CHECK(w.dones == 1);
        CHECK(w.outcome.kind == Kind::cancelled);
        CHECK(b.log.has("Exit status 143\n"));
    }
}

TEST_CASE("a process that does not hear is killed after the graceful interval") {
    Bench b;
    b.processes.programs["p"] = {.leaves_after = std::nullopt, .out_of_memory = true};
    b.tools().times.graceful_shutdown = seconds(12);
    auto& w = b.start(run_of("p"));
    b.cancel();
    b.advance(milliseconds(11'900));
    CHECK_FALSE(w.done());
    b.advance(milliseconds(100));
    CHECK(w.outcome.kind == Kind::grace_exceeded);
    CHECK(b.log.has("Exit status 137 (exceeded 12s graceful shutdown interval) (out of memory)\n"));
    CHECK(b.processes.running() == 0);
}

TEST_CASE("a process that survives its kill is given up after a second") {
    Bench b;
    b.processes.programs["p"] = {.leaves_after = std::nullopt, .unkillable = true};
    auto& w = b.start(run_of("p"));
    b.cancel();
    b.advance(milliseconds(10'500));
    CHECK_FALSE(w.done());
    b.advance(milliseconds(500));
    CHECK(w.dones == 1);
    CHECK(w.outcome.kind == Kind::exit_timeout);
}

TEST_CASE("a cancel before the process was made starts none") {
    Bench b;
    auto step = executor::make_step(run_of("p"), b.tools(), "APP", "run");
    step->cancel();
    auto& w = b.start(std::move(step));
    CHECK(w.outcome.kind == Kind::cancelled);
    CHECK(b.processes.started.empty());
    CHECK(b.log.text.empty());
}

TEST_CASE("a process that cannot be started says so on stdout") {
    Bench b;
    b.processes.programs["p"].refused = base::fail(base::Errc::not_found, "exec: no such file");
    auto& w = b.start(run_of("p"));
    CHECK(w.readies == 0);
    CHECK(w.outcome.kind == Kind::failed);
    CHECK(w.outcome.message == "APP: Failed to start: exec: no such file");
    CHECK(b.log.text == "APP out: failed-creating-process: exec: no such file\n");
}

TEST_CASE("a container that vanishes under a process is its failure") {
    Bench b;
    auto& w = b.start(run_of("p"));
    b.processes.lose_container();
    b.loop->run_until_idle();
    CHECK(w.dones == 1);
    CHECK(w.outcome.message == "missing garden container");
}

TEST_CASE("suppressed output is not even asked for and no exit line comes") {
    Bench b;
    b.processes.programs["p"] = {.lives = seconds(1), .status = 1, .out = "secret\n"};
    auto action = run_of("p");
    std::get<executor::api::RunAction>(action.value).suppress_log_output = true;
    auto& w = b.start(action);
    b.advance(seconds(1));
    CHECK(b.log.text.empty());
    CHECK_FALSE(b.processes.started.at(0).want_output);
    CHECK(w.outcome.message == "APP: Exited with status 1");
}

TEST_CASE("the request carries the action and only nofile of its limits") {
    Bench b;
    executor::api::RunAction run;
    run.path = "p";
    run.args = {"a", "b"};
    run.dir = "/home";
    run.user = "vcap";
    run.resource_limits = {.nofile = 99, .nproc = 7};
    b.start({.value = run});
    const auto& spec = b.processes.started.at(0).spec;
    CHECK(spec.args == std::vector<std::string>{"a", "b"});
    CHECK(spec.dir == "/home");
    CHECK(spec.user == "vcap");
    CHECK(spec.rlimits == garden::api::ResourceLimits{{"nofile", 99}});
    CHECK(spec.id == "run");
    Bench c;
    c.tools().facts.nofile_default = 1024;
    c.start(run_of("p"));
    CHECK(c.processes.started.at(0).spec.rlimits == garden::api::ResourceLimits{{"nofile", 1024}});
}

TEST_CASE("a process is taken up again after a restart and its end is not lost") {
    Bench b;
    b.processes.programs["p"] = {.lives = seconds(10), .status = 5};
    const auto make = [&] { return executor::make_step(run_of("p"), b.tools(), "APP", "run"); };
    b.start(make());
    b.advance(seconds(5));
    CHECK(b.restart(make()).readies == 1);
    auto& w = b.restart(make());
    b.advance(seconds(5));
    CHECK(w.outcome.message == "APP: Exited with status 5");
    CHECK(b.processes.started.size() == 1);
    CHECK_FALSE(b.processes.started_twice);
    // And once more, when all of it is over.
    CHECK(b.restart(make()).outcome.message == "APP: Exited with status 5");
}

TEST_CASE("a process whose container died with the machine's daemon is not started by a cancel") {
    Bench b;
    b.journal.begin("run");
    auto step = executor::make_step(run_of("p"), b.tools(), "APP", "run");
    step->cancel();
    auto& w = b.start(std::move(step));
    CHECK(w.outcome.kind == Kind::cancelled);
    CHECK(b.processes.started.empty());
}

TEST_CASE("network variables win over the action's and those over the container's") {
    executor::ContainerFacts facts{
            .guid = "g",
            .handle = "h",
            .external_ip = "192.0.2.1",
            .internal_ip = "10.0.0.2",
            .internal_ip_v6 = "",
            .ports = {},
            .env = {{"A", "container"}, {"B", "container"}, {"CF_INSTANCE_IP", "container"}}};
    CHECK(executor::process_environment(facts, {{"B", "action"}, {"CF_INSTANCE_PORTS", "x"}}) ==
          std::vector<std::string>{
                  "A=container", "B=action", "CF_INSTANCE_IP=192.0.2.1", "CF_INSTANCE_PORTS=[]",
                  "CF_INSTANCE_INTERNAL_IP=10.0.0.2", "CF_INSTANCE_PORT=", "CF_INSTANCE_ADDR="});
}

TEST_CASE("ports are told as the first one's address and as a list of all") {
    executor::ContainerFacts facts{.external_ip = "192.0.2.1", .internal_ip = "10.0.0.2"};
    facts.internal_ip_v6 = "fd00::2";
    facts.ports = {
            {.container_port = 8080, .host_port = 60001},
            {.container_port = 22,
             .host_port = 60002,
             .container_tls_proxy_port = 61001,
             .host_tls_proxy_port = 60003}};
    const auto lines = executor::process_environment(facts, {});
    CHECK(lines == std::vector<std::string>{
                           "CF_INSTANCE_IP=192.0.2.1", "CF_INSTANCE_INTERNAL_IP=10.0.0.2",
                           "CF_INSTANCE_INTERNAL_IPV6=fd00::2", "CF_INSTANCE_PORT=60001",
                           "CF_INSTANCE_ADDR=192.0.2.1:60001",
                           R"(CF_INSTANCE_PORTS=[{"external":60001,"internal":8080},)"
                           R"({"external":60002,"internal":22,"external_tls_proxy":60003,)"
                           R"("internal_tls_proxy":61001}])"});
    // The first port has no host port: no address, but the list.
    facts.ports = {{.container_port = 8080}};
    CHECK(executor::process_environment(facts, {}).back() ==
          R"(CF_INSTANCE_PORTS=[{"internal":8080}])");
    CHECK(executor::process_environment(facts, {}).size() == 4);
}
