#include "lifecycle/healthcheck/check.hpp"

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "lifecycle/healthcheck/http.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

namespace lifecycle {

namespace {

using Steady = std::chrono::steady_clock;

// The words are those of the cell's own probes (executor/checks), so that both read the same.
std::string attempt_text(const CheckOptions& options) {
    const auto port = std::to_string(options.port);
    if (options.uri.empty()) return "failed to make TCP connection to port " + port;
    return "failed to make HTTP request to '" + options.uri + "' on port " + port;
}

Finding failed(const CheckOptions& options, std::string_view reason) {
    return {.health = options.uri.empty() ? Health::tcp_failed : Health::http_failed,
            .text = attempt_text(options).append(": ").append(reason)};
}

Finding failed(const CheckOptions& options, const base::Error& error) {
    return failed(options, error.sys != 0 ? base::errno_text(error.sys) : error.text);
}

Finding timed_out(const CheckOptions& options) {
    return {.health = options.uri.empty() ? Health::tcp_timeout : Health::http_timeout,
            .text = attempt_text(options)
                            .append(": timed out after ")
                            .append(base::to_text(options.timeout))};
}

// Sends all of it. Errc::timeout at the deadline.
base::Result<void> send_all(
        base::FdRef socket, std::string_view data, Steady::time_point deadline) {
    while (!data.empty()) {
        const auto sent = TRY(base::sys::send_now(socket, data));
        if (sent) data.remove_prefix(*sent);
        if (!sent && !TRY(base::sys::wait_ready(socket, base::sys::Ready::write, deadline)))
            return base::Error{.kind = base::Errc::timeout, .text = "no answer in time"};
    }
    return base::ok;
}

// Up to the end of the answer. What goes wrong after the status is no matter: the body is read to
// spare the server a broken connection, and the status has decided.
base::Result<int> receive_status(base::FdRef socket, Steady::time_point deadline) {
    Answer answer;
    std::array<char, 16 << 10> piece;  // NOLINT: filled by the read
    while (!answer.complete()) {
        const auto got = base::sys::receive_now(socket, piece);
        if (!got && answer.status()) break;
        if (!got) return got.error();
        if (!*got) {
            if (TRY(base::sys::wait_ready(socket, base::sys::Ready::read, deadline))) continue;
            if (answer.status()) break;
            return base::Error{.kind = base::Errc::timeout, .text = "no answer in time"};
        }
        if (**got == 0 && answer.status()) break;
        if (**got == 0)
            return base::Error{
                    .kind = base::Errc::unavailable,
                    .text = "the connection was closed without an answer"};
        TRY(answer.feed(std::string_view(piece.data(), **got)));
        // A server that sends without a pause would never let the other branch see the time.
        if (answer.status() && Steady::now() >= deadline) break;
    }
    return *answer.status();
}

Finding look_by_http(
        const CheckOptions& options,
        base::FdRef socket,
        const std::string& request,
        Steady::time_point begun) {
    const auto deadline = begun + options.timeout;
    const auto sent = send_all(socket, request, deadline);
    // A server may answer and close before it has read everything.
    if (!sent && sent.error().kind == base::Errc::timeout) return timed_out(options);
    const auto status = receive_status(socket, deadline);
    if (!status && status.error().kind == base::Errc::timeout) return timed_out(options);
    if (!status) return failed(options, status.error());
    if (*status == 200) return {};
    const auto took = std::chrono::ceil<std::chrono::milliseconds>(Steady::now() - begun);
    return {.health = Health::http_status,
            .text = attempt_text(options)
                            .append(": received status code ")
                            .append(std::to_string(*status))
                            .append(" in ")
                            .append(base::to_text(took))};
}

// Nothing but time passes between two looks; the process has no other descriptor to watch.
void rest(std::chrono::nanoseconds time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const ::timespec wait{
            .tv_sec = static_cast<::time_t>(seconds.count()),
            .tv_nsec = static_cast<long>((time - seconds).count())};
    (void)::ppoll(nullptr, 0, &wait, nullptr);  // woken early: one look more
}

}  // namespace

Finding look(const CheckOptions& options) {
    const auto begun = Steady::now();
    const auto address = container_address(options.port);
    if (!address)
        return {.health = address.error().kind == base::Errc::not_found ? Health::no_interface
                                                                        : Health::unexpected,
                .text = address.error().text};
    std::string request;
    if (!options.uri.empty()) {
        auto made = request_text(options.uri, address->text());
        if (!made)
            return {.health = Health::http_status,
                    .text = "failed to make an HTTP request: " + made.error().text};
        request = std::move(*made);
    }
    const auto socket = base::sys::connect_to(*address, begun + options.timeout);
    if (!socket && socket.error().kind == base::Errc::timeout) return timed_out(options);
    // Not the app's doing: no descriptors, no memory.
    if (!socket && socket.error().kind == base::Errc::exhausted)
        return {.health = Health::unexpected, .text = socket.error().text};
    if (!socket) return failed(options, socket.error());
    if (request.empty()) return {};
    return look_by_http(options, *socket, request, begun);
}

Finding watch(const CheckOptions& options) {
    const auto begun = Steady::now();
    for (;;) {
        auto found = look(options);
        const bool healthy = found.health == Health::healthy;
        auto wait = options.interval;
        switch (options.mode) {
            case Mode::once:
                return found;
            case Mode::startup:
                if (healthy) return found;
                if (options.startup_timeout.count() > 0) {
                    const auto left = begun + options.startup_timeout - Steady::now();
                    if (left.count() <= 0) return found;
                    wait = std::min(wait, std::chrono::nanoseconds(left));
                }
                break;
            case Mode::liveness:
            case Mode::readiness:
                if (!healthy) return found;
                break;
            case Mode::until_ready:
                if (healthy) return found;
                break;
        }
        rest(wait);
    }
}

}  // namespace lifecycle
