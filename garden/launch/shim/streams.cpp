#include "base/sys/error.hpp"
#include "base/sys/file.hpp"
#include "base/sys/process.hpp"
#include "garden/launch/shim/shim.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>

namespace garden::launch {

namespace sys = base::sys;
using std::chrono::milliseconds;

namespace {

constexpr int kReadsPerTurn = 16;  // then others get their turn
// After the exit: background children may hold the pipes open; this much silence ends the wait
// (garden-api 7.4).
constexpr milliseconds kSilence{250};
constexpr milliseconds kStuckReader{
        2000};  // a reader that takes nothing does not hold the exit back longer
constexpr off_t kMaxExitsFile = 1 << 20;

}  // namespace

void ShimLoop::read_source(std::uint64_t serial, int stream) {
    const auto place = processes_.find(serial);
    if (place == processes_.end()) return;
    auto& process = place->second;
    auto& source = process.sources[stream];
    if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(kReadBytes);
    // The terminal's master is shared with gardend and may block: one read per readiness.
    const int turns = process.terminal ? 1 : kReadsPerTurn;
    for (int i = 0; i < turns && source.fd; ++i) {
        const ssize_t size = ::read(source.fd.get(), buffer_.get(), kReadBytes);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) break;
        if (size <= 0) {  // EIO: the last holder of the terminal is gone
            end_source(process, stream);
            break;
        }
        const std::string_view data(buffer_.get(), static_cast<std::size_t>(size));
        source.tail.append(data);
        bool full = false;
        for (auto& [id, attachment] : process.attachments) {
            attachment.sinks[stream].append(data);
            full = full || attachment.sinks[stream].full();
        }
        if (full) break;
    }
    buffer_used_ = Clock::now();
    process.progress = buffer_used_;
    settle(serial);
    if (process.exited && !process.told) (void)tell_if_done(serial, buffer_used_);
}

void ShimLoop::end_source(Process& process, int stream) {
    auto& source = process.sources[stream];
    if (source.watched) unwatch(source.fd);
    source.watched = false;
    source.fd.reset();
    for (auto& [id, attachment] : process.attachments) {
        // A terminal has one stream; the other one ends with it (garden-api 7.6).
        attachment.sinks[stream].end();
        if (process.terminal) attachment.sinks[1].end();
    }
}

void ShimLoop::flush_sink(std::uint64_t attachment, int stream) {
    std::uint64_t serial = 0;
    auto process = by_attachment(attachment, &serial);
    if (!process) return;
    auto& sink = (*process)->attachments.at(attachment).sinks[stream];
    if (!sink.connected()) return;
    if (sink.pending()) {
        sink.flush();
        (*process)->progress = Clock::now();
    } else {
        sink.drop();  // only a hang-up wakes a sink that waits for nothing
    }
    settle(serial);
    if ((*process)->id.empty()) {
        forget(serial);  // again: perhaps this was its last client
    } else if ((*process)->exited && !(*process)->told) {
        (void)tell_if_done(serial, Clock::now());
    }
}

void ShimLoop::settle(std::uint64_t serial) {
    auto& process = processes_.at(serial);
    awaiting_.erase(serial);
    for (int stream = 0; stream < 2; ++stream) {
        bool full = false;
        for (auto& [id, attachment] : process.attachments) {
            auto& sink = attachment.sinks[stream];
            full = full || sink.full();
            if (sink.awaited()) awaiting_.insert(serial);
            if (!sink.connected()) {
                sink.watched = false;  // closing took it out of the set
                continue;
            }
            const bool room = sink.pending();
            if (sink.watched && sink.watched_for_room == room) continue;
            // Without output to write only a hang-up is of interest. A plain file cannot be watched
            // and needs no watching.
            (void)watch(
                    sink.fd(), key(stream == 0 ? Watched::sink_out : Watched::sink_err, id),
                    room ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
            sink.watched = true;
            sink.watched_for_room = room;
        }
        auto& source = process.sources[stream];
        if (!source.fd) continue;
        // Taken out, not muted: a hang-up would wake us without end.
        if (full && source.watched) unwatch(source.fd);
        if (!full && !source.watched) {
            (void)watch(source.fd, key(stream == 0 ? Watched::out : Watched::err, serial), EPOLLIN);
            process.progress = Clock::now();  // what was held back is still to be read
        }
        source.watched = !full;
    }
}

void ShimLoop::release_input(Process& process) {
    if (process.terminal) return;  // its master is its output as well
    const bool held = std::any_of(
            process.attachments.begin(), process.attachments.end(),
            [](const auto& entry) { return entry.second.holds_input; });
    if (!held) process.input.reset();
}

void ShimLoop::reap_process(std::uint64_t serial) {
    const auto place = processes_.find(serial);
    if (place == processes_.end() || !place->second.pidfd) return;
    auto& process = place->second;
    if (process.channel) executed(serial);  // its success or failure comes first
    if (processes_.find(serial) == processes_.end()) return;
    auto code = sys::reap(process.pidfd);
    if (code && !code->has_value()) return;
    unwatch(process.pidfd);
    process.pidfd.reset();
    process.exited = true;
    process.code = code ? **code : 255;
    process.progress = Clock::now();
    if (!process.terminal) process.input.reset();
    if (!process.internal) record_exit(process);
    ending_.insert(serial);
    (void)tell_if_done(serial, process.progress);
}

bool ShimLoop::tell_if_done(std::uint64_t serial, Clock::time_point now) {
    const auto place = processes_.find(serial);
    if (place == processes_.end()) {
        ending_.erase(serial);
        return true;
    }
    auto& process = place->second;
    bool open = false;
    bool waiting = false;
    for (int stream = 0; stream < 2; ++stream) {
        open = open || process.sources[stream].fd;
        for (const auto& [id, attachment] : process.attachments)
            waiting = waiting || attachment.sinks[stream].pending() ||
                      attachment.sinks[stream].awaited();
    }
    const auto quiet = now - process.progress;
    const bool silent = !waiting && quiet >= kSilence;
    if ((open || waiting) && !silent && quiet < kStuckReader) return false;
    ending_.erase(serial);
    if (open && silent) {
        // A background child holds the pipe: clients get their end now, its later output goes to
        // the tail only.
        for (auto& [id, attachment] : process.attachments) {
            for (auto& sink : attachment.sinks) sink.end();
        }
        settle(serial);
    }
    tell(process);
    if (process.internal) forget(serial);
    return true;
}

void ShimLoop::tell(Process& process) {
    process.told = true;
    process.input.reset();  // a terminal's master; output still comes by its copy
    send(MessageKind::exited, 0, to_bytes(Exit{.id = process.id, .code = process.code}));
}

// Survives a shim that is killed: read_exits() finds it in the bundle.
void ShimLoop::record_exit(const Process& process) {
    if (!exits_) {
        auto file =
                sys::open_at(bundle_, kExitsName, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0600);
        if (!file) return;  // the exit is still told; only a killed shim would lose it
        exits_ = std::move(*file);
    }
    std::string lines = std::to_string(process.code) + " " + process.id + "\n";
    if (::lseek(exits_.get(), 0, SEEK_END) > kMaxExitsFile && ::ftruncate(exits_.get(), 0) == 0) {
        lines.clear();  // only what is still remembered goes into the new one, this exit included
        for (const auto& [serial, other] : processes_) {
            if (other.exited && !other.internal && !other.id.empty())
                lines += std::to_string(other.code) + " " + other.id + "\n";
        }
    }
    (void)sys::write_all(exits_, lines);
}

void ShimLoop::forget(std::uint64_t serial) {
    const auto place = processes_.find(serial);
    auto& process = place->second;
    bool pending = false;
    for (auto& [id, attachment] : process.attachments) {
        for (auto& sink : attachment.sinks) {
            if (!sink.once_connected()) sink.drop();
            pending = pending || sink.pending();
        }
    }
    if (pending && process.exited) {
        // A slow client still gets what it was promised; for everybody else the process is gone.
        process.id.clear();
        process.told = true;
        ending_.erase(serial);
        return;
    }
    for (const auto& [id, attachment] : process.attachments) attachments_.erase(id);
    if (process.pidfd) unwatch(process.pidfd);
    if (process.channel) unwatch(process.channel);
    for (auto& source : process.sources) {
        if (source.watched) unwatch(source.fd);
    }
    for (auto& [id, attachment] : process.attachments) {
        for (auto& sink : attachment.sinks) {
            if (sink.connected()) unwatch(sink.fd());
        }
    }
    ending_.erase(serial);
    processes_.erase(place);
    if (processes_.empty() && exits_)
        (void)!::ftruncate(exits_.get(), 0);  // nothing is remembered any more
}

void ShimLoop::reap_init() {
    if (!init_) return;
    auto code = sys::reap(init_);
    if (code && !code->has_value()) return;
    unwatch(init_);
    init_.reset();
    init_dead_ = true;
    if (init_channel_ && !created_) created();  // the report of a failed create comes first
    drain_everything();
    if (created_ && !destroying_) send(MessageKind::container_died, 0, {});
}

// The namespace is empty: whatever is in the pipes is all there will be.
void ShimLoop::drain_everything() {
    std::vector<std::uint64_t> all;
    for (const auto& [serial, process] : processes_) all.push_back(serial);
    for (const auto serial : all) {
        const auto place = processes_.find(serial);
        if (place == processes_.end()) continue;
        reap_process(serial);
        for (int stream = 0; stream < 2; ++stream) {
            if (processes_.find(serial) != processes_.end() &&
                place->second.sources[stream].watched)
                read_source(serial, stream);
        }
    }
}

bool ShimLoop::all_written() const {
    for (const auto& [serial, process] : processes_) {
        if (!process.told) return false;
        for (const auto& [id, attachment] : process.attachments) {
            if (attachment.sinks[0].pending() || attachment.sinks[1].pending()) return false;
        }
    }
    return true;
}

}  // namespace garden::launch
