#include "executor/logs/lines.hpp"

#include "base/clock.hpp"
#include "executor/logs/limiter.hpp"

#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace executor;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> split(const std::vector<std::string>& pieces, std::size_t limit) {
    LineSplitter splitter(limit);
    std::vector<std::string> lines;
    const auto keep = [&](std::string_view line) { lines.emplace_back(line); };
    for (const auto& piece : pieces) {
        splitter.feed(piece, keep);
        CHECK(splitter.kept() <= limit);
    }
    splitter.flush(keep);
    return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("lines end at newlines and carriage returns and empty ones are nothing") {
    CHECK(split({"a\nb\r\nc\r\r\n\nd"}, 100) == Lines{"a", "b", "c", "d"});
    CHECK(split({"\n\r\n"}, 100).empty());
    CHECK(split({"hel", "lo\nwor", "", "ld"}, 100) == Lines{"hello", "world"});
}

TEST_CASE("a line of exactly the limit stays whole and one more byte makes two") {
    CHECK(split({std::string(61'440, 'x') + "\n"}, kMaxLogLine).size() == 1);
    const auto two = split({std::string(61'441, 'x') + "\n"}, kMaxLogLine);
    REQUIRE(two.size() == 2);
    CHECK(two[0].size() == 61'440);
    CHECK(two[1] == "x");
}

TEST_CASE("long lines are cut between characters and what is no UTF-8 at the limit") {
    CHECK(split({"abc\xc3\xa4xyz"}, 4) == Lines{"abc", "\xc3\xa4xy", "z"});
    CHECK(split({"a\xf0\x9f\x98\x80z"}, 4) == Lines{"a", "\xf0\x9f\x98\x80", "z"});
    CHECK(split({"\x80\x80\x80\x80\x80\x80"}, 4) == Lines{"\x80\x80\x80\x80", "\x80\x80"});
    CHECK(split({"abcd\xe2\x82\xac"}, 4) == Lines{"abcd", "\xe2\x82\xac"});
}

TEST_CASE("where the pieces were cut changes nothing") {
    std::mt19937 random(4711);
    const auto pick = [&](std::size_t n) {
        return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
    };
    const std::vector<std::string> parts = {"a",    "b",        "\n",           "\r",
                                            "\r\n", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                            "\x80", "\xff",     "\xc3",         "long long"};
    for (int round = 0; round < 400; ++round) {
        std::string text;
        for (std::size_t i = 0, n = pick(60); i < n; ++i) text += parts[pick(parts.size())];
        std::vector<std::string> pieces;
        for (std::size_t at = 0; at < text.size();) {
            const auto size = pick(7);
            pieces.push_back(text.substr(at, size));
            at += size;
        }
        const std::size_t limit = 4 + pick(20);
        const auto whole = split({text}, limit);
        REQUIRE(split(pieces, limit) == whole);
        std::string joined, expected;
        for (const auto& line : whole) {
            REQUIRE_FALSE(line.empty());
            REQUIRE(line.size() <= limit);
            joined += line;
        }
        for (const char c : text)
            if (c != '\n' && c != '\r') expected += c;
        REQUIRE(joined == expected);  // nothing is lost, nothing is added
    }
}

TEST_CASE("a bucket holds one second and fills at its rate") {
    base::ManualClock clock;
    TokenBucket bucket(100, clock.monotonic());
    CHECK(bucket.take(100, clock.monotonic()));
    CHECK_FALSE(bucket.take(1, clock.monotonic()));
    clock.advance(100ms);
    CHECK(bucket.take(10, clock.monotonic()));
    CHECK_FALSE(bucket.take(1, clock.monotonic()));
    clock.advance(1h);
    CHECK_FALSE(bucket.take(101, clock.monotonic()));
    CHECK(bucket.take(100, clock.monotonic()));
}

TEST_CASE("an overrun is noticed once and then silent for one second") {
    using Verdict = LogLimiter::Verdict;
    base::ManualClock clock;
    LogLimiter limiter(100, 0, clock.monotonic());
    CHECK(limiter.decide(60, clock.monotonic()) == Verdict::pass);
    CHECK(limiter.decide(60, clock.monotonic()) == Verdict::drop_and_notice);
    CHECK(limiter.notice() == "app instance exceeded log rate limit (100 bytes/sec)");
    clock.advance(999ms);
    CHECK(limiter.decide(1, clock.monotonic()) == Verdict::drop);
    clock.advance(1ms);
    CHECK(limiter.decide(100, clock.monotonic()) == Verdict::pass);
    clock.advance(1h);  // a line longer than the limit never fits
    CHECK(limiter.decide(101, clock.monotonic()) == Verdict::drop_and_notice);
}

TEST_CASE("no limit passes everything and a limit of nothing drops without a word") {
    using Verdict = LogLimiter::Verdict;
    base::ManualClock clock;
    LogLimiter open(kNoLogLimit, 0, clock.monotonic());
    for (int i = 0; i < 1000; ++i) REQUIRE(open.decide(60'000, clock.monotonic()) == Verdict::pass);
    LogLimiter shut(0, 5, clock.monotonic());
    for (int i = 0; i < 10; ++i) REQUIRE(shut.decide(1, clock.monotonic()) == Verdict::drop);
}

TEST_CASE("the operator may limit lines as well") {
    using Verdict = LogLimiter::Verdict;
    base::ManualClock clock;
    LogLimiter limiter(kNoLogLimit, 2, clock.monotonic());
    CHECK(limiter.decide(1, clock.monotonic()) == Verdict::pass);
    CHECK(limiter.decide(1, clock.monotonic()) == Verdict::pass);
    CHECK(limiter.decide(1, clock.monotonic()) == Verdict::drop_and_notice);
    CHECK(limiter.notice() ==
          "app instance exceeded log rate limit (2 log-lines/sec) set by platform operator");
}
