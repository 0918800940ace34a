#include "base/trace.hpp"

#include "base/log.hpp"
#include "base/worker_pool.hpp"

#include <chrono>
#include <future>
#include <string>

#include <catch2/catch.hpp>

namespace trace = base::trace;

TEST_CASE("only short ids of harmless characters are trace ids") {
    CHECK(trace::is_valid("7f461654-74d1-1ee5-8367-77d85df2cdab"));
    CHECK(trace::is_valid("a:b.c_d"));
    CHECK(trace::is_valid(std::string(trace::kMaxBytes, 'x')));
    CHECK_FALSE(trace::is_valid(std::string(trace::kMaxBytes + 1, 'x')));
    for (const auto* bad : {"", "a b", "a\"b", "a\nlevel=error", "a=b", "\xc3\xa9", "$(x)", "a\\b"})
        CHECK_FALSE(trace::is_valid(bad));
}

TEST_CASE("a scope sets the id of its thread and puts back what was before") {
    CHECK(trace::current().empty());
    {
        const trace::Scope outer("outer");
        {
            const trace::Scope inner("inner");
            CHECK(trace::current() == "inner");
        }
        CHECK(trace::current() == "outer");
    }
    CHECK(trace::current().empty());
}

TEST_CASE("a job of a pool runs under the id of who submitted it") {
    base::WorkerPool pool({.name = "test", .threads = 1, .queue = 4});
    std::promise<std::string> with;
    std::promise<std::string> without;
    {
        const trace::Scope scope("of-the-request");
        REQUIRE(pool.submit([&] { with.set_value(trace::current()); }));
    }
    REQUIRE(pool.submit([&] { without.set_value(trace::current()); }));
    CHECK(with.get_future().get() == "of-the-request");
    CHECK(without.get_future().get().empty());
}

TEST_CASE("log lines end with the trace id when there is one") {
    using base::log::Format;
    using base::log::Level;
    const auto line = [](Format format) {
        return base::log::render(
                {.component = "c", .format = format}, Level::info,
                std::chrono::system_clock::time_point(), "said", {{"a", "b"}});
    };
    CHECK(line(Format::text).ends_with(" a=b"));
    const trace::Scope scope("the-id");
    CHECK(line(Format::text).ends_with(" a=b trace=the-id"));
    CHECK(line(Format::json).ends_with(R"("a":"b","trace":"the-id"})"));
}
