#include "executor/loop/loop.hpp"

#include "base/fail.hpp"
#include "base/sys/partial.hpp"
#include "base/trace.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

namespace executor {

namespace {

constexpr Loop::WatchId kWake = 0;
constexpr std::size_t kEventsPerRound = 64;
constexpr std::chrono::milliseconds kLongestWait = std::chrono::minutes(1);

using Time = std::chrono::steady_clock::time_point;

}  // namespace

struct Loop::Impl {
    struct Watch {
        base::FdRef fd;
        bool read = false;
        bool write = false;
        // Owners: the table, and the round that calls it just now (it may unwatch itself).
        std::shared_ptr<std::function<void(Ready)>> ready;
    };

    const base::Clock& clock;
    base::Fd epoll;
    base::Fd wake;

    std::mutex mutex;
    std::vector<Job> posted;  // under mutex
    bool stopped = false;     // under mutex
    std::thread thread;
    std::atomic<std::thread::id> runner{};

    // Of the loop's thread only.
    std::map<std::pair<Time, TimerId>, Job> timers;
    std::unordered_map<TimerId, Time> due;
    std::unordered_map<WatchId, Watch> watches;
    TimerId last_timer = 0;
    WatchId last_watch = kWake;

    explicit Impl(const base::Clock& given) : clock(given) {}

    bool is_stopped() {
        const std::lock_guard lock(mutex);
        return stopped;
    }

    // An eventfd that is full wakes just as well.
    void poke() { (void)base::sys::write_some(wake, std::string_view("\1\0\0\0\0\0\0\0", 8)); }

    static std::uint32_t interest(const Watch& watch) {
        return (watch.read ? std::uint32_t{EPOLLIN} : 0U) |
               (watch.write ? std::uint32_t{EPOLLOUT} : 0U);
    }

    bool control(int operation, WatchId id, const Watch& watch) const {
        ::epoll_event event{.events = interest(watch), .data = {.u64 = id}};
        return ::epoll_ctl(epoll.get(), operation, watch.fd.get(), &event) == 0;
    }

    std::size_t run_timers();
    std::size_t run_posted();
    std::size_t run_ready(int timeout);
    int patience();
    std::size_t round(bool wait);
};

// Only timers that were there when the round began: one that always arms itself again must not
// starve the descriptors.
std::size_t Loop::Impl::run_timers() {
    const auto now = clock.monotonic();
    const auto newest = last_timer;
    std::size_t count = 0;
    for (;;) {
        auto next = timers.begin();
        while (next != timers.end() && next->first.first <= now && next->first.second > newest)
            ++next;
        if (next == timers.end() || next->first.first > now || is_stopped()) return count;
        auto job = std::move(next->second);
        due.erase(next->first.second);
        timers.erase(next);
        job();
        ++count;
    }
}

std::size_t Loop::Impl::run_posted() {
    std::vector<Job> jobs;
    {
        const std::lock_guard lock(mutex);
        jobs.swap(posted);
    }
    std::size_t count = 0;
    for (auto& job : jobs) {
        if (is_stopped()) return count;
        // Freed before the next runs, as a queue does.
        auto mine = std::move(job);
        mine();
        ++count;
    }
    return count;
}

std::size_t Loop::Impl::run_ready(int timeout) {
    std::array<::epoll_event, kEventsPerRound> events{};
    const int count =
            ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), timeout);
    std::size_t called = 0;
    for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        if (event.data.u64 == kWake) {
            std::array<char, 8> counter{};
            (void)base::sys::read_some(wake, counter);  // its value says nothing
            continue;
        }
        // Ids are never used again: a watch that an earlier event of this round ended is not found.
        const auto found = watches.find(event.data.u64);
        if (found == watches.end() || is_stopped()) continue;
        const auto ready = found->second.ready;
        (*ready)(
                Ready{.readable = (event.events & EPOLLIN) != 0,
                      .writable = (event.events & EPOLLOUT) != 0,
                      .hung_up = (event.events & (EPOLLHUP | EPOLLERR)) != 0});
        ++called;
    }
    return called;
}

int Loop::Impl::patience() {
    {
        const std::lock_guard lock(mutex);
        if (stopped || !posted.empty()) return 0;
    }
    if (timers.empty()) return -1;
    const auto left = timers.begin()->first.first - clock.monotonic();
    if (left <= left.zero()) return 0;
    // Rounded up: a timer must not be looked at a moment too early, over and over.
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(left);
    return static_cast<int>(std::min(wait, kLongestWait).count());
}

std::size_t Loop::Impl::round(bool wait) {
    auto count = run_timers();
    count += run_posted();
    return count + run_ready(wait ? patience() : 0);
}

base::Result<std::unique_ptr<Loop>> Loop::make(const base::Clock& clock) {
    auto impl = std::make_unique<Impl>(clock);
    impl->epoll = base::Fd(::epoll_create1(EPOLL_CLOEXEC));
    if (!impl->epoll) return base::fail_errno("make an epoll set");
    impl->wake = base::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!impl->wake) return base::fail_errno("make an eventfd");
    ::epoll_event event{.events = EPOLLIN, .data = {.u64 = kWake}};
    if (::epoll_ctl(impl->epoll.get(), EPOLL_CTL_ADD, impl->wake.get(), &event) != 0)
        return base::fail_errno("watch an eventfd");
    return std::unique_ptr<Loop>(new Loop(std::move(impl)));
}

Loop::Loop(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Loop::~Loop() {
    stop();
}

void Loop::start() {
    if (impl_->thread.joinable() || impl_->is_stopped()) return;
    impl_->thread = std::thread([impl = impl_.get()] {
        impl->runner = std::this_thread::get_id();
        while (!impl->is_stopped()) (void)impl->round(true);
    });
    impl_->runner = impl_->thread.get_id();  // both say the same; whoever asks next must see it
}

void Loop::stop() {
    std::vector<Job> dropped;
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->stopped = true;
        dropped.swap(impl_->posted);
    }
    impl_->poke();
    if (impl_->thread.joinable()) impl_->thread.join();
    impl_->runner = std::this_thread::get_id();
    // What they own may still call cancel() and unwatch(): the tables are empty by then, not gone.
    impl_->due.clear();
    const auto timers = std::exchange(impl_->timers, {});
    const auto watches = std::exchange(impl_->watches, {});
}

bool Loop::on_loop() const {
    const auto runner = impl_->runner.load();
    return runner == std::thread::id() || runner == std::this_thread::get_id();
}

bool Loop::post(Job job) {
    bool first = false;
    {
        const std::lock_guard lock(impl_->mutex);
        if (impl_->stopped) return false;
        first = impl_->posted.empty();
        impl_->posted.push_back(base::trace::carried(std::move(job)));
    }
    if (first) impl_->poke();
    return true;
}

Loop::TimerId Loop::after(std::chrono::nanoseconds delay, Job job) {
    if (impl_->is_stopped()) return 0;
    const auto now = impl_->clock.monotonic();
    // A delay of centuries must not wrap into the past.
    const auto time = delay > Time::max() - now ? Time::max() : now + std::max(delay, delay.zero());
    const auto id = ++impl_->last_timer;
    impl_->timers.emplace(std::pair(time, id), std::move(job));
    impl_->due.emplace(id, time);
    return id;
}

void Loop::cancel(TimerId timer) {
    const auto found = impl_->due.find(timer);
    if (found == impl_->due.end()) return;
    // Out of the table first: the job's own destructor may call us.
    const auto node = impl_->timers.extract(std::pair(found->second, timer));
    impl_->due.erase(found);
}

base::Result<Loop::WatchId> Loop::watch(
        base::FdRef fd, bool read, bool write, std::function<void(Ready)> ready) {
    const auto id = impl_->last_watch + 1;
    Impl::Watch watch{
            .fd = fd,
            .read = read,
            .write = write,
            .ready = std::make_shared<std::function<void(Ready)>>(std::move(ready))};
    if ((read || write) && !impl_->control(EPOLL_CTL_ADD, id, watch))
        return base::fail_errno("watch descriptor {}", fd.get());
    impl_->last_watch = id;
    impl_->watches.emplace(id, std::move(watch));
    return id;
}

// Nothing wanted is no entry at all: the kernel tells a hang-up even to who wants nothing, for
// ever.
void Loop::change(WatchId watch, bool read, bool write) {
    const auto found = impl_->watches.find(watch);
    if (found == impl_->watches.end()) return;
    auto& entry = found->second;
    const bool before = entry.read || entry.write;
    if (entry.read == read && entry.write == write) return;
    entry.read = read;
    entry.write = write;
    const bool wanted = read || write;
    (void)impl_->control(  // cannot fail: the descriptor is open and its entry known
            !before  ? EPOLL_CTL_ADD
            : wanted ? EPOLL_CTL_MOD
                     : EPOLL_CTL_DEL,
            watch, entry);
}

void Loop::unwatch(WatchId watch) {
    const auto node = impl_->watches.extract(watch);
    if (node.empty()) return;
    const auto& entry = node.mapped();
    if (entry.read || entry.write)
        (void)impl_->control(EPOLL_CTL_DEL, watch, entry);  // closed already: gone from the set
}

const base::Clock& Loop::clock() const {
    return impl_->clock;
}

std::size_t Loop::run_until_idle() {
    std::size_t total = 0;
    while (const auto count = impl_->round(false)) total += count;
    return total;
}

std::optional<std::chrono::steady_clock::time_point> Loop::next_timer() const {
    if (impl_->timers.empty()) return std::nullopt;
    return impl_->timers.begin()->first.first;
}

}  // namespace executor
