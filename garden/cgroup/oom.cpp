#include "garden/cgroup/oom.hpp"

#include "base/sys/cgroup.hpp"
#include "base/sys/file.hpp"

#include <poll.h>

#include <string_view>
#include <vector>

namespace garden::cgroup {

namespace {

// The v1 event comes before the kill it announces; the count is looked at again this many times, 10
// ms apart.
constexpr int kLooks = 100;
constexpr int kLookMilliseconds = 10;

}  // namespace

base::Result<std::shared_ptr<OomWatcher>> OomWatcher::start() {
    base::Fd inotify = TRY(base::sys::make_inotify());
    base::Fd wake = TRY(base::sys::make_eventfd());
    return std::make_shared<OomWatcher>(std::move(inotify), std::move(wake));
}

OomWatcher::OomWatcher(base::Fd inotify, base::Fd wake)
    : inotify_(std::move(inotify)), wake_(std::move(wake)), thread_([this] { run(); }) {}

OomWatcher::~OomWatcher() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake();
    thread_.join();
}

void OomWatcher::wake() const {
    const std::uint64_t one = 1;
    (void)base::sys::write_all(
            wake_, std::string_view(reinterpret_cast<const char*>(&one), sizeof one));
}

std::uint64_t OomWatcher::insert(Watch watch) {
    watch.seen = watch.count();
    std::uint64_t id = 0;
    {
        const std::lock_guard lock(mutex_);
        id = next_++;
        watches_.emplace(id, std::make_shared<Watch>(std::move(watch)));
    }
    wake();
    return id;
}

std::uint64_t OomWatcher::add(base::Fd event, Count count, std::function<void()> notice) {
    return insert(
            Watch{.event = std::move(event),
                  .inotify = -1,
                  .count = std::move(count),
                  .notice = std::move(notice),
                  .seen = 0});
}

base::Result<std::uint64_t> OomWatcher::add(
        const std::string& path, Count count, std::function<void()> notice) {
    const int watch = TRY(base::sys::watch_modify(inotify_, path));
    return insert(
            Watch{.event = base::Fd(),
                  .inotify = watch,
                  .count = std::move(count),
                  .notice = std::move(notice),
                  .seen = 0});
}

void OomWatcher::remove(std::uint64_t id) {
    std::unique_lock lock(mutex_);
    const auto found = watches_.find(id);
    if (found != watches_.end()) {
        if (found->second->inotify >= 0) base::sys::unwatch(inotify_, found->second->inotify);
        watches_.erase(found);
        wake();
    }
    // A notice may remove its own watch: waiting for itself would never end.
    if (std::this_thread::get_id() == thread_.get_id()) return;
    idle_.wait(lock, [&] { return running_ != id; });
}

void OomWatcher::check(std::uint64_t id) {
    std::shared_ptr<Watch> watch;
    {
        const std::lock_guard lock(mutex_);
        const auto found = watches_.find(id);
        if (found == watches_.end()) return;
        watch = found->second;
        running_ = id;
    }
    const std::uint64_t now = watch->count();
    for (; watch->seen < now; ++watch->seen) watch->notice();
    {
        const std::lock_guard lock(mutex_);
        running_ = 0;
    }
    idle_.notify_all();
}

void OomWatcher::run() {
    std::map<std::uint64_t, int> looks;  // watches that had an event, and how often to look again
    for (;;) {
        std::vector<pollfd> files = {
                {.fd = wake_.get(), .events = POLLIN, .revents = 0},
                {.fd = inotify_.get(), .events = POLLIN, .revents = 0}};
        std::vector<std::shared_ptr<Watch>>
                held;  // keeps the descriptors open while poll uses them
        std::vector<std::uint64_t> ids;
        {
            const std::lock_guard lock(mutex_);
            if (stop_) return;
            for (const auto& [id, watch] : watches_) {
                held.push_back(watch);
                ids.push_back(id);
                files.push_back({.fd = watch->event.get(), .events = POLLIN, .revents = 0});
            }
        }
        if (::poll(files.data(), files.size(), looks.empty() ? -1 : kLookMilliseconds) < 0)
            continue;
        if (files[0].revents != 0) base::sys::drain(wake_);
        const bool modified = files[1].revents != 0;
        if (modified) base::sys::drain(inotify_);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const bool event = files[i + 2].revents != 0;
            if (event) base::sys::drain(held[i]->event);
            if (event || (modified && held[i]->inotify >= 0))
                looks[ids[i]] = held[i]->inotify >= 0 ? 1 : kLooks;
        }
        held.clear();
        for (auto look = looks.begin(); look != looks.end();) {
            check(look->first);
            look = --look->second <= 0 ? looks.erase(look) : std::next(look);
        }
    }
}

}  // namespace garden::cgroup
