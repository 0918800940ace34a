// Monitor, declarative checks, readiness and the assembly (executor-rep §6, §7). Probes are real
// connections to a listener of the test on loopback.
#include "base/sys/stream_socket.hpp"
#include "executor/steps/slots.hpp"
#include "tests/unit/executor_steps/bench.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include <catch2/catch.hpp>

using namespace test;  // NOLINT: a test of nothing else
using Kind = Outcome::Kind;

namespace {

// A port on loopback that can be opened and closed: TCP checks need no more.
class Port {
  public:
    Port() {
        open();
        number_ = base::sys::local_address(socket_).value().port();
        close();
    }

    void open() {
        ::sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(number_);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        base::sys::Address wrapped;
        std::memcpy(&wrapped.storage, &address, sizeof address);
        wrapped.size = sizeof address;
        socket_ = base::sys::listen_on(wrapped).value();
    }

    void close() { socket_.reset(); }

    executor::api::Check check(std::uint64_t interval_ms = 0, std::uint32_t threshold = 0) const {
        executor::api::Check out;
        out.tcp_check = executor::api::TcpCheck{
                .port = number_, .connect_timeout_ms = 0, .interval_ms = interval_ms};
        out.failure_threshold = threshold;
        return out;
    }

  private:
    base::Fd socket_;
    std::uint16_t number_ = 0;
};

struct Cell : Bench {
    executor::api::RunInfo info;

    Cell() {
        info.run = run_of("app");
        info.log_config.source_name = "APP";
        info.start_timeout_ms = 60'000;
        processes.programs["check"] = {.lives = milliseconds(0)};
    }

    void sick(const std::string& words) {
        processes.programs["check"] = {.lives = milliseconds(0), .status = 1, .out = words};
    }

    std::size_t checks() const {
        std::size_t count = 0;
        for (const auto& request : processes.started)
            if (request.spec.path == "check") ++count;
        return count;
    }

    Watched& begin() { return start(executor::assemble(info, tools())); }

    Watched& again() { return restart(executor::assemble(info, tools())); }
};

}  // namespace

TEST_CASE("without a monitor the container runs with its process and ends with it") {
    Cell c;
    c.processes.programs["app"].lives = seconds(1);
    auto& w = c.begin();
    CHECK(w.readies == 1);
    c.advance(seconds(1));
    CHECK(w.outcome.good());
}

TEST_CASE("setup comes first and its failure is the container's") {
    Cell c;
    c.info.setup = run_of("prepare");
    c.processes.programs["prepare"] = {.lives = seconds(1), .status = 2};
    auto& w = c.begin();
    CHECK(w.readies == 0);
    CHECK_FALSE(c.processes.was_started("app"));
    c.advance(seconds(1));
    CHECK(w.outcome.message == "APP: Exited with status 2");
    CHECK_FALSE(c.processes.was_started("app"));
}

TEST_CASE("the container is ready when its monitor passes and the first check comes soon") {
    Cell c;
    c.info.monitor = run_of("check");
    auto& w = c.begin();
    CHECK(c.log.has("HEALTH out: Starting health monitoring of container\n"));
    CHECK(c.checks() == 0);
    c.advance(milliseconds(50));
    CHECK(c.checks() == 1);
    CHECK(w.readies == 1);
    CHECK(c.log.has("HEALTH out: Container became healthy\n"));
    c.advance(seconds(29));
    CHECK(c.checks() == 1);
    c.advance(seconds(1));
    CHECK(c.checks() == 2);
    CHECK_FALSE(w.done());
}

TEST_CASE("checks before health come later and later up to the unhealthy interval") {
    Cell c;
    c.info.monitor = run_of("check");
    c.sick("no");
    c.begin();
    for (const int wait : {50, 100, 200, 400, 800, 1'600, 2'000, 2'000}) {
        const auto before = c.checks();
        c.advance(milliseconds(wait) - std::chrono::microseconds(20));
        CHECK(c.checks() == before);
        c.advance(std::chrono::microseconds(20));
        CHECK(c.checks() == before + 1);
    }
    Cell d;
    d.tools().times.first_probe = seconds(0);
    d.info.monitor = run_of("check");
    d.begin();
    d.advance(milliseconds(1'999));
    CHECK(d.checks() == 0);
    d.advance(milliseconds(1));
    CHECK(d.checks() == 1);
}

TEST_CASE("a monitor that never passes ends the container at its start timeout with its words") {
    Cell c;
    c.info.monitor = run_of("check");
    c.sick("connection refused\n");
    auto& w = c.begin();
    c.advance(seconds(59));
    CHECK_FALSE(w.done());
    c.advance(seconds(1));
    CHECK(w.outcome.message == "Instance never healthy after 1m0s: connection refused");
    CHECK(w.readies == 0);
    CHECK(c.log.has("Failed after 1m0s: startup health check never passed.\n"));
    CHECK(c.log.has("HEALTH err> connection refused\n"));
    CHECK(c.processes.running() == 0);
}

TEST_CASE("without a start timeout a monitor may fail for ever") {
    Cell c;
    c.info.start_timeout_ms = 0;
    c.info.monitor = run_of("check");
    c.sick("");
    auto& w = c.begin();
    c.advance(std::chrono::hours(1));
    CHECK_FALSE(w.done());
}

TEST_CASE("one failure of a healthy monitor ends the container") {
    Cell c;
    c.info.monitor = run_of("check");
    auto& w = c.begin();
    c.advance(milliseconds(50));
    CHECK_FALSE(c.log.has("became unhealthy"));
    c.sick("gone away\n");
    c.advance(seconds(30));
    CHECK(w.outcome.message == "Instance became unhealthy: gone away");
    CHECK(c.log.has("HEALTH err: Container became unhealthy\n"));
    CHECK(c.processes.running() == 0);
}

TEST_CASE("a monitor without words says that it could not be invoked") {
    Cell c;
    c.info.monitor = run_of("check");
    auto& w = c.begin();
    c.advance(milliseconds(50));
    c.sick("");
    c.advance(seconds(30));
    CHECK(w.outcome.message ==
          "Instance became unhealthy: failed to invoke process: Exited with status 1");
}

TEST_CASE("the output of passing monitors is not shown even when not suppressed") {
    Cell c;
    c.info.monitor = run_of("check");
    c.processes.programs["check"].out = "healthcheck passed\n";
    c.begin();
    c.advance(seconds(100));
    CHECK_FALSE(c.log.has("passed"));
    CHECK_FALSE(c.log.has("Exit status"));
}

TEST_CASE("branches of a parallel monitor keep their words apart") {
    Cell c;
    c.info.start_timeout_ms = 1'000;
    c.info.monitor = parallel_of({run_of("check"), run_of("other")});
    c.sick("one\n");
    c.processes.programs["other"] = {.lives = milliseconds(1), .status = 1, .out = "two\n"};
    auto& w = c.begin();
    c.advance(seconds(2));
    CHECK(w.outcome.message == "Instance never healthy after 1s: one; two");
}

TEST_CASE("a monitor that hangs is ended at the start timeout") {
    Cell c;
    c.info.monitor = run_of("check");
    c.processes.programs["check"] = {};
    auto& w = c.begin();
    c.advance(seconds(61));
    CHECK(w.dones == 1);
    CHECK(w.outcome.message == "Instance never healthy after 1m0s: no health check has ended");
    CHECK(c.processes.running() == 0);
}

TEST_CASE("an action that leaves with 0 stays up while its monitor passes") {
    Cell c;
    c.info.monitor = run_of("check");
    c.processes.programs["app"].lives = seconds(5);
    auto& w = c.begin();
    c.advance(std::chrono::minutes(5));
    CHECK_FALSE(w.done());
    c.cancel();
    CHECK(w.dones == 1);
}

TEST_CASE("a failing action ends the container although its monitor passes") {
    Cell c;
    c.info.monitor = run_of("check");
    c.processes.programs["app"] = {.lives = seconds(5), .status = 9};
    auto& w = c.begin();
    c.advance(seconds(5));
    CHECK(w.outcome.message == "APP: Exited with status 9");
}

TEST_CASE("with sidecars whoever leaves takes the others along") {
    for (const int status : {0, 4}) {
        Cell c;
        c.info.sidecars.push_back({.run = run_of("side")});
        c.processes.programs["side"] = {.lives = seconds(5), .status = status};
        auto& w = c.begin();
        CHECK(w.readies == 1);
        c.advance(seconds(5));
        CHECK(w.dones == 1);
        CHECK(w.outcome.message == (status == 0 ? "" : "APP: Exited with status 4"));
        CHECK(c.processes.running() == 0);
    }
}

TEST_CASE("the graceful interval of a container replaces the cell's") {
    Cell c;
    c.info.graceful_shutdown_interval_ms = 30'000;
    c.processes.programs["app"].leaves_after = std::nullopt;
    auto& w = c.begin();
    c.cancel();
    c.advance(milliseconds(29'900));
    CHECK_FALSE(w.done());
    c.advance(milliseconds(100));
    CHECK(w.outcome.kind == Kind::grace_exceeded);
}

TEST_CASE("a healthy container is ready at once after a restart and goes on with liveness") {
    Cell c;
    c.info.monitor = run_of("check");
    c.begin();
    c.advance(seconds(1));
    c.log.text.clear();
    c.sick("late");
    auto& w = c.again();
    CHECK(w.readies == 1);
    CHECK(c.processes.running("app") == 1);
    CHECK_FALSE(c.log.has("Starting health monitoring"));
    c.advance(seconds(2));
    CHECK(w.outcome.message == "Instance became unhealthy: late");
    CHECK_FALSE(c.processes.started_twice);
}

TEST_CASE("the start timeout is not extended by a restart") {
    Cell c;
    c.info.monitor = run_of("check");
    c.sick("no");
    c.begin();
    c.advance(seconds(40));
    auto& w = c.again();
    c.advance(seconds(20));
    CHECK(w.outcome.message == "Instance never healthy after 1m0s: no");
}

TEST_CASE("checks from the host make the container ready and displace the monitor") {
    Cell c;
    Port port;
    c.info.monitor = run_of("check");
    c.info.check_definition.checks = {port.check()};
    auto& w = c.begin();
    c.advance(seconds(3));
    CHECK(w.readies == 0);
    port.open();
    c.advance(seconds(2));
    CHECK(w.readies == 1);
    CHECK(c.checks() == 0);
    port.close();
    c.advance(seconds(30));
    CHECK(w.dones == 1);
    CHECK(w.outcome.message.starts_with(
            "Instance became unhealthy: Liveness check unsuccessful: failed to make TCP "));
}

TEST_CASE("all startup checks must pass and those that do not are named at the timeout") {
    Cell c;
    Port good, bad;
    good.open();
    c.info.start_timeout_ms = 10'000;
    c.info.check_definition.checks = {good.check(), bad.check()};
    c.info.check_definition.log_source = "CHECK";
    auto& w = c.begin();
    c.advance(seconds(10));
    CHECK(w.readies == 0);
    CHECK(w.outcome.message.starts_with(
            "Instance never healthy after 10s: Timed out after 10s (9 attempts) waiting for "
            "startup check to succeed: failed to make TCP "));
    CHECK(c.log.has("CHECK err: Failed after 10s: startup health check never passed.\n"));
}

TEST_CASE("a threshold is counted in a row and a check has its own interval") {
    Cell c;
    Port port;
    port.open();
    c.info.check_definition.checks = {port.check(1'000, 3)};
    auto& w = c.begin();
    c.advance(milliseconds(50));
    REQUIRE(w.readies == 1);
    port.close();
    c.advance(seconds(2));
    CHECK_FALSE(w.done());
    port.open();
    c.advance(seconds(1));
    port.close();
    c.advance(seconds(2));
    CHECK_FALSE(w.done());
    c.advance(seconds(1));
    CHECK(w.dones == 1);
}

TEST_CASE("readiness follows its checks and never ends the container") {
    Cell c;
    Port port;
    c.info.check_definition.readiness_checks = {port.check(5'000)};
    auto& w = c.begin();
    CHECK(w.readies == 1);
    c.advance(seconds(3));
    CHECK(c.routable.empty());
    port.open();
    c.advance(seconds(2));
    CHECK(c.routable == std::vector<bool>{true});
    CHECK(c.log.has("marked ready and added to route pool"));
    port.close();
    c.advance(seconds(5));
    CHECK(c.routable == std::vector<bool>{true, false});
    CHECK(c.log.has("HEALTH err: Readiness check unsuccessful: failed to make TCP "));
    CHECK(c.log.has("marked not ready and removed from route pool"));
    port.open();
    c.advance(seconds(2));
    CHECK(c.routable == std::vector<bool>{true, false, true});
    CHECK_FALSE(w.done());
    c.cancel();
    CHECK(w.dones == 1);
}

TEST_CASE("readiness after a restart tells what it finds whatever was told before") {
    Cell c;
    Port port;
    port.open();
    c.info.check_definition.readiness_checks = {port.check()};
    c.begin();
    c.advance(seconds(1));
    REQUIRE(c.routable == std::vector<bool>{true});
    port.close();
    c.again();
    c.advance(milliseconds(50));
    CHECK(c.routable == std::vector<bool>{true, false});
}

TEST_CASE("a definition with readiness checks only keeps the monitor") {
    Cell c;
    Port port;
    c.info.monitor = run_of("check");
    c.info.check_definition.readiness_checks = {port.check()};
    auto& w = c.begin();
    CHECK(w.readies == 0);
    c.advance(milliseconds(50));
    CHECK(w.readies == 1);
    c.sick("no");
    c.advance(seconds(30));
    CHECK(w.outcome.message == "Instance became unhealthy: no");
}

TEST_CASE("monitors share slots and who waits for one can be cancelled") {
    Cell c;
    executor::Slots slots(*c.loop, 1);
    c.tools().health_slots = &slots;
    c.info.monitor = run_of("check");
    c.processes.programs["check"] = {.lives = seconds(5)};
    auto& w = c.begin();
    bool other = false, third = false;
    {
        const auto before = slots.take([] {});
        const auto waits = slots.take([&] { other = true; });
        c.advance(seconds(1));
        CHECK(c.checks() == 0);
        CHECK_FALSE(other);
    }
    c.loop->run_until_idle();
    c.advance(seconds(1));
    CHECK(c.checks() == 1);
    CHECK_FALSE(other);
    const auto waits = slots.take([&] { third = true; });
    c.advance(seconds(3));
    CHECK_FALSE(third);
    c.advance(seconds(1));
    CHECK(third);
    CHECK(w.readies == 1);
    c.advance(seconds(40));  // its next check waits for us
    CHECK(c.checks() == 1);
    c.cancel();
    CHECK(w.dones == 1);
}

TEST_CASE("a cancel ends a container in whatever its health does") {
    Cell c;
    Port port;
    for (const int wait : {0, 50, 1'000, 31'000}) {
        Cell monitored;
        monitored.info.monitor = run_of("check");
        monitored.processes.programs["check"].lives = seconds(1);
        auto& w = monitored.begin();
        monitored.advance(milliseconds(wait));
        monitored.cancel();
        CHECK(w.dones == 1);
        CHECK(monitored.processes.running() == 0);
        Cell checked;
        checked.info.check_definition.checks = {port.check()};
        auto& v = checked.begin();
        checked.advance(milliseconds(wait));
        checked.cancel();
        CHECK(v.dones == 1);
    }
}
