// The event log: what was decided and relaxed, by whom, in lines that are chained by hashes and
// sealed by signatures (OBS-04). Appending costs a place in a bounded queue; one thread writes.
// Used by garden/engine and garden/server; read by event_log_verify.hpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "security/event_log_line.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace security {

struct EventLogConfig {
    std::string directory;  // <store>/audit, made 0700
    std::uint64_t file_bytes = std::uint64_t{16} << 20;
    std::size_t files = 64;    // older ones are removed, which is an event as well
    std::size_t queue = 8192;  // events that wait for the disk; more are lost and counted
    std::uint64_t checkpoint_records = 1000;
    std::chrono::milliseconds checkpoint_time{60'000};
    // fdatasync behind a write, at most this often: what a power cut may take. Killing gardend
    // takes only what still is in the queue.
    std::chrono::milliseconds sync_time{200};
};

// Who is acting on this thread: set by the server around a request, "gardend" without.
class ActorScope {
  public:
    explicit ActorScope(std::string actor);
    ~ActorScope();
    ActorScope(const ActorScope&) = delete;
    ActorScope& operator=(const ActorScope&) = delete;

    static std::string current();

  private:
    std::string actor_;
    const std::string* before_;
};

class EventLog {
  public:
    // Repairs a last line that a crash has cut, and says so in the log. Errc::corrupt for a key
    // that cannot be read: nothing may be signed with another one unnoticed.
    static base::Result<std::unique_ptr<EventLog>> open(EventLogConfig config);
    ~EventLog();  // writes what is queued, and a checkpoint
    EventLog(const EventLog&) = delete;
    EventLog& operator=(const EventLog&) = delete;

    // Never waits for a disk and never fails: what cannot be kept is counted, and a line says so
    // when lines can be written again.
    void append(std::string_view event, std::string_view handle, EventFields fields = {});
    // Until everything appended before is with the kernel, or was lost.
    void flush();

    struct Figures {
        std::uint64_t last_seq = 0;
        std::uint64_t lost = 0;
        std::string error;  // of the last write that failed; "" since one succeeded
        std::string key;    // its id
    };

    Figures figures() const;

    struct Page {
        std::vector<std::string> lines;
        std::uint64_t last_seq = 0;  // of the log
    };

    // Lines behind `since`, at most `limit` and 4 MiB of them.
    base::Result<Page> read(std::uint64_t since, std::size_t limit) const;

  private:
    struct Event {
        std::chrono::system_clock::time_point time;
        std::string actor, event, handle, details;
    };

    struct Place {  // in the chain
        std::uint64_t seq = 0;
        std::string prev{kNoLine};
        std::uint64_t unsealed = 0;  // lines since the last checkpoint
    };

    EventLog(EventLogConfig config, EventKey key, base::Fd directory);
    base::Result<void> continue_chain();
    base::Result<void> find_end(const std::vector<std::string>& files);
    void check_head();
    void run();
    void write(std::deque<Event> events, std::uint64_t lost);
    void add_line(std::string& out, Place& place, const Event& event) const;
    base::Result<std::string> add_checkpoint(std::string& out, Place& place) const;
    base::Result<void> put(const std::string& text);
    base::Result<void> rotate();
    void drop_old_files();
    void sync_if_due(bool now);
    Event event_of(std::string event, EventFields fields) const;

    const EventLogConfig config_;
    const EventKey key_;
    const base::Fd directory_;
    mutable std::mutex mutex_;
    std::condition_variable wanted_;
    std::condition_variable written_;
    std::deque<Event> queue_;
    std::uint64_t appended_ = 0;
    std::uint64_t done_ = 0;  // written or lost
    std::uint64_t lost_ = 0;
    std::uint64_t untold_ = 0;  // of lost_
    Figures figures_;
    bool stopping_ = false;
    // Of the writing thread alone (and of open() before it).
    base::Fd file_;
    std::uint64_t file_size_ = 0;
    std::uint64_t file_first_ = 0;  // seq of its first line; 0 = it is empty
    Place place_;
    bool failed_ = false;  // the last write
    bool unsynced_ = false;
    std::chrono::steady_clock::time_point synced_{};
    std::chrono::steady_clock::time_point sealed_{};
    std::thread thread_;
};

// The files of a log in their order, the one being written last.
base::Result<std::vector<std::string>> event_log_files(base::FdRef directory);
inline constexpr const char* kEventLogFile = "events.log";
inline constexpr const char* kEventLogHead = "events.head";  // a copy of the last checkpoint
inline constexpr const char* kEventLogKey = "key.pem";
inline constexpr const char* kEventLogPublicKey = "key.pub.pem";

}  // namespace security
