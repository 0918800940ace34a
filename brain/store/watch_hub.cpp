#include "brain/store/watch_hub.hpp"

#include "base/fail.hpp"

#include <algorithm>

namespace brain::store {

struct WatchHub::Handle final : Store::Watch {
    Handle(std::shared_ptr<WatchHub> of, std::shared_ptr<Watcher> what)
        : hub(std::move(of)), watcher(std::move(what)) {}

    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    ~Handle() override { hub->remove(watcher); }

    std::shared_ptr<WatchHub> hub;  // owners: the store, and each watch, which may live longer
    std::shared_ptr<Watcher> watcher;
};

std::unique_ptr<Store::Watch> WatchHub::add(std::string_view prefix, Seen seen, Broken broken) {
    auto watcher = std::make_shared<Watcher>();
    watcher->prefix = prefix;
    watcher->seen = std::move(seen);
    watcher->broken = std::move(broken);
    {
        const std::lock_guard lock(mutex_);
        watcher->from = last_ + 1;
        watchers_.push_back(watcher);
        changed_.notify_all();
    }
    return std::make_unique<Handle>(shared_from_this(), std::move(watcher));
}

void WatchHub::remove(const std::shared_ptr<Watcher>& watcher) {
    std::unique_lock lock(mutex_);
    watcher->over = true;
    std::erase(watchers_, watcher);
    // Nobody is called after this returns, except by itself: a watch may end in its own call.
    if (std::this_thread::get_id() == thread_.get_id()) return;
    changed_.wait(lock, [&] { return calling_ != watcher; });
}

void WatchHub::tell(std::span<const Change> changes) {
    News news;
    {
        const std::lock_guard lock(mutex_);
        if (watchers_.empty()) {
            ++last_;
            return;
        }
    }
    news.changes.assign(changes.begin(), changes.end());
    for (const auto& change : changes)
        news.bytes += change.key.size() + (change.value ? change.value->size() : 0);
    put(std::move(news));
}

void WatchHub::break_all(base::Error why) {
    News news;
    news.why = std::move(why);
    put(std::move(news));
}

void WatchHub::put(News news) {
    const std::lock_guard lock(mutex_);
    news.number = ++last_;
    if (waiting_bytes_ + news.bytes > kMaxWaitingBytes) {
        waiting_.clear();
        waiting_bytes_ = 0;
        news.changes.clear();
        news.bytes = 0;
        news.why = base::fail(
                base::Errc::exhausted, "a watcher is too slow: over {} bytes wait for it",
                kMaxWaitingBytes);
    }
    waiting_bytes_ += news.bytes;
    waiting_.push_back(std::move(news));
    changed_.notify_all();
}

void WatchHub::start(std::function<void()> look, std::chrono::milliseconds period) {
    look_ = std::move(look);
    thread_ = std::jthread([this, period](const std::stop_token& stop) { loop(stop, period); });
}

void WatchHub::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void WatchHub::loop(const std::stop_token& stop, std::chrono::milliseconds period) {
    while (!stop.stop_requested()) {
        std::unique_lock lock(mutex_);
        const auto news = [this] { return !waiting_.empty(); };
        changed_.wait(lock, stop, [this] { return !watchers_.empty() || !waiting_.empty(); });
        if (changed_.wait_for(lock, stop, period, news)) {
            const auto next = std::move(waiting_.front());
            waiting_.pop_front();
            waiting_bytes_ -= next.bytes;
            lock.unlock();
            deliver(next);
            continue;
        }
        lock.unlock();
        if (!stop.stop_requested()) look_();
    }
}

void WatchHub::deliver(const News& news) {
    std::unique_lock lock(mutex_);
    const std::vector<std::shared_ptr<Watcher>> now(watchers_.begin(), watchers_.end());
    for (const auto& watcher : now) {
        if (watcher->over || news.number < watcher->from) continue;
        calling_ = watcher;
        lock.unlock();
        if (news.why) {
            watcher->broken(*news.why);
        } else {
            for (const auto& change : news.changes)
                if (!watcher->over && change.key.starts_with(watcher->prefix))
                    watcher->seen(change);
        }
        lock.lock();
        calling_ = nullptr;
        if (news.why) watcher->over = true;
        changed_.notify_all();
    }
    if (news.why)
        std::erase_if(watchers_, [](const auto& watcher) { return watcher->over.load(); });
}

}  // namespace brain::store
