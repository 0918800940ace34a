// A container's log as its writers and readers drive it: what is kept stays within its bounds, and
// a reader gets every line once and in order or is told how many it lost.
#include "executor/logs/hub.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <array>
#include <memory>
#include <string>

namespace {

namespace api = executor::api;
using executor::LogHub;

constexpr auto kContainer = "c";

executor::LogHubConfig small() {
    executor::LogHubConfig config;
    config.recent_bytes = 4'096;
    config.recent_lines = 8;
    config.follower_bytes = 4'096;
    config.follower_lines = 6;
    config.followers = 2;
    config.sources = 3;
    return config;
}

struct Reading {
    std::unique_ptr<executor::LogFollower> follower;
    std::uint64_t expected = 1;  // the sequence that comes next
};

// All that is there; nothing may be missing or come twice.
void read_all(Reading& reading) {
    for (;;) {
        const auto record = reading.follower->next(std::chrono::milliseconds(0));
        if (!record || !*record) return;
        const auto& line = **record;
        if (line.dropped != 0) {
            reading.expected += line.dropped;
            continue;
        }
        fuzz::require(line.sequence == reading.expected, "lines come in order, none is missing");
        ++reading.expected;
    }
}

void check_recent(const LogHub& hub) {
    const auto records = hub.recent(kContainer, 1'000).value();
    fuzz::require(records.size() <= small().recent_lines, "recent lines are bounded");
    std::uint64_t before = 0;
    std::size_t bytes = 0;
    for (const auto& record : records) {
        fuzz::require(before == 0 || record.sequence == before + 1, "recent lines are in order");
        fuzz::require(record.tags.count("source_id") == 1, "a line says whose it is");
        before = record.sequence;
        bytes += record.text.size();
    }
    fuzz::require(records.size() < 2 || bytes <= small().recent_bytes, "recent bytes are bounded");
}

}  // namespace

// Each step: a byte that says what, then a text up to 0xff.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::array kSources{"", "APP", "HEALTH", "SIDE", "more"};
    fuzz::Input input(data, size);
    base::ManualClock clock;
    LogHub hub(clock, small());
    const auto limit = input.byte();
    const api::LogConfig config{.guid = "app", .index = 1, .source_name = "APP", .tags = {}};
    auto log = hub.open(kContainer, config, limit == 0 ? -1 : limit * 4);
    Reading reading{.follower = hub.follow(kContainer).value()};
    while (!input.empty()) {
        const auto what = input.byte();
        const auto text = input.until("\xff");
        const auto* source = kSources[(what >> 3U) % kSources.size()];
        const auto kind = (what & 0x80U) != 0 ? api::LogKind::err : api::LogKind::out;
        switch (what % 8U) {
            case 4:
                log->say(source, kind, text);
                break;
            case 5:
                log->flush(source);
                break;
            case 6:
                clock.advance(std::chrono::milliseconds(text.size() * 100));
                break;
            case 7:
                read_all(reading);
                break;
            case 0:
            case 1:
            case 2:
            case 3:
            default:
                log->write(source, kind, text);
                break;
        }
    }
    check_recent(hub);
    const auto figures = hub.figures(kContainer).value();
    hub.close(kContainer);
    read_all(reading);
    fuzz::require(reading.expected > figures.lines, "all lines were read or told as lost");
    return 0;
}
