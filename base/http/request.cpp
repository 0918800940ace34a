#include "base/http/request.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <thread>

namespace base::http {

Result<std::size_t> MemoryBody::read_some(std::span<char> into) {
    const auto count = std::min(into.size(), data_.size() - at_);
    std::memcpy(into.data(), data_.data() + at_, count);
    at_ += count;
    return count;
}

std::string_view Request::param(std::string_view name) const {
    for (const auto& [key, value] : params)
        if (key == name) return value;
    return {};
}

Result<std::string> Request::read_body(std::size_t limit) {
    if (content_length.value_or(0) > limit)
        return fail(Errc::exhausted, "request body: {} bytes, limit {}", *content_length, limit);
    std::string all;
    std::array<char, 16 * 1024> piece{};
    for (;;) {
        const auto count = TRY(body->read_some(piece));
        if (count == 0) return all;
        if (all.size() + count > limit)
            return fail(Errc::exhausted, "request body: over {} bytes", limit);
        all.append(piece.data(), count);
    }
}

struct BodyPipe::State {
    std::shared_ptr<BodySource> source;
    Fd read_end;
    Fd write_end;
    Result<void> outcome;
    std::atomic<bool> reader_left = false;
    std::thread pump;

    void run() {
        // A consumer that closed early gives EPIPE here, not a signal for the program.
        ::sigset_t blocked;
        ::sigemptyset(&blocked);
        ::sigaddset(&blocked, SIGPIPE);
        (void)::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
        std::vector<char> piece(kChunkBytes);
        for (;;) {
            auto count = source->read_some(piece);
            if (!count) {
                // The consumer had enough and interrupted us: that is its decision, not a broken
                // body.
                if (!reader_left) outcome = std::move(count).error();
                break;
            }
            if (*count == 0 || !sys::write_all(write_end, std::string_view(piece.data(), *count)))
                break;
        }
        write_end.reset();
    }
};

BodyPipe::BodyPipe(std::unique_ptr<State> state) : state_(std::move(state)) {}

BodyPipe::BodyPipe(BodyPipe&&) noexcept = default;

BodyPipe::~BodyPipe() {
    if (state_) (void)finish();  // the caller did not ask how it went
}

FdRef BodyPipe::read_end() const {
    return state_->read_end;
}

Result<void> BodyPipe::finish() {
    state_->read_end.reset();
    if (!state_->pump.joinable()) return state_->outcome;
    // A consumer that saw the end of the pipe did so after `outcome` was set; one that stopped
    // early leaves the pump waiting for bytes that nobody will read.
    state_->reader_left = true;
    state_->source->interrupt();
    state_->pump.join();
    return state_->outcome;
}

Result<BodyPipe> Request::body_pipe() {
    auto pipe = TRY(sys::make_pipe());
    auto state = std::make_unique<BodyPipe::State>();
    state->source = body;
    state->read_end = std::move(pipe.read);
    state->write_end = std::move(pipe.write);
    state->pump = std::thread(&BodyPipe::State::run, state.get());
    return BodyPipe(std::move(state));
}

}  // namespace base::http
