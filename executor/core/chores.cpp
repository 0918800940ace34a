// What goes on by the clock: expired reservations, containers nobody owns, the health of the
// backend (executor-rep §4.1, §12).
#include "base/fail.hpp"
#include "executor/core/local_executor.hpp"

#include <optional>
#include <set>

namespace executor {

void LocalExecutor::chores() {
    using Time = std::chrono::steady_clock::time_point;

    struct Chore {
        std::chrono::nanoseconds interval;
        void (LocalExecutor::*work)();
        Time due;
    };

    const auto begin = std::chrono::steady_clock::now();
    std::vector<Chore> list{
            {settings_.reservation_expires / 2, &LocalExecutor::prune,
             begin + settings_.reservation_expires / 2},
            {settings_.reap_interval, &LocalExecutor::reap, begin + settings_.reap_interval}};
    for (;;) {
        auto next = Time::max();
        for (const auto& chore : list) next = std::min(next, chore.due);
        {
            std::unique_lock lock(chore_mutex_);
            if (chore_wake_.wait_until(lock, next, [&] { return stopping_; })) return;
        }
        const auto now = std::chrono::steady_clock::now();
        for (auto& chore : list) {
            if (chore.due > now) continue;
            (this->*chore.work)();
            chore.due = std::chrono::steady_clock::now() + chore.interval;
        }
    }
}

void LocalExecutor::prune() {
    const auto now = std::chrono::nanoseconds(parts_.clock.wall().time_since_epoch()).count();
    for (const auto& node : nodes()) {
        const std::lock_guard lock(node->mutex);
        const auto& container = node->record.container;
        if (container.state == api::State::reserved &&
            now - container.allocated_at >= settings_.reservation_expires.count())
            complete(*node, Outcome::failed("expired container"));
    }
}

void LocalExecutor::reap() {
    // Ours first: a container made behind the backend's answer is not missing from it.
    std::map<std::string, NodePtr> created;
    for (const auto& node : nodes()) {
        const std::lock_guard lock(node->mutex);
        if (node->record.container.is_created()) created.emplace(node->guid(), node);
    }
    const auto handles = parts_.garden.list(
            {{std::string(kOwnerProperty), settings_.owner}, {"garden.state", "all"}});
    if (!handles) {
        tell(true, "reaper: " + handles.error().text);
        return;
    }
    std::set<std::string> there(handles->begin(), handles->end());
    for (const auto& [guid, node] : created) {
        if (there.contains(guid)) continue;
        const std::lock_guard lock(node->mutex);
        complete(*node, Outcome::failed("missing garden container"));
        if (node->stepping)
            (void)parts_.loop.post([node = node] {
                if (node->steps && node->steps->step) node->steps->step->cancel();
            });
    }
    for (const auto& handle : there) {
        if (find(handle)) continue;
        (void)delete_pool_.submit([this, handle] {
            // Between the list and now somebody may have asked for that name, or ended it.
            const auto guard = operations_.lock(handle);
            if (find(handle) || !parts_.garden.info(handle)) return;
            tell(true, "a container of ours without a record is destroyed", handle);
            if (auto destroyed = destroy_in_garden(handle); !destroyed)
                tell(true, destroyed.error().text, handle);
        });
    }
}

// A thread of its own: a check takes as long as the backend lets it.
void LocalExecutor::watch_garden() {
    for (;;) {
        check_garden();
        std::unique_lock lock(chore_mutex_);
        if (chore_wake_.wait_for(lock, settings_.garden_check_interval, [&] { return stopping_; }))
            return;
    }
}

// A container made, used and destroyed, within a time. What hangs keeps a thread of the check's own
// pool, and no other thread.
void LocalExecutor::check_garden() {
    struct Check {
        std::optional<base::Result<void>> found;
    };

    const auto check = std::make_shared<Check>();  // owners: this call and the job
    const auto handle = base::format("check-{}-{}", settings_.cell_id, checks_++);
    auto taken = check_pool_.submit([this, check, handle] {
        sweep_probes();
        base::Result<void> tried = base::ok;
        for (int i = 0; i < 3; ++i) {
            if (i > 0) base::pause_for(settings_.garden_check_pause);  // nothing to wait for
            tried = try_garden(base::format("{}-{}", handle, i));
            if (tried) break;
        }
        const std::lock_guard lock(chore_mutex_);
        check->found = std::move(tried);
        chore_wake_.notify_all();
    });
    base::Result<void> found = base::ok;
    if (!taken) {
        found = std::move(taken).error();
    } else {
        std::unique_lock lock(chore_mutex_);
        const auto over = [&] { return stopping_ || check->found; };
        if (!chore_wake_.wait_for(lock, settings_.garden_check_timeout, over)) {
            found = base::fail(base::Errc::timeout, "no answer within the time of the check");
        } else if (!check->found) {
            return;  // the program ends
        } else {
            found = *check->found;
        }
    }
    const bool good = found.has_value();
    if (healthy_.exchange(good) != good || !good)
        tell(!good,
             good ? "the backend is healthy" : "the backend is not healthy: " + found.error().text);
}

base::Result<void> LocalExecutor::try_garden(std::string_view handle) {
    garden::api::ContainerSpec spec;
    spec.handle = handle;
    spec.image.uri = settings_.garden_check_rootfs;
    spec.properties[std::string(kHealthcheckTag)] = settings_.owner;
    TRY(parts_.garden.create(spec).context("create"));
    garden::api::ProcessSpec process;
    process.path = "/bin/sh";
    process.args = {"-c", "ls > /tmp/test"};
    process.user = settings_.garden_check_user;
    auto stream = TRY(parts_.garden.run(handle, process).context("run"));
    const auto status = TRY(stream.wait(
            std::chrono::duration_cast<std::chrono::milliseconds>(settings_.garden_check_timeout)));
    if (status != 0)
        return base::fail(base::Errc::internal, "the check's process ended with {}", status);
    return parts_.garden.destroy(handle).context("destroy");
}

void LocalExecutor::sweep_probes() {
    const auto left = parts_.garden.list({{std::string(kHealthcheckTag), settings_.owner}});
    if (!left) return;  // the check itself will say why
    for (const auto& handle : *left)
        if (auto destroyed = parts_.garden.destroy(handle); !destroyed)
            tell(true, "left-over of a check: " + destroyed.error().text, handle);
}

}  // namespace executor
