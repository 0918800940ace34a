// LogHub::Stream: one container's log: splitters, limiter, ring and followers under one lock that
// is never held while anything waits. Private to executor/logs.
#pragma once

#include "executor/logs/hub.hpp"
#include "executor/logs/limiter.hpp"
#include "executor/logs/lines.hpp"

#include <array>
#include <condition_variable>
#include <deque>

namespace executor {

// What all lines of one source share, so that a line stores two words of it.
struct LineLabels {
    std::string source;
    api::Tags tags;
};

struct StoredLine {
    std::uint64_t sequence = 0;
    std::int64_t time_ns = 0;
    LogKind kind = LogKind::out;
    std::shared_ptr<const LineLabels> labels;  // owners: the lines, and the source that writes now
    std::string text;

    // With what the allocator and the containers add.
    std::size_t cost() const {
        constexpr std::size_t kAround = 80;
        return sizeof(StoredLine) + kAround + text.size();
    }
};

using LinePtr = std::shared_ptr<const StoredLine>;  // owners: the ring and the followers' queues

api::LogRecord to_record(const StoredLine& line);

// Lines in their order, bounded by number and cost; the oldest go first.
class LineQueue {
  public:
    LineQueue(std::size_t lines, std::size_t bytes) : max_lines_(lines), max_bytes_(bytes) {}

    std::size_t push(LinePtr line);  // how many went
    LinePtr pop();                   // not of an empty one

    bool empty() const { return lines_.empty(); }

    const std::deque<LinePtr>& lines() const { return lines_; }

  private:
    std::size_t max_lines_;
    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::deque<LinePtr> lines_;
};

class LogHub::Stream final : public LogStream {
  public:
    // Of one follower; guarded by the stream's lock.
    struct Reader {
        explicit Reader(const LogHubConfig& config)
            : queue(config.follower_lines, config.follower_bytes) {}

        LineQueue queue;
        std::uint64_t lost = 0;  // before the first of the queue
        bool closed = false;
        std::condition_variable changed;
    };

    Stream(const base::Clock& clock, const LogHubConfig& config);

    void write(std::string_view source, LogKind kind, std::string_view bytes) override;
    void say(std::string_view source, LogKind kind, std::string_view line) override;
    void flush(std::string_view source) override;

    void configure(const api::LogConfig& config, std::int64_t rate_limit);
    void update_tags(const api::Tags& tags);
    std::vector<api::LogRecord> recent(std::size_t count) const;
    LogFigures figures();
    void close();

    base::Result<std::shared_ptr<Reader>> add_reader(std::size_t recent);
    void remove_reader(const Reader& reader);
    void close_reader(Reader& reader);
    base::Result<std::optional<api::LogRecord>> next(
            Reader& reader, std::chrono::milliseconds timeout);

  private:
    struct Source {
        std::shared_ptr<const LineLabels> labels;
        std::array<LineSplitter, 2> splitters;  // out, err
    };

    Source* source(std::string_view name);  // null: one more than may be
    std::shared_ptr<const LineLabels> labels(std::string_view name) const;
    void take(const std::shared_ptr<const LineLabels>& labels, LogKind kind, std::string_view text);
    void store(
            const std::shared_ptr<const LineLabels>& labels, LogKind kind, std::string_view text);
    void once(std::string_view source, LogKind kind, std::string_view bytes);
    void flush(Source& source);
    void roll(TokenBucket::Time now);

    bool silent() const { return closed_ || config_.guid.empty(); }

    std::string_view name_or_default(std::string_view name) const;

    const base::Clock& clock_;
    const LogHubConfig limits_;
    mutable std::mutex mutex_;  // guards all that follows
    api::LogConfig config_;
    api::Tags tags_;
    LogLimiter limiter_;
    std::map<std::string, Source, std::less<>> sources_;
    LineQueue ring_;
    std::vector<std::shared_ptr<Reader>> readers_;  // owners: this and the follower
    std::uint64_t sequence_ = 0;
    LogFigures figures_;
    TokenBucket::Time window_begin_;
    std::uint64_t window_bytes_ = 0;
    bool closed_ = false;
};

}  // namespace executor
