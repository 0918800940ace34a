// The end of a container (executor-rep §4.6), and its files.
#include "base/fail.hpp"
#include "executor/api/http_files.hpp"
#include "executor/core/local_executor.hpp"
#include "executor/logs/hub.hpp"

#include <future>

namespace executor {

base::Result<void> LocalExecutor::remove(std::string_view guid) {
    const auto node = TRY(must_find(guid));
    TRY(stop(guid));
    // The caller waits; how many are at it at once is the pool's affair.
    auto promise = std::make_shared<std::promise<base::Result<void>>>();
    auto answer = promise->get_future();
    TRY(delete_pool_.submit([this, node, promise] { promise->set_value(destroy(node)); }));
    return answer.get();
}

base::Result<void> LocalExecutor::destroy(const NodePtr& node) {
    // A creation that hangs in the backend holds one worker of this pool for a bounded time; the
    // stop it was sent stays, and who asked may ask again.
    const auto guard = operations_.lock_until(
            node->guid(), std::chrono::steady_clock::now() + settings_.delete_patience);
    if (!guard)
        return base::fail(base::Errc::timeout, "container {} is still being created", node->guid());
    bool in_garden = false;
    {
        std::unique_lock lock(node->mutex);
        if (node->gone) return base::ok;
        const auto& info = node->record.container.info;
        const auto grace = info.graceful_shutdown_interval_ms != 0
                                   ? std::chrono::nanoseconds(std::chrono::milliseconds(
                                             info.graceful_shutdown_interval_ms))
                                   : settings_.steps.graceful_shutdown;
        const auto patience = grace + settings_.steps.exit_timeout + std::chrono::seconds(5);
        if (!node->changed.wait_for(lock, patience, [&] { return !node->stepping; }))
            tell(true, "steps did not end in time; the container is destroyed under them",
                 node->guid());
        complete(*node, Outcome::cancelled());
        in_garden = node->in_garden;
    }
    const auto log = log_of(*node);
    const auto say = [&](std::string_view what) {
        log->say(
                "", LogKind::out,
                base::format(
                        "Cell {} {} container for instance {}", settings_.cell_id, what,
                        node->guid()));
    };
    remove_credentials(*node);  // also if the backend cannot destroy the container
    if (in_garden) {
        say("destroying");
        auto destroyed = destroy_in_garden(node->guid());
        if (!destroyed) {
            ++failed_destructions_;
            say("failed to destroy");
            return std::move(destroyed).error().context(
                    base::format("destroy container {}", node->guid()));
        }
        ++destructions_;
        say("successfully destroyed");
    }
    forget(node);
    return base::ok;
}

base::Result<void> LocalExecutor::destroy_in_garden(const std::string& handle) {
    auto destroyed = parts_.garden.destroy(handle);
    if (!destroyed && destroyed.error().kind == base::Errc::not_found) return base::ok;
    return destroyed;
}

void LocalExecutor::forget(const NodePtr& node) {
    std::vector<std::shared_ptr<void>> holds;
    {
        const std::lock_guard lock(node->mutex);
        node->gone = true;
        holds.swap(node->holds);
    }
    if (auto erased = store_.erase(node->guid()); !erased)
        tell(true, erased.error().text, node->guid());
    {
        const std::lock_guard lock(mutex_);
        nodes_.erase(node->guid());
        ledger_.give_back(node->record.container);
    }
    parts_.logs.close(node->guid());
    // Steps that outlived their container let go of it on their own thread.
    (void)parts_.loop.post([node] { node->steps.reset(); });
}

base::Result<std::unique_ptr<api::FileStream>> LocalExecutor::files(
        std::string_view guid, std::string_view path) {
    const auto node = TRY(must_find(guid));
    auto stream = parts_.garden.stream_out(node->guid(), "root", path);
    if (!stream) return std::move(stream).error();
    std::unique_ptr<api::FileStream> files = std::make_unique<api::HttpFiles>(std::move(*stream));
    return files;
}

}  // namespace executor
