#include "rootfs/store/unpacker.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/pidfd.hpp"
#include "base/sys/process.hpp"
#include "base/sys/xattr.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <thread>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kTickMilliseconds = 100;  // how late a cancel is noticed
constexpr std::chrono::seconds kStall(kUnpackStallSeconds);
constexpr std::chrono::seconds kKillWait(30);

const char* word_of(Compression compression) {
    switch (compression) {
        case Compression::none:
            return "none";
        case Compression::gzip:
            return "gzip";
        case Compression::zstd:
            return "zstd";
    }
    return "none";
}

base::Error told_error(std::string_view payload) {
    const auto space = payload.find(' ');
    auto kind = base::parse_number<unsigned>(payload.substr(0, space), "kind");
    const bool known = kind && *kind <= static_cast<unsigned>(Errc::internal);
    const std::string_view text =
            space == std::string_view::npos ? payload : payload.substr(space + 1);
    return base::fail(known ? static_cast<Errc>(*kind) : Errc::internal, "{}", text);
}

// The marker needs privilege over the file system, which the sandbox has not (IMG-20); the name is
// resolved beneath, through no link.
Result<void> mark_opaque(FdRef target, const std::string& path) {
    Fd directory = TRY(sys::open_in(
            target, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
            sys::Resolve::beneath_no_links));
    return sys::set_xattr(directory, "trusted.overlay.opaque", "y");
}

class Conversation {
  public:
    Conversation(FdRef results, FdRef target, const std::function<void(std::uint64_t)>& progress)
        : results_(results), target_(target), progress_(progress) {}

    // Until the last writer of the pipe is gone.
    Result<void> listen(const std::atomic<bool>& cancelled) {
        auto last_word = Clock::now();
        for (;;) {
            if (cancelled.load(std::memory_order_relaxed))
                return base::fail(Errc::cancelled, "unpack: cancelled");
            pollfd wait{.fd = results_.get(), .events = POLLIN, .revents = 0};
            const int ready = ::poll(&wait, 1, kTickMilliseconds);
            if (ready < 0 && errno != EINTR) return base::fail_errno("wait for the unpacker");
            if (ready <= 0) {
                if (Clock::now() - last_word < kStall) continue;
                return base::fail(
                        Errc::timeout, "the unpacker said nothing for {} seconds",
                        kUnpackStallSeconds);
            }
            std::array<char, 16'384> buffer;
            const ssize_t n = ::read(results_.get(), buffer.data(), buffer.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return base::fail_errno("read from the unpacker");
            if (n == 0) return base::ok;
            last_word = Clock::now();
            reader_.add({buffer.data(), static_cast<std::size_t>(n)});
            while (auto frame = TRY(reader_.next())) TRY(hear(*frame));
        }
    }

    Result<Unpacked> verdict() {
        if (failure_) return std::move(*failure_);
        if (!done_) return base::fail(Errc::internal, "the unpacker ended without a result");
        return std::move(*done_);
    }

  private:
    Result<void> hear(const Frame& frame) {
        switch (frame.type) {
            case FrameType::progress: {
                const auto done = TRY(base::parse_number<std::uint64_t>(frame.payload, "progress"));
                if (progress_) progress_(done);
                return base::ok;
            }
            case FrameType::opaque:
                return mark_opaque(target_, frame.payload);
            case FrameType::done:
                done_ = TRY(parse_unpacked(frame.payload));
                return base::ok;
            case FrameType::failed:
                if (!failure_) failure_ = told_error(frame.payload);  // the first one is the cause
                return base::ok;
        }
        return base::ok;
    }

    FdRef results_;
    FdRef target_;
    const std::function<void(std::uint64_t)>& progress_;
    FrameReader reader_;
    std::optional<Unpacked> done_;
    std::optional<base::Error> failure_;
};

// The pipe ends when all of the sandbox is gone, its death follows that of the process we know.
void end_sandbox(FdRef process, FdRef results) {
    (void)sys::signal_process(process, SIGKILL);  // an ended one is fine
    const auto end = Clock::now() + kKillWait;
    std::array<char, 16'384> buffer;
    while (Clock::now() < end) {
        pollfd wait{.fd = results.get(), .events = POLLIN, .revents = 0};
        if (::poll(&wait, 1, kTickMilliseconds) > 0 &&
            ::read(results.get(), buffer.data(), buffer.size()) == 0)
            return;
    }
}

void reap(FdRef process) {
    pollfd wait{.fd = process.get(), .events = POLLIN, .revents = 0};
    const auto end = Clock::now() + kKillWait;
    while (Clock::now() < end && ::poll(&wait, 1, kTickMilliseconds) <= 0) {
    }
    (void)sys::reap(process);  // its exit code says no more than its frames
}

}  // namespace

Result<Unpacked> run_unpacker(
        const std::string& program,
        const UnpackRequest& request,
        const UnpackLimits& limits,
        FdRef target,
        const std::function<void(std::uint64_t)>& progress,
        const std::atomic<bool>& cancelled) {
    const Fd opened = TRY(sys::open_host(program, O_RDONLY).context("start the unpacker"));
    auto pipe = TRY(sys::make_pipe());
    const std::array<std::string, 7> arguments{
            "rootfs-unpack",
            word_of(request.compression),
            std::to_string(request.id_limit),
            std::to_string(limits.layer_bytes),
            std::to_string(limits.ratio),
            std::to_string(limits.ratio_free_bytes),
            std::to_string(limits.entries)};
    static_assert(
            kResultFd == 3 && kBlobFd == 4 &&
            kTargetFd == 5);  // what spawn_detached makes of the order below
    const std::array<FdRef, 3> fds{pipe.write, request.blob, target};
    auto process = TRY(sys::spawn_detached(opened, arguments, fds));
    pipe.write.reset();
    Conversation conversation(pipe.read, target, progress);
    auto heard = conversation.listen(cancelled);
    if (!heard) end_sandbox(process.pidfd, pipe.read);
    reap(process.pidfd);
    TRY(std::move(heard));
    return conversation.verdict();
}

}  // namespace rootfs
