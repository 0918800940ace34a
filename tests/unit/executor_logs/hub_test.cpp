#include "executor/logs/hub.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using namespace executor;
using namespace std::chrono_literals;

namespace {

api::LogConfig log_config(std::string guid = "app-guid") {
    return {.guid = std::move(guid), .index = 3, .source_name = "APP", .tags = {{"space", "s"}}};
}

std::vector<std::string> texts(const LogHub& hub, std::size_t count = 1000) {
    std::vector<std::string> out;
    const auto records = hub.recent("c", count).value();
    for (const auto& record : records) out.push_back(record.source + ":" + record.text);
    return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("each source and kind has its own lines and flush ends them") {
    base::ManualClock clock;
    LogHub hub(clock);
    auto log = hub.open("c", log_config());
    log->write("", LogKind::out, "ou");
    log->write("", LogKind::err, "er");
    log->write("SIDE", LogKind::out, "side\n");
    log->say("HEALTH", LogKind::out, "Container became healthy");
    log->write("", LogKind::out, "t\n");
    log->flush("");
    log->flush("unknown");
    CHECK(texts(hub) == Texts{"SIDE:side", "HEALTH:Container became healthy", "APP:out", "APP:er"});
    const auto records = hub.recent("c", 1).value();
    REQUIRE(records.size() == 1);
    CHECK(records[0].sequence == 4);
    CHECK(records[0].kind == LogKind::err);
    CHECK(records[0].tags ==
          api::Tags{{"source_id", "app-guid"}, {"instance_id", "3"}, {"space", "s"}});
}

TEST_CASE("a container without a log guid logs nothing") {
    base::ManualClock clock;
    LogHub hub(clock);
    auto log = hub.open("c", log_config(""));
    log->write("", LogKind::out, "x\n");
    log->say("", LogKind::out, "y");
    CHECK(texts(hub).empty());
    CHECK(hub.figures("c").value().lines == 0);
    CHECK(hub.recent("other", 1).error().kind == base::Errc::not_found);
}

TEST_CASE("the source of a container without one is LOG and tags may override the defaults") {
    base::ManualClock clock;
    LogHub hub(clock);
    auto log = hub.open("c", {.guid = "g", .index = 0, .source_name = "", .tags = {}});
    log->say("", LogKind::out, "one");
    REQUIRE(hub.update_tags("c", {{"source_id", "other"}, {"k", "v"}}));
    log->say("", LogKind::out, "two");
    log->write("", LogKind::out, "three\n");
    const auto records = hub.recent("c", 10).value();
    REQUIRE(records.size() == 3);
    CHECK(records[0].source == "LOG");
    CHECK(records[0].tags == api::Tags{{"source_id", "g"}, {"instance_id", "0"}});
    for (std::size_t i : {1U, 2U})
        CHECK(records[i].tags ==
              api::Tags{{"source_id", "other"}, {"instance_id", "0"}, {"k", "v"}});
    CHECK_FALSE(hub.update_tags("nobody", {}));
}

TEST_CASE("what is over the rate is dropped and counted and said once") {
    base::ManualClock clock;
    LogHub hub(clock);
    auto log = hub.open("c", log_config(), 10);
    log->write("", LogKind::err, "12345\n12345\n12345\n12345\n");
    CHECK(texts(hub) == Texts{"APP:12345", "APP:12345",
                              "APP:app instance exceeded log rate limit (10 bytes/sec)"});
    auto figures = hub.figures("c").value();
    CHECK(figures.lines == 2);
    CHECK(figures.bytes == 10);
    CHECK(figures.dropped_lines == 2);
    CHECK(figures.dropped_bytes == 10);
    CHECK(figures.overruns == 1);
    CHECK(figures.limit == 10);
    clock.advance(1s);
    log->write("", LogKind::out, "again\n");
    CHECK(texts(hub).back() == "APP:again");
    clock.advance(4s);
    CHECK(hub.figures("c").value().rate == Approx(3.0));  // 15 bytes in 5 s
}

TEST_CASE("recent lines are bounded in number and in bytes") {
    base::ManualClock clock;
    LogHub hub(clock, {.recent_bytes = 10'000, .recent_lines = 20});
    auto log = hub.open("c", log_config());
    for (int i = 0; i < 100; ++i) log->say("", LogKind::out, std::to_string(i));
    CHECK(texts(hub).size() == 20);
    CHECK(texts(hub, 2) == Texts{"APP:98", "APP:99"});
    for (int i = 0; i < 100; ++i) log->say("", LogKind::out, std::string(3000, 'x'));
    CHECK(texts(hub).size() == 3);
    log->say("", LogKind::out, std::string(60'000, 'y'));
    CHECK(texts(hub).size() == 1);
}

TEST_CASE("a follower begins with recent lines and gets the rest and then the end") {
    base::ManualClock clock;
    LogHub hub(clock);
    auto log = hub.open("c", log_config());
    for (const auto* line : {"a", "b", "c"}) log->say("", LogKind::out, line);
    auto follower = hub.follow("c", 2).value();
    log->write("", LogKind::out, "d\nunfinished");
    hub.close("c");
    std::string seen;
    for (;;) {
        auto record = follower->next(1s);
        REQUIRE(record);
        if (!*record) break;
        seen += (*record)->text + " ";
    }
    CHECK(seen == "b c d unfinished ");
    log->say("", LogKind::out, "late");  // to nobody
    CHECK_FALSE(follower->next(1s).value());
    CHECK_FALSE(hub.follow("c"));
}

TEST_CASE("a follower that never reads does not hold up the writer and is told what it lost") {
    base::ManualClock clock;
    LogHub hub(clock, {.follower_bytes = 1 << 20, .follower_lines = 10});
    auto log = hub.open("c", log_config());
    auto follower = hub.follow("c").value();
    for (int i = 0; i < 100'000; ++i) log->say("", LogKind::out, "x");
    auto record = follower->next(0ms).value();
    REQUIRE(record);
    CHECK(record->dropped == 99'990);
    for (int i = 0; i < 10; ++i) {
        record = follower->next(0ms).value();
        REQUIRE(record);
        CHECK(record->sequence == 99'991 + static_cast<std::uint64_t>(i));
    }
    CHECK(follower->next(0ms).error().kind == base::Errc::timeout);
    follower->close();
    CHECK_FALSE(follower->next(1s).value());
}

TEST_CASE("followers are bounded and a closed one makes room") {
    base::ManualClock clock;
    LogHub hub(clock, {.followers = 2});
    auto log = hub.open("c", log_config());
    auto first = hub.follow("c").value();
    auto second = hub.follow("c").value();
    CHECK(hub.follow("c").error().kind == base::Errc::exhausted);
    first.reset();
    CHECK(hub.follow("c"));
}

TEST_CASE("more sources than may be still log") {
    base::ManualClock clock;
    LogHub hub(clock, {.sources = 2});
    auto log = hub.open("c", log_config());
    for (int i = 0; i < 5; ++i) log->write("S" + std::to_string(i), LogKind::out, "x\ny\n");
    CHECK(texts(hub).size() == 10);
    CHECK(texts(hub).back() == "S4:y");
}

TEST_CASE("opening again keeps the lines and takes the new limit") {
    base::ManualClock clock;
    LogHub hub(clock);
    auto first = hub.open("c", log_config());
    first->say("", LogKind::out, "before");
    auto second = hub.open("c", log_config(), 0);
    second->say("", LogKind::out, "nobody sees");
    CHECK(texts(hub) == Texts{"APP:before"});
    CHECK(hub.containers() == Texts{"c"});
}

TEST_CASE("many writers and followers at once lose nothing that fits") {
    base::SystemClock clock;
    LogHub hub(clock, {.follower_bytes = 8 << 20, .follower_lines = 100'000});
    auto log = hub.open("c", log_config());
    constexpr int kWriters = 4;
    constexpr int kLines = 2'000;
    std::atomic<std::uint64_t> seen = 0;
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i)
        readers.emplace_back([follower = hub.follow("c").value(), &seen] {
            std::uint64_t last = 0;
            for (;;) {
                auto record = follower->next(10s);
                if (!record || !*record) return;
                if ((*record)->sequence == last + 1) ++seen;
                last = (*record)->sequence;
            }
        });
    {
        std::vector<std::jthread> writers;
        for (int w = 0; w < kWriters; ++w)
            writers.emplace_back([&log] {
                for (int i = 0; i < kLines; ++i) log->say("", LogKind::out, "line");
            });
    }
    hub.close("c");
    readers.clear();
    CHECK(seen == 3U * kWriters * kLines);
}

TEST_CASE("a record is the same after its JSON") {
    const api::LogRecord line{
            .sequence = 7,
            .time_ns = 1'700'000'000'123'456'789,
            .kind = LogKind::err,
            .source = "APP",
            .text = "tab\t\"quote\"",
            .tags = {{"a", "b"}}};
    const api::LogRecord gap{.dropped = 12};
    for (const auto& record : {line, gap})
        CHECK(base::json::decode<api::LogRecord>(base::json::encode(record)).value() == record);
    CHECK(base::json::encode(gap) == R"({"dropped":12})");
    CHECK_FALSE(base::json::decode<api::LogRecord>(R"({"kind":"loud"})"));
}
