// LogHub: the log streams of all containers of a cell. Writers never wait: what is kept for
// "recent" and for followers is bounded, and who is too slow is told how much he lost. Used by
// executor/core (opens and closes), the routes (recent, follow) and metrics (figures). Safe from
// any thread; containers do not wait for each other.
//
//   process output ─► LineSplitter per (source, kind) ─► LogLimiter ─► ring of recent lines
//   say() ────────────────────────────────────────────────►┘     └───► queue of each follower
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "executor/api/log_record.hpp"
#include "executor/api/types.hpp"
#include "executor/logs/stream.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace executor {

struct LogHubConfig {
    // Recent lines of one container, with what storing them costs. 250 containers that all filled
    // theirs hold 12 MiB.
    std::size_t recent_bytes = std::size_t{48} << 10;
    std::size_t recent_lines = 500;
    // One follower's queue. The lines in it are those of the ring as long as they are there.
    std::size_t follower_bytes = std::size_t{512} << 10;
    std::size_t follower_lines = 4'096;
    std::size_t followers = 32;          // of one container
    std::size_t sources = 64;            // of one container, each with its own splitters
    std::uint64_t lines_per_second = 0;  // the operator's limit for every container; 0 = off
};

// What one container has logged since it was opened. For metrics.
struct LogFigures {
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;
    std::uint64_t dropped_lines = 0;  // by the limits
    std::uint64_t dropped_bytes = 0;
    std::uint64_t overruns = 0;  // AppInstanceExceededLogRateLimitCount
    std::int64_t limit = -1;     // bytes a second, -1 unlimited
    double rate = 0;             // accepted bytes a second over the last seconds: log_rate
};

// Reads one container's lines. May outlive the hub.
class LogFollower {
  public:
    virtual ~LogFollower() = default;
    // Errc::timeout leaves it usable. Nothing: the container's log was closed and all was read, or
    // close() was called.
    virtual base::Result<std::optional<api::LogRecord>> next(std::chrono::milliseconds timeout) = 0;
    virtual void close() = 0;  // any thread
};

class LogHub {
  public:
    explicit LogHub(const base::Clock& clock, LogHubConfig config = {});
    ~LogHub();  // as close() of each
    LogHub(const LogHub&) = delete;
    LogHub& operator=(const LogHub&) = delete;

    // `container`: its guid. Owners of the stream: the hub until close(), the container's steps as
    // long as they write. An empty log guid logs nothing. Opening again keeps what was logged and
    // takes the new values. `rate_limit`: bytes a second, -1 none, 0 nothing at all.
    std::shared_ptr<LogStream>
    open(const std::string& container, const api::LogConfig& config, std::int64_t rate_limit = -1);
    // The newest `count`, oldest first.
    base::Result<std::vector<api::LogRecord>> recent(
            std::string_view container, std::size_t count) const;
    // Begins with the newest `recent` lines; between them and what follows nothing is missing.
    base::Result<std::unique_ptr<LogFollower>> follow(
            std::string_view container, std::size_t recent = 0);
    // Of lines from now on; `source_id` and `instance_id` stay as they are unless named.
    base::Result<void> update_tags(std::string_view container, const api::Tags& tags);
    base::Result<LogFigures> figures(std::string_view container) const;
    std::vector<std::string> containers() const;
    // Lines without an end are told, followers get the rest and then the end. Closing what is not
    // there is fine; writing to a closed stream is nothing.
    void close(std::string_view container);

    class Stream;  // stored_stream.hpp

  private:
    std::shared_ptr<Stream> find(std::string_view container) const;

    const base::Clock& clock_;
    const LogHubConfig config_;
    mutable std::mutex mutex_;  // the map only; each stream has its own
    std::map<std::string, std::shared_ptr<Stream>, std::less<>> streams_;
};

}  // namespace executor
