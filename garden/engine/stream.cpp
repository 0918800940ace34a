// StreamIn and StreamOut: garden-copy runs inside the container, as the user, under the container's
// class (MD-06).
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/plan/process_plan.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <condition_variable>

namespace garden {

namespace {

// What a helper may say about its failure.
constexpr std::size_t kReasonBytes = 4096;
// A helper that has written nothing yet may only be slow: a big directory takes its time before its
// first header.
constexpr int kFirstByteMs = 60'000;

}  // namespace

// One run of garden-copy: its exit code arrives on the hub's thread, its reason through a pipe.
struct Gardener::Helper {
    ContainerPtr container;
    std::string id;
    base::Fd reason;
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<base::Result<std::int32_t>> ended;

    base::Result<std::int32_t> wait() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return ended.has_value(); });
        return std::move(*ended);
    }

    // Success, or the helper's own words.
    base::Result<void> finish() {
        const auto code = TRY(wait());
        if (code == 0) return base::ok;
        auto text = base::sys::read_all(reason, kReasonBytes).value_or(std::string());
        while (!text.empty() && text.back() == '\n') text.pop_back();
        if (text.empty()) text = base::format("the copy helper ended with {}", code);
        return base::fail(base::Errc::invalid, "{}", text);
    }
};

void Gardener::forget_internal(Container& container, const std::string& id) {
    (void)container.shim->forget(id);
    container.processes.drop(id);
}

base::Result<std::shared_ptr<Gardener::Helper>> Gardener::start_copy(
        const Handle& handle,
        const std::string& user,
        std::vector<std::string> arguments,
        base::FdRef input,
        base::FdRef output,
        bool) {
    auto helper = std::make_shared<Helper>();
    helper->container = TRY(living(handle));
    helper->id = base::format("garden-copy.{}", helpers_.fetch_add(1));
    auto& container = *helper->container;
    const auto account = TRY(resolve_user(container, user));
    auto& path = arguments.back();
    if (!path.starts_with('/'))
        path = account.home + (account.home.ends_with('/') ? "" : "/") + path;  // garden-api 8.1
    arguments.insert(arguments.begin(), "garden-copy");
    const auto plan = TRY(plan::plan_helper(
            {.id = helper->id,
             .argv = std::move(arguments),
             .user = &account,
             .no_new_privileges = container.no_new_privileges},
            parts_.facts, container.facts));
    auto reason = TRY(base::sys::make_pipe());
    TRY(container.processes.reserve(
            {.id = helper->id,
             .user = user,
             .argv = plan.argv,
             .exited = false,
             .exit_code = 0,
             .host_pid = 0},
            false, true));
    const auto fds = std::to_array<base::FdRef>({parts_.copy_program, input, output, reason.write});
    auto started = container.shim->run(plan, fds);
    if (!started) {
        container.processes.drop(helper->id);
        return std::move(started).error();
    }
    helper->reason = std::move(reason.read);
    container.processes.wait(helper->id, [helper](base::Result<std::int32_t> code) {
        const std::lock_guard lock(helper->mutex);
        helper->ended = std::move(code);
        helper->changed.notify_all();
    });
    return helper;
}

base::Result<void> Gardener::stream_in(
        const Handle& handle,
        const std::string& user,
        const std::string& destination,
        base::FdRef tar) {
    const auto null = TRY(base::sys::open_host("/dev/null", O_RDWR));
    auto helper = start_copy(handle, user, {"in", destination}, tar, null, true);
    if (!helper) return std::move(helper).error().context("stream-in: error streaming in");
    auto finished = (*helper)->finish();
    forget_internal(*(*helper)->container, (*helper)->id);
    return std::move(finished).context("stream-in: error streaming in");
}

base::Result<Engine::Outgoing> Gardener::stream_out(
        const Handle& handle, const std::string& user, const std::string& source) {
    const auto null = TRY(base::sys::open_host("/dev/null", O_RDWR));
    auto tar = TRY(base::sys::make_pipe());
    auto started = start_copy(handle, user, {"out", source}, null, tar.write, true);
    if (!started) return std::move(started).error().context("stream-out");
    auto helper = std::move(*started);
    tar.write.reset();
    const auto finish = [this, helper]() -> base::Result<void> {
        auto finished = helper->finish();
        forget_internal(*helper->container, helper->id);
        return std::move(finished).context("stream-out");
    };
    // A missing or unreadable source is known before the first byte: then the answer can still be
    // an error (8.2).
    pollfd first{.fd = tar.read.get(), .events = POLLIN, .revents = 0};
    while (::poll(&first, 1, kFirstByteMs) < 0 && errno == EINTR) {
    }
    if ((first.revents & POLLIN) == 0) {
        if (first.revents == 0) {
            (void)helper->container->shim->signal(helper->id, SIGKILL);
            (void)finish();
            return base::fail(
                    base::Errc::timeout, "stream-out: no data after {} s", kFirstByteMs / 1000);
        }
        TRY(finish());
        return base::fail(base::Errc::internal, "stream-out: the copy helper wrote nothing");
    }
    return Outgoing{.tar = std::move(tar.read), .finish = finish};
}

}  // namespace garden
