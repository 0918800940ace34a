#include "rootfs/flights.hpp"

#include "base/fail.hpp"
#include "rootfs/fetch/source.hpp"

#include <utility>
#include <vector>

namespace rootfs {

namespace {

// How late a caller notices its cancellation, and how often it is told of progress.
constexpr std::chrono::milliseconds kTick{50};

}  // namespace

void Report::tell(Progress progress) {
    const std::lock_guard lock(mutex_);
    auto& entry = latest_[progress.layer];
    entry.progress = std::move(progress);
    entry.version = ++version_;
}

void Report::deliver(
        std::map<std::string, std::uint64_t>& seen,
        const std::function<void(const Progress&)>& progress) const {
    if (!progress) return;
    std::vector<Progress> news;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [layer, entry] : latest_) {
            auto& known = seen[layer];
            if (known == entry.version) continue;
            known = entry.version;
            news.push_back(entry.progress);
        }
    }
    for (const auto& item : news) progress(item);  // without the lock: the callback is foreign
}

Flights::~Flights() {
    std::unique_lock lock(mutex_);
    for (auto& [key, flight] : open_) flight->cancel.store(true);
    landed_.wait(lock, [this] { return flying_ == 0; });
    for (auto& thread : finished_) thread.join();
}

void Flights::land(const std::shared_ptr<Flight>& flight, base::Result<Image> result) {
    const std::lock_guard lock(mutex_);
    if (!result && flight->timed_out) {
        result = base::fail(
                base::Errc::timeout, "the pull took longer than {} s", deadline_.count() / 1000);
    }
    flight->result = std::move(result);
    const auto found = open_.find(flight->key);
    if (found != open_.end() && found->second == flight) open_.erase(found);
    finished_.push_back(std::move(flight->thread));
    --flying_;
    landed_.notify_all();
}

std::shared_ptr<Flights::Flight> Flights::board(const std::string& key, Work work) {
    std::list<std::thread> ended;
    std::shared_ptr<Flight> flight;
    {
        const std::lock_guard lock(mutex_);
        ended.swap(finished_);
        auto& entry = open_[key];
        if (entry == nullptr) {
            entry = std::make_shared<Flight>();
            entry->key = key;
            entry->end = std::chrono::steady_clock::now() + deadline_;
            ++flying_;
            // land() needs the mutex, so the thread cannot end before it is stored.
            entry->thread = std::thread([this, flight = entry, work = std::move(work)] {
                auto result = work(flight->report, flight->cancel);
                land(flight, std::move(result));
            });
        }
        flight = entry;
        ++flight->callers;
    }
    for (auto& thread : ended) thread.join();  // they are past their last statement
    return flight;
}

void Flights::leave(const std::shared_ptr<Flight>& flight) {
    if (--flight->callers > 0 || flight->result) return;
    flight->cancel.store(true);
    // A newcomer must not join what is being cancelled.
    const auto found = open_.find(flight->key);
    if (found != open_.end() && found->second == flight) open_.erase(found);
}

base::Result<Image> Flights::join(
        const std::string& key,
        Work work,
        const std::function<void(const Progress&)>& progress,
        const std::atomic<bool>& cancelled) {
    if (cancelled.load()) return cancelled_error();
    const auto flight = board(key, std::move(work));
    std::map<std::string, std::uint64_t> seen;
    std::unique_lock lock(mutex_);
    while (!flight->result) {
        landed_.wait_for(lock, kTick, [&flight] { return flight->result.has_value(); });
        if (flight->result) break;
        if (cancelled.load()) {
            leave(flight);
            return cancelled_error();
        }
        if (std::chrono::steady_clock::now() > flight->end) {
            flight->timed_out = true;
            flight->cancel.store(true);
        }
        lock.unlock();
        flight->report.deliver(seen, progress);
        lock.lock();
    }
    auto result = *flight->result;
    leave(flight);
    lock.unlock();
    flight->report.deliver(seen, progress);
    return result;
}

base::Result<KeyedGate::Pass> KeyedGate::enter(
        const std::string& key, const std::atomic<bool>& cancelled) {
    std::unique_lock lock(mutex_);
    while (taken_.contains(key)) {
        if (cancelled.load()) return cancelled_error();
        free_.wait_for(lock, kTick);
    }
    taken_[key] = true;
    return Pass(*this, key);
}

void KeyedGate::leave(const std::string& key) {
    const std::lock_guard lock(mutex_);
    taken_.erase(key);
    free_.notify_all();
}

}  // namespace rootfs
