#include "garden/server/streams.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "garden/api/types.hpp"
#include "garden/server/convert.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

namespace garden::server {

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kInputBytes = 256 * 1024;  // more waits in the client's socket: back-pressure

// Epoll keys: session id, and which of its descriptors.
constexpr std::uint64_t socket_key(std::uint64_t id) {
    return id << 1U;
}

constexpr std::uint64_t input_key(std::uint64_t id) {
    return (id << 1U) | 1U;
}

void set_non_blocking(base::FdRef fd) {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags >= 0) (void)::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK);
}

}  // namespace

struct Streams::Waiting {
    std::set<std::uint64_t> sessions;
};

// Lives as long as anybody may still call: the engine keeps waits beyond the Streams.
struct Streams::Inbox {
    struct Exit {
        std::set<std::uint64_t> sessions;
        base::Result<std::int32_t> code;
    };

    std::mutex mutex;
    int wake = -1;  // -1: nobody listens any more
    bool stopping = false;
    std::vector<std::unique_ptr<Session>> arrivals;
    std::vector<Exit> exits;
    std::vector<std::uint64_t> controls_done;
    std::map<std::pair<Handle, std::string>, std::shared_ptr<Waiting>> waiting;
    // Attachments whose outputs are both connected: they need no time for late ones.
    std::map<std::pair<Handle, std::uint64_t>, unsigned> connected;

    void ring() const {
        const std::uint64_t one = 1;
        if (wake >= 0) (void)!::write(wake, &one, sizeof one);  // a full counter rings as well
    }
};

struct Streams::Session {
    std::uint64_t id = 0;
    Stream stream;
    base::json::ValueSplitter splitter{kMaxMessageBytes};
    std::string input;  // for the process, not yet written
    std::size_t input_at = 0;
    bool input_ends = false;  // EOF follows what is in `input`
    bool input_watched = false;
    bool finished = false;  // the final message is out: only lingering
    std::deque<std::function<void()>> controls;
    bool control_busy = false;
    std::uint32_t watched = 0;

    std::size_t pending() const { return input.size() - input_at; }

    bool congested() const { return pending() >= kInputBytes || controls.size() >= kMaxControls; }
};

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
    }
    pool_.stop();
}

void Streams::add(Stream stream) {
    auto session = std::make_unique<Session>();
    const api::ProcessMessage first{
            .process_id = stream.attachment.process_id,
            .stream_id = std::to_string(stream.attachment.id)};
    const auto line = base::json::encode(first) + "\n";
    // 7.2: at once, before any output connection exists. An empty socket takes a hundred bytes.
    (void)::send(stream.socket.get(), line.data(), line.size(), MSG_NOSIGNAL);
    set_non_blocking(stream.socket);
    if (stream.attachment.input) set_non_blocking(stream.attachment.input);
    session->stream = std::move(stream);
    ++open_;
    const std::lock_guard lock(inbox_->mutex);
    inbox_->arrivals.push_back(std::move(session));
    inbox_->ring();
}

void Streams::connect(
        const Handle& handle, std::uint64_t attachment, bool is_stderr, const base::Fd& socket) {
    if (!engine_.connect_output(handle, attachment, is_stderr, socket)) {
        (void)::shutdown(socket.get(), SHUT_WR);  // 7.3: an unknown stream is an empty one
        return;
    }
    const std::lock_guard lock(inbox_->mutex);
    const auto it = inbox_->connected.find({handle, attachment});
    if (it != inbox_->connected.end()) it->second |= is_stderr ? 2U : 1U;
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
        it->second->control_busy = false;
        next_control(*it->second);
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
    {
        const std::lock_guard lock(inbox_->mutex);
        inbox_->connected.try_emplace({session.stream.handle, session.stream.attachment.id}, 0U);
    }
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
    epoll_event event{.events = wanted, .data = {.u64 = socket_key(session.id)}};
    const int action = session.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    const std::uint32_t mark = wanted | 0x8000'0000U;  // "known to epoll"
    if (session.watched == mark) return;
    (void)::epoll_ctl(epoll_.get(), action, session.stream.socket.get(), &event);
    session.watched = mark;
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

void Streams::take_messages(Session& session) {
    while (!session.finished && !session.congested()) {
        const auto text = session.splitter.next();
        if (!text) break;
        take_message(session, *text);
    }
    flush_input(session);
    watch(session);
}

void Streams::take_message(Session& session, std::string_view text) {
    auto message = base::json::decode<api::ProcessMessage>(
            text, base::json::Rest::reject,
            {.bytes = kMaxMessageBytes, .depth = base::json::kMaxDepth});
    if (!message) return;  // 7.2: unknown messages are ignored, the connection goes on
    const auto handle = session.stream.handle;
    const auto process = session.stream.attachment.process_id;
    if (message->tty) {
        if (!message->tty->window_size) return;
        const auto size = to_window(*message->tty->window_size);
        if (size)
            control(session, [this, handle, process, window = *size] {
                (void)engine_.resize(handle, process, window);
            });
    } else if (message->source) {
        if (!message->data) {
            session.input_ends = true;
        } else if (session.stream.attachment.input && !session.input_ends) {
            session.input.append(*message->data);
        }
    } else if (message->signal) {
        // 10.7: an exited process is fine; other numbers mean nothing.
        if (*message->signal != 0 && *message->signal != 1) return;
        const int number = *message->signal == 0 ? SIGTERM : SIGKILL;
        control(session,
                [this, handle, process, number] { (void)engine_.signal(handle, process, number); });
    }
}

void Streams::on_input(Session& session) {
    flush_input(session);
    take_messages(session);
}

void Streams::flush_input(Session& session) {
    auto& input = session.stream.attachment.input;
    while (input && session.pending() > 0) {
        const auto count =
                ::write(input.get(), session.input.data() + session.input_at, session.pending());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) break;
        if (count < 0)
            return drop_input(session);  // 7.4, rule 5: the process does not read any more
        session.input_at += static_cast<std::size_t>(count);
    }
    if (session.pending() == 0) {
        session.input.clear();
        session.input_at = 0;
        if (session.input_ends) return drop_input(session);
    }
    const bool wanted = input && session.pending() > 0;
    if (wanted == session.input_watched) return;
    epoll_event event{.events = EPOLLOUT, .data = {.u64 = input_key(session.id)}};
    (void)::epoll_ctl(epoll_.get(), wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, input.get(), &event);
    session.input_watched = wanted;
}

void Streams::drop_input(Session& session) {
    auto& input = session.stream.attachment.input;
    session.input = {};
    session.input_at = 0;
    if (!input) return;
    // Other copies of the same open file exist in the shim: closing alone would leave it watched.
    if (session.input_watched) (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, input.get(), nullptr);
    session.input_watched = false;
    input.reset();
    control(session, [this, handle = session.stream.handle, id = session.stream.attachment.id] {
        (void)engine_.close_input(handle, id);
    });
}

// What blocks runs on the pool, one at a time and in order for each stream.
void Streams::control(Session& session, std::function<void()> action) {
    session.controls.push_back(std::move(action));
    next_control(session);
}

void Streams::next_control(Session& session) {
    if (session.control_busy || session.controls.empty()) return;
    auto job = [action = std::move(session.controls.front()), inbox = inbox_, id = session.id] {
        action();
        const std::lock_guard lock(inbox->mutex);
        inbox->controls_done.push_back(id);
        inbox->ring();
    };
    session.controls.pop_front();
    session.control_busy = pool_.submit(std::move(job)).has_value();
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
    const auto handle = session.stream.handle;
    const auto id = session.stream.attachment.id;
    late_output = late_output || session.finished;
    bool all_connected = false;
    {
        const std::lock_guard lock(inbox_->mutex);
        const auto it = inbox_->waiting.find({handle, session.stream.attachment.process_id});
        if (it != inbox_->waiting.end()) it->second->sessions.erase(session.id);
        const auto outputs = inbox_->connected.find({handle, id});
        all_connected = outputs != inbox_->connected.end() && outputs->second == 3U;
        inbox_->connected.erase({handle, id});
    }
    if (session.stream.attachment.input && session.input_watched) {
        (void)::epoll_ctl(
                epoll_.get(), EPOLL_CTL_DEL, session.stream.attachment.input.get(), nullptr);
    }
    // A signal sent right before the connection ended still counts.
    if (!session.controls.empty()) {
        (void)pool_.submit([rest = std::move(session.controls)] {
            for (const auto& action : rest) action();
        });
    }
    sessions_.erase(session.id);
    --open_;
    // 7.3: output that nobody has fetched yet waits for late connections, but only after the end of
    // the process.
    if (!late_output || all_connected) return detach(handle, id);
    timers_.emplace(Clock::now() + times_.late_output, [this, handle, id] { detach(handle, id); });
}

void Streams::detach(const Handle& handle, std::uint64_t attachment) {
    (void)pool_.submit([this, handle, attachment] { (void)engine_.detach(handle, attachment); });
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
