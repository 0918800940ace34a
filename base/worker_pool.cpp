#include "base/worker_pool.hpp"

#include "base/fail.hpp"
#include "base/trace.hpp"

#include <signal.h>

#include <algorithm>
#include <system_error>

namespace base {

Result<void> WorkerPool::submit(std::function<void()> job) {
    const std::lock_guard lock(mutex_);
    // Jobs that an idle thread is about to take do not count as waiting.
    const std::size_t startable = idle_ + (config_.threads - threads_.size());
    if (stopping_ || queue_.size() >= config_.queue + startable) {
        ++refused_;
        return fail(
                Errc::exhausted, "pool {}: {}", config_.name,
                stopping_ ? std::string("it stops")
                          : fmt::format(
                                    "{} jobs wait, the limit is {}", queue_.size(), config_.queue));
    }
    queue_.push_back(trace::carried(std::move(job)));
    if (queue_.size() > idle_ && threads_.size() < config_.threads) {
        // Signals are for main's thread: workers inherit a full mask.
        sigset_t all;
        sigset_t before;
        (void)::sigfillset(&all);
        (void)::pthread_sigmask(SIG_BLOCK, &all, &before);
        std::string refusal;
        try {
            threads_.emplace_back(&WorkerPool::work, this);
            ++idle_;  // counts from its birth, or a burst would be refused before it first runs
        } catch (const std::system_error& error) {
            refusal = error.what();  // the host has no thread left: those that exist do the job
        }
        (void)::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        if (!refusal.empty() && threads_.empty()) {
            queue_.pop_back();
            ++refused_;
            return fail(Errc::exhausted, "pool {}: make a thread: {}", config_.name, refusal);
        }
    }
    wake_.notify_one();
    return ok;
}

WorkerPool::Figures WorkerPool::figures() const {
    const std::lock_guard lock(mutex_);
    return {.threads = threads_.size(),
            .busy = threads_.size() - std::min(idle_, threads_.size()),
            .queued = queue_.size(),
            .done = done_,
            .refused = refused_};
}

void WorkerPool::stop() {
    std::vector<std::thread> threads;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        threads.swap(threads_);
    }
    wake_.notify_all();
    for (auto& thread : threads) thread.join();
}

void WorkerPool::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (queue_.empty()) return;
        auto job = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        job();
        job = nullptr;  // what it holds is let go outside the lock
        lock.lock();
        ++idle_;
        ++done_;
    }
}

}  // namespace base
