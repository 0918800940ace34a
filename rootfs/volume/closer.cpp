#include "rootfs/volume/closer.hpp"

#include <iterator>
#include <utility>

namespace rootfs {

Closer::Closer() : thread_([this] { run(); }) {}

Closer::~Closer() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void Closer::close(std::vector<base::Fd> mounts) {
    std::unique_lock lock(mutex_);
    if (waiting_.size() + mounts.size() > kMaxWaiting) {
        lock.unlock();  // what follows waits for the kernel, and nobody else shall
        return mounts.clear();
    }
    waiting_.insert(
            waiting_.end(), std::move_iterator(mounts.begin()), std::move_iterator(mounts.end()));
    wake_.notify_one();
}

void Closer::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_ || !waiting_.empty()) {
        if (waiting_.empty()) {
            wake_.wait(lock);
            continue;
        }
        auto now = std::exchange(waiting_, {});
        lock.unlock();
        now.clear();
        lock.lock();
    }
}

}  // namespace rootfs
