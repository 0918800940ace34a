// What apps print: pieces of any size give the same lines, each bounded, and nothing gets lost; a
// limit lets through what it says and no more.
#include "executor/logs/limiter.hpp"
#include "executor/logs/lines.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <optional>
#include <string>
#include <vector>

namespace {

std::vector<std::string> split(std::string_view text, std::size_t limit, std::size_t step) {
    std::vector<std::string> out;
    const auto keep = [&out](std::string_view line) { out.emplace_back(line); };
    executor::LineSplitter splitter(limit);
    while (!text.empty()) {
        const auto piece = text.substr(0, step);
        splitter.feed(piece, keep);
        fuzz::require(splitter.kept() <= limit, "what waits for its end is bounded");
        text.remove_prefix(piece.size());
    }
    splitter.flush(keep);
    fuzz::require(splitter.kept() == 0, "nothing is kept behind the end");
    return out;
}

bool is_end(char c) {
    return c == '\n' || c == '\r';
}

void lines(std::size_t limit, std::size_t step, std::string_view text) {
    const auto whole = split(text, limit, text.size() + 1);
    fuzz::require(whole == split(text, limit, step), "lines are the same whole and in pieces");
    std::string together;
    for (const auto& line : whole) {
        fuzz::require(!line.empty() && line.size() <= limit, "a line has a length");
        together += line;
    }
    std::string expected;
    for (const char c : text) {
        if (!is_end(c)) expected += c;
    }
    fuzz::require(together == expected, "every byte of a line is told once");
}

void cut(std::size_t limit, std::string_view text) {
    const auto at = executor::cut_between_characters(text, limit);
    fuzz::require(at <= limit && at <= text.size(), "a cut is within its limit");
    fuzz::require(text.empty() || at > 0, "a cut goes on");
    fuzz::require(text.size() > limit || at == text.size(), "what fits is not cut");
}

// Two bytes for one line: its size, and the time since the one before.
void limiter(fuzz::Input input) {
    using std::chrono::milliseconds;
    const std::int64_t bytes = input.byte() - 1;
    const std::uint64_t per_second = input.byte() % 8U;
    const executor::LogLimiter::Time begin{};
    auto now = begin;
    executor::LogLimiter limit(bytes, per_second, begin);
    double passed = 0;
    double count = 0;
    std::optional<executor::LogLimiter::Time> told;
    while (!input.empty()) {
        const std::size_t size = input.byte();
        now += milliseconds(input.byte() * 10);
        const auto verdict = limit.decide(size, now);
        const auto seconds = std::chrono::duration<double>(now - begin).count();
        if (verdict == executor::LogLimiter::Verdict::pass) {
            passed += static_cast<double>(size);
            count += 1;
        }
        if (verdict == executor::LogLimiter::Verdict::drop_and_notice) {
            fuzz::require(!limit.notice().empty(), "an overrun has words");
            fuzz::require(
                    !told || now - *told >= std::chrono::seconds(1),
                    "who is over is silent a second");
            told = now;
        }
        if (bytes >= 0)
            fuzz::require(
                    passed <= static_cast<double>(bytes) * (seconds + 1) + 1, "bytes are limited");
        if (per_second > 0)
            fuzz::require(
                    count <= static_cast<double>(per_second) * (seconds + 1) + 1,
                    "lines are limited");
    }
}

}  // namespace

// First byte: which; second: the limit; third: the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const auto which = input.byte() % 4;
    if (which == 3) {
        limiter(input);
        return 0;
    }
    const std::size_t limit = 4U + input.byte();  // the longest character
    const std::size_t step = 1U + input.byte();
    if (which == 2) {
        cut(limit, input.rest());
    } else {
        lines(limit, step, input.rest());
    }
    return 0;
}
