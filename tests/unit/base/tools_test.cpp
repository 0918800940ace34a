#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/sys/file.hpp"

#include <thread>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

TEST_CASE("durations are read with their units and written back") {
    CHECK(base::parse_duration("0").value() == 0ns);
    CHECK(base::parse_duration("500ms").value() == 500ms);
    CHECK(base::parse_duration("1h30m").value() == 90min);
    CHECK(base::parse_duration("1.5s").value() == 1500ms);
    for (const auto* bad :
         {"", "5", "5x", "-5s", "s", "1h-1m", "999999999h", "1e3s", "nans", "infs"}) {
        CAPTURE(bad);
        CHECK(!base::parse_duration(bad));
    }
    CHECK(base::to_text(90min) == "1h30m");
    CHECK(base::to_text(0ns) == "0");
    CHECK(base::parse_duration(base::to_text(3723004005006ns)).value() == 3723004005006ns);
}

TEST_CASE("a manual clock stands still") {
    base::ManualClock clock;
    const auto before = clock.monotonic();
    clock.advance(5s);
    CHECK(clock.monotonic() - before == 5s);
    CHECK(base::to_rfc3339(clock.wall()) == "2023-11-14T22:13:25.000000Z");
}

TEST_CASE("a log line cannot be forged by a value") {
    const auto time = std::chrono::system_clock::time_point(1s);
    const base::log::Config config{.component = "gardend"};
    CHECK(base::log::render(
                  config, base::log::Level::info, time, "container created",
                  {{"handle", "a b\nlevel=fatal"},
                   {"took", 1500us},
                   {"status", 200},
                   {"empty", ""}}) ==
          "time=1970-01-01T00:00:01.000000Z level=info component=gardend msg=\"container created\" "
          "handle=\"a b\\nlevel=fatal\" took=1.500ms status=200 empty=\"\"");
    CHECK(base::log::render(
                  {.component = "gardend", .journal = true}, base::log::Level::error, time, "x",
                  {}) == "<3>level=error component=gardend msg=x");
    const auto json = base::log::render(
            {.component = "gardend", .format = base::log::Format::json}, base::log::Level::warning,
            time, "m\"", {{"n", 7}, {"b", true}, {"s", "7"}});
    CHECK(json ==
          R"({"time":"1970-01-01T00:00:01.000000Z","level":"warning","component":"gardend","message":"m\"","n":7,"b":true,"s":"7"})");
    CHECK(base::json::Document::parse(json));
}

TEST_CASE("a logger writes whole lines of the wanted levels") {
    auto pipe = base::sys::make_pipe().value();
    const base::log::Logger logger(
            {.component = "t", .level = base::log::Level::warning, .sink = pipe.write});
    logger.info("unheard");
    logger.error(std::string(3 * base::log::kMaxLine, 'x'));
    pipe.write.reset();
    const auto text = base::sys::read_all(pipe.read, 1 << 20).value();
    CHECK(text.find("unheard") == std::string::npos);
    CHECK(text.size() <= base::log::kMaxLine + 4);
    CHECK(text.back() == '\n');
    CHECK(!base::log::parse_level("loud"));
    CHECK(base::log::parse_level("warn").value() == base::log::Level::warning);
}

TEST_CASE("metrics print as Prometheus text") {
    base::metrics::Registry registry;
    registry.counter("requests_total", "Requests.", {{"route", "/a\"\\\n"}, {"code", "200"}})
            .add(3);
    registry.counter("requests_total", "Requests.", {{"route", "/a\"\\\n"}, {"code", "200"}}).add();
    registry.gauge("containers", "Containers.").set(2.5);
    registry.ask("asked", "Asked.", {}, false, [] { return 7.0; });
    auto& histogram = registry.histogram("seconds", "Time.", {{"op", "run"}}, {0.1, 1});
    histogram.observe(0.1);
    histogram.observe(0.5);
    histogram.observe(5);
    CHECK(registry.text() ==
          "# HELP asked Asked.\n# TYPE asked gauge\nasked 7\n"
          "# HELP containers Containers.\n# TYPE containers gauge\ncontainers 2.5\n"
          "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
          "requests_total{route=\"/a\\\"\\\\\\n\",code=\"200\"} 4\n"
          "# HELP seconds Time.\n# TYPE seconds histogram\n"
          "seconds_bucket{op=\"run\",le=\"0.1\"} 1\nseconds_bucket{op=\"run\",le=\"1\"} 2\n"
          "seconds_bucket{op=\"run\",le=\"+Inf\"} 3\nseconds_sum{op=\"run\"} "
          "5.6\nseconds_count{op=\"run\"} 3\n");
}

TEST_CASE("label values cannot grow a family without limit") {
    base::metrics::Registry registry;
    for (std::size_t i = 0; i < base::metrics::kMaxSeries + 50; ++i) {
        registry.counter("c", "C.", {{"k", std::to_string(i)}}).add();
    }
    CHECK(registry.text().find("c{k=\"other\"} 50\n") != std::string::npos);
}

TEST_CASE("metrics may be counted from many threads") {
    base::metrics::Registry registry;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                registry.counter("c", "C.").add();
                registry.gauge("g", "G.").add(1);
                registry.histogram("h", "H.").observe(0.5);
            }
        });
    }
    for (int i = 0; i < 20; ++i) (void)registry.text();
    for (auto& thread : threads) thread.join();
    CHECK(registry.counter("c", "").value() == 2000);
    CHECK(registry.gauge("g", "").value() == 2000);
    CHECK(registry.histogram("h", "").figures().count == 2000);
}
