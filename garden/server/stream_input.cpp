// Client to server: messages, the stdin of the process, signals and window sizes (garden-api 7.2).
#include "garden/api/types.hpp"
#include "garden/server/convert.hpp"
#include "garden/server/stream_session.hpp"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>

#include <utility>

namespace garden::server {

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
        if (!size) return;
        control(session, [this, handle, process, window = *size] {
            (void)engine_.resize(handle, process, window);
        });
    } else if (message->source) {
        if (!message->data) {
            session.input_ends = true;
        } else if (session.stream.attachment.input && !session.input_ends) {
            // A process that is always a little behind must not make this grow for ever.
            session.input.erase(0, std::exchange(session.input_at, 0));
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
    // What the client sent first acts first: a resize before the line that asks for the size.
    const bool held = session.controls > 0;
    while (!held && input && session.pending() > 0) {
        const auto count =
                ::write(input.get(), session.input.data() + session.input_at, session.pending());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) break;
        if (count < 0)
            return drop_input(session);  // 7.4, rule 5: the process does not read any more
        session.input_at += static_cast<std::size_t>(count);
    }
    if (!held && session.pending() == 0) {
        session.input.clear();
        session.input_at = 0;
        if (session.input_ends) return drop_input(session);
    }
    const bool wanted = !held && input && session.pending() > 0;
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
    if (session.finished) return;  // nobody reads it any more
    control(session, [this, handle = session.stream.handle, id = session.stream.attachment.id] {
        (void)engine_.close_input(handle, id);
    });
}

// What blocks runs in the container's lane, in order; the session hears when it is done.
void Streams::control(Session& session, std::function<void()> action) {
    ++session.controls;
    lanes_.submit(
            session.stream.handle, [action = std::move(action), inbox = inbox_, id = session.id] {
                action();
                const std::lock_guard lock(inbox->mutex);
                inbox->controls_done.push_back(id);
                inbox->ring();
            });
}

}  // namespace garden::server
