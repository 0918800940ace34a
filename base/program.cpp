#include "base/program.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

namespace base {

namespace {

using std::chrono::steady_clock;

// All that is there now, but not much over `limit`; false at the end of the stream.
Result<bool> take(FdRef pipe, std::string& into, std::size_t limit) {
    std::array<char, 16 << 10> piece{};
    while (into.size() <= limit) {
        const auto got = ::read(pipe.get(), piece.data(), piece.size());
        if (got > 0) {
            into.append(piece.data(), static_cast<std::size_t>(got));
            continue;
        }
        if (got == 0) return false;
        if (errno == EAGAIN) return true;
        if (errno != EINTR) return fail_errno("read from a program");
    }
    return true;
}

class Running {
  public:
    Running(const ProgramCall& call, sys::Spawned spawned, Fd out, Fd err)
        : call_(call), spawned_(std::move(spawned)), out_(std::move(out)), err_(std::move(err)) {}

    Result<ProgramEnd> finish() {
        auto code = collect();
        if (!code) {
            // It leads its session and group: what it started goes with it.
            (void)::kill(-spawned_.pid, SIGKILL);
            wait_for_end(-1);
            (void)sys::reap(spawned_.pidfd);
            return std::move(code).error();
        }
        end_.code = *code;
        return std::move(end_);
    }

  private:
    Result<std::int32_t> collect() {
        const auto until = steady_clock::now() + call_.deadline;
        for (;;) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                    until - steady_clock::now());
            if (left.count() <= 0) {
                return fail(
                        Errc::timeout, "{}: not done after {} ms", call_.path,
                        call_.deadline.count());
            }
            const bool ended = wait_for_end(static_cast<int>(left.count()));
            TRY(drain());
            if (!ended) continue;
            if (const auto code = TRY(sys::reap(spawned_.pidfd))) return *code;
        }
    }

    // Until it has ended (true), or has said something, or the time is over.
    bool wait_for_end(int milliseconds) {
        std::array<pollfd, 3> wait{
                pollfd{.fd = spawned_.pidfd.get(), .events = POLLIN, .revents = 0},
                pollfd{.fd = out_ ? out_.get() : -1, .events = POLLIN, .revents = 0},
                pollfd{.fd = err_ ? err_.get() : -1, .events = POLLIN, .revents = 0}};
        const std::size_t count = milliseconds < 0 ? 1 : wait.size();
        (void)::poll(wait.data(), count, milliseconds);
        return wait[0].revents != 0;
    }

    Result<void> drain() {
        if (out_ && !TRY(take(out_, end_.output, call_.output_limit))) out_.reset();
        if (end_.output.size() > call_.output_limit) {
            return fail(
                    Errc::exhausted, "{}: more than {} bytes of output", call_.path,
                    call_.output_limit);
        }
        // Only its end is kept, and what is a lot already is not read further in this round.
        if (err_ && !TRY(take(err_, end_.complaint, 2 * kComplaintBytes))) err_.reset();
        if (end_.complaint.size() > kComplaintBytes)
            end_.complaint.erase(0, end_.complaint.size() - kComplaintBytes);
        return ok;
    }

    const ProgramCall& call_;
    sys::Spawned spawned_;
    Fd out_, err_;
    ProgramEnd end_;
};

}  // namespace

Result<ProgramEnd> run_program(const ProgramCall& call) {
    if (call.path.find('/') == std::string::npos)
        return fail(Errc::invalid, "program '{}': a path is needed", call.path);
    // A file, not a pipe: nobody has to feed it, and no program can refuse to read.
    const Fd input = TRY(sys::sealed_memory_file("input", call.input, false));
    if (::lseek(input.get(), 0, SEEK_SET) != 0) return fail_errno("lseek");
    auto out = TRY(sys::make_pipe());
    auto err = TRY(sys::make_pipe());
    for (const auto& end : {FdRef(out.read), FdRef(err.read)}) {
        if (::fcntl(end.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("fcntl");
    }
    std::vector<std::string> argv{call.path};
    argv.insert(argv.end(), call.arguments.begin(), call.arguments.end());
    const std::array<FdRef, 3> standard{input, out.write, err.write};
    auto spawned = TRY(sys::spawn_program(call.path, argv, call.environment, standard));
    out.write.reset();
    err.write.reset();
    return Running(call, std::move(spawned), std::move(out.read), std::move(err.read)).finish();
}

}  // namespace base
