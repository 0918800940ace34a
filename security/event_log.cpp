#include "security/event_log.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace security {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::seconds kRetry{1};

// Per thread, as a request is: the engine's calls have no parameter for who asked.
thread_local const std::string* current_actor = nullptr;

}  // namespace

ActorScope::ActorScope(std::string actor)
    : actor_(std::move(actor)), before_(std::exchange(current_actor, &actor_)) {}

ActorScope::~ActorScope() {
    current_actor = before_;
}

std::string ActorScope::current() {
    return current_actor == nullptr ? "gardend" : *current_actor;
}

EventLog::EventLog(EventLogConfig config, EventKey key, base::Fd directory)
    : config_(std::move(config)), key_(std::move(key)), directory_(std::move(directory)) {
    figures_.key = key_.id();
}

EventLog::~EventLog() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wanted_.notify_all();
    thread_.join();
}

void EventLog::append(std::string_view event, std::string_view handle, EventFields fields) {
    // Made into text here, so that the writer's memory has a bound for every event.
    Event made{
            .time = std::chrono::system_clock::now(),
            .actor = ActorScope::current(),
            .event = std::string(event),
            .handle = std::string(handle.substr(0, kMaxEventText)),
            .details = details_of(fields)};
    {
        const std::lock_guard lock(mutex_);
        ++appended_;
        if (queue_.size() >= config_.queue) {
            ++lost_;
            ++untold_;
            ++done_;
            return;
        }
        queue_.push_back(std::move(made));
    }
    wanted_.notify_one();
}

void EventLog::flush() {
    std::unique_lock lock(mutex_);
    const auto mark = appended_;
    written_.wait(lock, [&] { return done_ >= mark; });
}

EventLog::Figures EventLog::figures() const {
    const std::lock_guard lock(mutex_);
    auto out = figures_;
    out.lost = lost_;
    return out;
}

void EventLog::run() {
    for (;;) {
        std::unique_lock lock(mutex_);
        // Nothing to sync and nothing to seal: nobody wakes up.
        auto due = Steady::time_point::max();
        if (unsynced_) due = synced_ + config_.sync_time;
        if (place_.unsealed > 0) due = std::min(due, sealed_ + config_.checkpoint_time);
        // A full disk is tried again now and then, not all the time.
        if (failed_) due = Steady::now() + kRetry;
        const auto ready = [this] {
            return stopping_ || (!failed_ && (!queue_.empty() || untold_ > 0));
        };
        if (due == Steady::time_point::max()) {
            wanted_.wait(lock, ready);
        } else {
            (void)wanted_.wait_until(lock, due, ready);
        }
        auto events = std::exchange(queue_, {});
        const auto lost = untold_;
        const bool stopping = stopping_;
        lock.unlock();
        write(std::move(events), lost);
        sync_if_due(stopping);
        if (!stopping) continue;
        lock.lock();
        if (queue_.empty()) return;
    }
}

void EventLog::write(std::deque<Event> events, std::uint64_t lost) {
    std::string text;
    std::string head;
    Place place = place_;
    base::Result<void> done;
    // A file begins with a checkpoint that seals the one before it.
    if (file_size_ >= config_.file_bytes) {
        done = rotate();
        if (done) {
            auto sealed = add_checkpoint(text, place);
            if (sealed) head = std::move(*sealed);
        }
    }
    if (lost > 0) add_line(text, place, event_of("log.lost", {{"events", lost}}));
    bool stopping = false;
    {
        const std::lock_guard lock(mutex_);
        stopping = stopping_;
    }
    for (const auto& event : events) {
        add_line(text, place, event);
        if (place.unsealed < config_.checkpoint_records) continue;
        if (auto sealed = add_checkpoint(text, place)) head = std::move(*sealed);
    }
    const bool due = Steady::now() - sealed_ >= config_.checkpoint_time;
    if (place.unsealed > 0 && (due || stopping)) {
        if (auto sealed = add_checkpoint(text, place)) head = std::move(*sealed);
    }
    const auto first = place_.seq + 1;
    if (done && !text.empty()) done = put(text);
    if (done && !text.empty()) {
        place_ = std::move(place);
        if (file_first_ == 0) file_first_ = first;
        if (!head.empty()) {
            sealed_ = Steady::now();
            (void)base::sys::write_atomic_at(
                    directory_, kEventLogHead, head + "\n", 0600, base::sys::Durable::no);
        }
    }
    failed_ = !done;
    const std::lock_guard lock(mutex_);
    done_ += events.size();
    figures_.last_seq = place_.seq;
    if (done) {
        untold_ -= lost;
        if (!text.empty()) figures_.error.clear();
    } else {
        lost_ += events.size();
        untold_ += events.size();
        figures_.error = done.error().text;
    }
    written_.notify_all();
}

EventLog::Event EventLog::event_of(std::string event, EventFields fields) const {
    return {.time = std::chrono::system_clock::now(),
            .actor = "gardend",
            .event = std::move(event),
            .handle = {},
            .details = details_of(fields)};
}

void EventLog::add_line(std::string& out, Place& place, const Event& event) const {
    const auto line = to_text(
            {.seq = ++place.seq,
             .time = base::to_rfc3339(event.time),
             .actor = event.actor,
             .event = event.event,
             .handle = event.handle,
             .details = event.details,
             .prev = place.prev});
    place.prev = line_hash(line);
    ++place.unsealed;
    out.append(line).push_back('\n');
}

base::Result<std::string> EventLog::add_checkpoint(std::string& out, Place& place) const {
    const auto checkpoint = TRY(make_checkpoint(
            key_, place.seq + 1, base::to_rfc3339(std::chrono::system_clock::now()), place.prev));
    auto line = to_text(checkpoint);
    place = {.seq = checkpoint.seq, .prev = line_hash(line), .unsealed = 0};
    out.append(line).push_back('\n');
    return line;
}

base::Result<void> EventLog::put(const std::string& text) {
    if (!file_) {
        file_ = TRY(
                base::sys::open_at(directory_, kEventLogFile, O_WRONLY | O_CREAT | O_APPEND, 0600));
        file_size_ = 0;
        file_first_ = 0;
    }
    auto written = base::sys::write_all(file_, text);
    if (!written) {
        // Half a line would look like a crash, and whatever follows it like a forgery.
        if (::ftruncate(file_.get(), static_cast<off_t>(file_size_)) != 0) file_.reset();
        return written;
    }
    file_size_ += text.size();
    unsynced_ = true;
    return base::ok;
}

void EventLog::sync_if_due(bool now) {
    if (!unsynced_ || !file_) return;
    if (!now && Steady::now() - synced_ < config_.sync_time) return;
    (void)::fdatasync(file_.get());  // a disk that fails says so at the next write
    synced_ = Steady::now();
    unsynced_ = false;
}

}  // namespace security
