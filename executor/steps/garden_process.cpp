#include "executor/steps/garden_process.hpp"

#include "base/fail.hpp"
#include "base/sys/stream_socket.hpp"

#include <algorithm>

namespace executor {

using base::Errc;
using garden::api::StreamSignal;

namespace {

// Of one output at once; then the others of the loop have their turn.
constexpr std::size_t kPiece = 64 * 1024;
// Answers to an attach that are neither yes nor no, one after the other, before we give up.
constexpr int kMaxRefusals = 30;

// Garden's two kinds of "not found" differ by their text (garden-api §3).
bool unknown_process(const base::Error& error) {
    return error.kind == Errc::not_found &&
           error.text.find("unknown process: ") != std::string::npos;
}

bool unknown_container(const base::Error& error) {
    return error.kind == Errc::not_found &&
           error.text.find("unknown handle: ") != std::string::npos;
}

// Nobody answered, or somebody who has no time now.
bool passing(const base::Error& error) {
    return error.kind == Errc::unavailable || error.kind == Errc::timeout;
}

}  // namespace

GardenProcess::GardenProcess(Means means, ProcessRequest request, ProcessEvents events)
    : means_(means),
      request_(std::move(request)),
      events_(std::move(events)),
      retry_(means.times.first_retry),
      exists_(request_.attach_only) {}

void GardenProcess::connect() {
    std::array<bool, 2> wanted{};
    for (std::size_t i = 0; i < wanted.size(); ++i)
        wanted[i] = request_.want_output && !outputs_[i].opened;
    means_.loop.offload<Connection>(
            means_.pool,
            [self = shared_from_this(), wanted] {
                return base::Result<Connection>(self->call(wanted));
            },
            [self = shared_from_this()](base::Result<Connection> got) {
                // Only the pool itself fails here: it is full, and will not be for long.
                if (got) return self->connected(std::move(*got));
                if (!self->over_) self->retry_later();
            });
}

// Whether a start whose answer got lost has happened is not known: ask first, from the second time
// on, and after a restart of ours.
base::Result<garden::api::ProcessStream> GardenProcess::reach(bool& exists) {
    if (exists || request_.attach_first || asked_before_) {
        auto attached = means_.client.attach(request_.handle, request_.spec.id);
        if (attached) exists = true;
        if (attached || exists || !unknown_process(attached.error())) return attached;
    }
    if (unwanted_) return base::fail(Errc::cancelled, "cancelled before the start");
    auto started = means_.client.run(request_.handle, request_.spec);
    if (started) exists = true;
    return started;
}

GardenProcess::Connection GardenProcess::call(std::array<bool, 2> wanted) {
    Connection out;
    out.exists = exists_;
    auto stream = reach(out.exists);
    if (!stream) {
        out.error = std::move(stream).error();
        return out;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (!wanted[i]) continue;
        auto output = stream->open_output(i == 1);
        if (!output) {
            out.error = std::move(output).error();
            return out;
        }
        out.outputs[i] = std::move(*output);
    }
    out.stream = std::move(*stream);
    return out;
}

void GardenProcess::connected(Connection connection) {
    exists_ = connection.exists;
    if (over_) return;
    if (connection.error) return failed(*connection.error);
    go_live(std::move(connection));
}

void GardenProcess::failed(const base::Error& error) {
    if (passing(error)) return retry_later();
    if (!exists_ || request_.attach_only || unknown_container(error)) return tell(error);
    if (unknown_process(error)) {
        return tell(base::fail(
                Errc::internal, "process {} of container {} has run and is not known any more",
                request_.spec.id, request_.handle));
    }
    if (++refusals_ >= kMaxRefusals) return tell(error);
    retry_later();
}

void GardenProcess::retry_later() {
    asked_before_ = true;
    timer_ = means_.loop.after(retry_, [self = shared_from_this()] {
        self->timer_ = 0;
        self->connect();
    });
    retry_ = std::min(retry_ * 2, means_.times.longest_retry);
}

void GardenProcess::go_live(Connection connection) {
    refusals_ = 0;
    stream_ = std::move(connection.stream);
    if (signal_) {
        // It may have been sent into a connection that was breaking: twice is better than never.
        stream_->send_signal(*signal_);
        (void)stream_->flush();  // what does not fit now follows when the socket takes it
    }
    if (forgotten_) return let_go();
    auto watch = means_.loop.watch(
            stream_->socket(), true, stream_->has_pending(), [this](Loop::Ready) { main_ready(); });
    if (!watch) return lose_stream();
    watch_ = *watch;
    if (!told_started_) {
        told_started_ = true;
        if (events_.started) events_.started();
    }
    // Whoever was told may have forgotten us.
    for (std::size_t i = 0; i < outputs_.size() && !over_ && !forgotten_; ++i)
        if (connection.outputs[i]) take_output(i, std::move(*connection.outputs[i]));
}

void GardenProcess::take_output(std::size_t which, base::http::Hijacked from) {
    auto& output = outputs_[which];
    output.opened = true;
    output.socket = std::move(from.socket);
    auto watch = means_.loop.watch(
            output.socket, true, false, [this, which](Loop::Ready) { read_output(which); });
    if (watch)
        output.watch = *watch;
    else
        output.socket.reset();
    if (!from.leftover.empty() && events_.output && !forgotten_)
        events_.output(which == 1, from.leftover);
}

void GardenProcess::read_output(std::size_t which) {
    std::array<char, kPiece> piece;  // NOLINT: filled by the read
    const auto count = base::sys::receive_now(outputs_[which].socket, piece);
    if (count && !*count) return;
    if (!count || **count == 0) return end_output(which);
    const auto self = shared_from_this();  // whoever is told may forget us
    if (events_.output) events_.output(which == 1, std::string_view(piece.data(), **count));
}

void GardenProcess::end_output(std::size_t which) {
    means_.loop.unwatch(outputs_[which].watch);
    outputs_[which].watch = 0;
    outputs_[which].socket.reset();
    if (status_ && outputs_over()) complete();
}

void GardenProcess::main_ready() {
    const auto self = shared_from_this();
    const auto status = stream_->receive();
    if (!status) {
        // The process's own end without a status, in the server's words; all else is a connection
        // that broke.
        if (status.error().kind == Errc::internal) return tell(status.error());
        return lose_stream();
    }
    if (*status) return exited(**status);
    flush();
}

void GardenProcess::flush() {
    (void)stream_->flush();  // never fails: a broken connection shows when it is read
    means_.loop.change(watch_, true, stream_->has_pending());
}

void GardenProcess::lose_stream() {
    means_.loop.unwatch(watch_);
    watch_ = 0;
    stream_.reset();
    exists_ = true;
    retry_ = means_.times.first_retry;
    retry_later();
}

void GardenProcess::exited(std::int32_t status) {
    status_ = status;
    means_.loop.unwatch(watch_);
    watch_ = 0;
    stream_.reset();
    if (outputs_over()) return complete();
    timer_ = means_.loop.after(means_.times.output_end, [self = shared_from_this()] {
        self->timer_ = 0;
        self->complete();
    });
}

// Everything was told but the end; a failure may have a reason that only the container knows.
void GardenProcess::complete() {
    means_.loop.cancel(timer_);
    timer_ = 0;
    for (auto& output : outputs_) {
        means_.loop.unwatch(output.watch);
        output = Output{};
    }
    if (*status_ == 0) return tell(ProcessEnd{.status = 0, .out_of_memory = false});
    means_.loop.offload<bool>(
            means_.pool,
            [self = shared_from_this()] {
                const auto info = self->means_.client.info(self->request_.handle);
                if (!info) return base::Result<bool>(info.error());
                const auto& events = info->events;
                return base::Result<bool>(
                        std::find_if(events.begin(), events.end(), [](const std::string& event) {
                            return event.find("out of memory") != std::string::npos ||
                                   event.find("Out of memory") != std::string::npos;
                        }) != events.end());
            },
            [self = shared_from_this()](base::Result<bool> memory) {
                // A container that cannot be asked gives no reason; its process has ended all the
                // same.
                self->tell(
                        ProcessEnd{.status = *self->status_, .out_of_memory = memory && *memory});
            });
}

void GardenProcess::signal(StreamSignal signal) {
    signal_ = signal;
    unwanted_ = true;
    if (!stream_ || over_) return;
    stream_->send_signal(signal);
    flush();
}

void GardenProcess::tell(base::Result<ProcessEnd> end) {
    if (over_) return;
    let_go();
    if (forgotten_) return;
    const auto told = std::move(events_.ended);  // it may destroy our handle
    if (told) told(std::move(end));
}

void GardenProcess::forget() {
    forgotten_ = true;
    // On its way to be attached with a signal to bring: go_live() brings it.
    if (signal_ && !stream_ && !status_ && !over_) return;
    let_go();
}

void GardenProcess::let_go() {
    over_ = true;
    means_.loop.cancel(timer_);
    timer_ = 0;
    means_.loop.unwatch(watch_);
    watch_ = 0;
    stream_.reset();
    for (auto& output : outputs_) {
        means_.loop.unwatch(output.watch);
        output = Output{};
    }
}

}  // namespace executor
