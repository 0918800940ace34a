#include "garden/engine/chores.hpp"

#include <utility>

namespace garden {

namespace {

// A network namespace takes some ten milliseconds to die; looking more often only costs.
constexpr std::chrono::milliseconds kInterval{20};

}  // namespace

Chores::Chores() : repeater_([this] { run_repeated(); }), worker_([this] { run_once(); }) {}

Chores::~Chores() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    repeater_.join();
    worker_.join();
}

void Chores::repeat(
        std::function<bool()> attempt,
        std::chrono::milliseconds patience,
        std::function<void()> give_up) {
    const std::lock_guard lock(mutex_);
    repeated_.push_back(
            {.attempt = std::move(attempt),
             .deadline = Clock::now() + patience,
             .give_up = std::move(give_up)});
    changed_.notify_all();
}

void Chores::once(std::function<void()> job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    changed_.notify_all();
}

bool Chores::drain(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(
            lock, limit, [&] { return repeated_.empty() && jobs_.empty() && busy_ == 0; });
}

void Chores::run_repeated() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (repeated_.empty()) {
            changed_.wait(lock);
            continue;
        }
        auto round = std::exchange(repeated_, {});
        ++busy_;
        lock.unlock();
        std::vector<Repeated> left;
        for (auto& item : round) {
            if (item.attempt()) continue;
            if (Clock::now() < item.deadline) {
                left.push_back(std::move(item));
            } else {
                item.give_up();
            }
        }
        lock.lock();
        --busy_;
        for (auto& item : left) repeated_.push_back(std::move(item));
        changed_.notify_all();
        if (!left.empty()) changed_.wait_for(lock, kInterval, [this] { return stopping_; });
    }
}

void Chores::run_once() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (jobs_.empty()) {
            changed_.wait(lock);
            continue;
        }
        auto job = std::move(jobs_.front());
        jobs_.pop_front();
        ++busy_;
        lock.unlock();
        job();
        lock.lock();
        --busy_;
        changed_.notify_all();
    }
}

}  // namespace garden
