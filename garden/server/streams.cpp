#include "garden/server/streams.hpp"

#include "base/fail.hpp"
#include "garden/api/types.hpp"
#include "garden/server/stream_session.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace garden::server {

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
// Signals and ends of input that clients sent right before gardend was told to stop.
constexpr std::chrono::seconds kLastControls{2};

void set_non_blocking(base::FdRef fd) {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags >= 0) (void)::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK);
}

// API-09: 128 bits that nobody can guess.
std::string random_stream_id() {
    std::array<std::uint64_t, 2> bits{};
    if (::getrandom(bits.data(), sizeof bits, 0) != static_cast<ssize_t>(sizeof bits))
        base::panic("getrandom failed");
    return base::format("{:016x}{:016x}", bits[0], bits[1]);
}

}  // namespace

base::Result<std::unique_ptr<Streams>> Streams::start(Engine& engine, Times times) {
    base::Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return base::fail_errno("make an epoll set");
    base::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake) return base::fail_errno("make an eventfd");
    epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0)
        return base::fail_errno("watch an eventfd");
    return std::unique_ptr<Streams>(new Streams(engine, times, std::move(epoll), std::move(wake)));
}

Streams::Streams(Engine& engine, Times times, base::Fd epoll, base::Fd wake)
    : engine_(engine),
      times_(times),
      epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      inbox_(std::make_shared<Inbox>()) {
    inbox_->wake = wake_.get();
    thread_ = std::thread(&Streams::run, this);
}

Streams::~Streams() {
    abandon();
}

void Streams::abandon() {
    if (abandoned_.exchange(true)) return;
    {
        const std::lock_guard lock(inbox_->mutex);
        inbox_->stopping = true;
        inbox_->ring();
    }
    thread_.join();
    {
        const std::lock_guard lock(inbox_->mutex);
        inbox_->wake = -1;
        inbox_->arrivals.clear();
        inbox_->outputs.clear();
    }
    lanes_.stop(kLastControls);
}

void Streams::add(Stream stream) {
    auto session = std::make_unique<Session>();
    session->stream_id = random_stream_id();
    const api::ProcessMessage first{
            .process_id = stream.attachment.process_id, .stream_id = session->stream_id};
    const auto line = base::json::encode(first) + "\n";
    const base::FdRef socket = stream.socket;
    const bool gone = abandoned_;
    {
        // Known before the client can ask for it.
        const std::lock_guard lock(inbox_->mutex);
        if (inbox_->stopping || gone) return;  // closes without an exit status
        inbox_->outputs.emplace(
                session->stream_id,
                Inbox::Outputs{.handle = stream.handle, .attachment = stream.attachment.id});
    }
    // 7.2: at once, before any output connection exists. An empty socket takes a hundred bytes.
    (void)::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL);
    set_non_blocking(socket);
    if (stream.attachment.input) set_non_blocking(stream.attachment.input);
    session->stream = std::move(stream);
    const std::lock_guard lock(inbox_->mutex);
    if (inbox_->stopping) return;
    ++open_;
    inbox_->arrivals.push_back(std::move(session));
    inbox_->ring();
}

void Streams::connect(
        const Handle& handle,
        const std::string& stream_id,
        bool is_stderr,
        const base::Fd& socket) {
    const unsigned bit = is_stderr ? 2U : 1U;
    std::uint64_t attachment = 0;
    {
        const std::lock_guard lock(inbox_->mutex);
        const auto it = inbox_->outputs.find(stream_id);
        if (it != inbox_->outputs.end() && it->second.handle == handle &&
            (it->second.asked & bit) == 0) {
            it->second.asked |= bit;
            attachment = it->second.attachment;
        }
    }
    if (attachment == 0 || !engine_.connect_output(handle, attachment, is_stderr, socket)) {
        (void)::shutdown(socket.get(), SHUT_WR);  // 7.3: an unknown stream is an empty one
        return;
    }
    const std::lock_guard lock(inbox_->mutex);
    const auto it = inbox_->outputs.find(stream_id);
    if (it != inbox_->outputs.end()) it->second.connected |= bit;
}

void Streams::run() {
    sigset_t all;
    (void)::sigfillset(&all);
    (void)::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    std::array<epoll_event, 128> events;
    for (;;) {
        const int count = ::epoll_wait(
                epoll_.get(), events.data(), static_cast<int>(events.size()), next_timeout());
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            if (event.data.u64 == 0) continue;
            // An event of this round may have closed the session of a later one.
            const auto it = sessions_.find(event.data.u64 >> 1U);
            if (it == sessions_.end()) continue;
            if ((event.data.u64 & 1U) != 0) {
                on_input(*it->second);
            } else {
                on_socket(*it->second);
            }
        }
        std::uint64_t rings = 0;
        (void)!::read(wake_.get(), &rings, sizeof rings);
        {
            const std::lock_guard lock(inbox_->mutex);
            if (inbox_->stopping) break;
        }
        take_news();
        expire();
    }
    sessions_.clear();
    open_ = 0;
}

void Streams::take_news() {
    std::vector<std::unique_ptr<Session>> arrivals;
    std::vector<Inbox::Exit> exits;
    std::vector<std::uint64_t> controls;
    {
        const std::lock_guard lock(inbox_->mutex);
        arrivals.swap(inbox_->arrivals);
        exits.swap(inbox_->exits);
        controls.swap(inbox_->controls_done);
    }
    for (auto& session : arrivals) admit(std::move(session));
    for (const auto id : controls) {
        const auto it = sessions_.find(id);
        if (it == sessions_.end()) continue;
        --it->second->controls;
        take_messages(*it->second);  // may have stopped for want of room
    }
    for (const auto& exit : exits) {
        for (const auto id : exit.sessions) {
            const auto it = sessions_.find(id);
            if (it != sessions_.end()) finish(*it->second, exit.code);
        }
    }
}

void Streams::admit(std::unique_ptr<Session> made) {
    auto& session = *made;
    session.id = next_id_++;
    sessions_.emplace(session.id, std::move(made));
    watch(session);
    wait_for(session);
    (void)session.splitter.feed(session.stream.leftover);  // bounded by the header limit
    session.stream.leftover.clear();
    take_messages(session);
}

void Streams::wait_for(Session& session) {
    const auto key = std::make_pair(session.stream.handle, session.stream.attachment.process_id);
    std::shared_ptr<Waiting> made;
    {
        const std::lock_guard lock(inbox_->mutex);
        auto& waiting = inbox_->waiting[key];
        if (!waiting) waiting = made = std::make_shared<Waiting>();
        waiting->sessions.insert(session.id);
    }
    if (!made) return;
    engine_.wait(
            key.first, key.second, [inbox = inbox_, key, made](base::Result<std::int32_t> code) {
                const std::lock_guard lock(inbox->mutex);
                // From now on a new client of this id makes a new wait: the id may be another
                // process's then.
                const auto it = inbox->waiting.find(key);
                if (it != inbox->waiting.end() && it->second == made) inbox->waiting.erase(it);
                inbox->exits.push_back(
                        {.sessions = std::move(made->sessions), .code = std::move(code)});
                inbox->ring();
            });
}

void Streams::watch(Session& session) {
    const std::uint32_t wanted =
            session.congested() && !session.finished ? 0U : static_cast<std::uint32_t>(EPOLLIN);
    if (session.watched && session.watched_for == wanted) return;
    epoll_event event{.events = wanted, .data = {.u64 = socket_key(session.id)}};
    const int action = session.watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    (void)::epoll_ctl(epoll_.get(), action, session.stream.socket.get(), &event);
    session.watched = true;
    session.watched_for = wanted;
}

void Streams::on_socket(Session& session) {
    std::array<char, kReadBytes> piece;
    const auto count =
            ::recv(session.stream.socket.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return close(session, false);  // 7.4, rule 6: the process keeps running
    if (session.finished) return;                  // rule 4: read and discard
    if (!session.splitter.feed(std::string_view(piece.data(), static_cast<std::size_t>(count))))
        return close(session, false);
    take_messages(session);
}

void Streams::finish(Session& session, const base::Result<std::int32_t>& code) {
    if (session.finished) return;
    api::ProcessMessage last{.process_id = session.stream.attachment.process_id};
    if (code) {
        last.exit_status = *code;
    } else {
        last.error = code.error().text;
    }
    const auto line = base::json::encode(last) + "\n";
    (void)::send(
            session.stream.socket.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // Rule 4: unread data in a closed socket would reset it and lose the line.
    (void)::shutdown(session.stream.socket.get(), SHUT_WR);
    session.finished = true;
    session.stream.touch.reset();
    drop_input(session);
    watch(session);
    timers_.emplace(Clock::now() + times_.linger, [this, id = session.id] {
        const auto it = sessions_.find(id);
        if (it != sessions_.end()) close(*it->second, true);
    });
}

void Streams::close(Session& session, bool late_output) {
    const auto stream_id = session.stream_id;
    late_output = late_output || session.finished;
    bool all_connected = false;
    {
        const std::lock_guard lock(inbox_->mutex);
        const auto it =
                inbox_->waiting.find({session.stream.handle, session.stream.attachment.process_id});
        if (it != inbox_->waiting.end()) it->second->sessions.erase(session.id);
        const auto outputs = inbox_->outputs.find(stream_id);
        all_connected = outputs != inbox_->outputs.end() && outputs->second.connected == 3U;
    }
    auto& input = session.stream.attachment.input;
    if (input && session.input_watched)
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, input.get(), nullptr);
    sessions_.erase(session.id);
    --open_;
    // 7.3: output that nobody has fetched yet waits for late connections, but only after the end of
    // the process. The lane keeps the order: a signal sent right before still counts.
    if (!late_output || all_connected) return forget(stream_id);
    timers_.emplace(Clock::now() + times_.late_output, [this, stream_id] { forget(stream_id); });
}

void Streams::forget(const std::string& stream_id) {
    Inbox::Outputs outputs;
    {
        const std::lock_guard lock(inbox_->mutex);
        const auto it = inbox_->outputs.find(stream_id);
        if (it == inbox_->outputs.end()) return;
        outputs = it->second;
        inbox_->outputs.erase(it);
    }
    drop(outputs.handle, outputs.attachment);
}

void Streams::drop(const Handle& handle, std::uint64_t attachment) {
    lanes_.submit(handle, [this, handle, attachment] { (void)engine_.detach(handle, attachment); });
}

int Streams::next_timeout() {
    if (timers_.empty()) return -1;
    const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

void Streams::expire() {
    const auto now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
        const auto action = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        action();
    }
}

}  // namespace garden::server
