#include "rootfs/volume/trash.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <sys/random.h>

#include <linux/fs.h>

#include <algorithm>
#include <chrono>

namespace rootfs {

using base::Errc;
using base::Result;

namespace {

// The mounts of a destroyed container go a moment after its last process.
constexpr std::chrono::milliseconds kFirstRetry(10);
constexpr std::chrono::milliseconds kLastRetry(2'000);
constexpr std::chrono::milliseconds kRetryAfter(30'000);

std::uint64_t random_start() {
    std::uint64_t value = 0;
    // It only spreads names: without it collisions are tried around, too.
    return ::getrandom(&value, sizeof value, 0) == sizeof value ? value >> 16 : 0;
}

}  // namespace

Trash::Trash(base::Fd directory, Remove remove)
    : directory_(std::move(directory)), remove_(std::move(remove)), next_(random_start()) {
    auto left = base::sys::list_directory(directory_);
    if (left) {  // else the thread meets the same error; nothing is lost, it stays on disk
        for (const auto& entry : *left) {
            auto name = base::sys::read_file_at(directory_, entry + "/name", 256);
            entries_[entry] = name ? *name : entry;
        }
    }
    thread_ = std::thread([this] { work(); });
}

Trash::~Trash() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

Result<void> Trash::take(base::FdRef from, const std::string& name) {
    for (int tries = 0; tries < 100; ++tries) {
        // Short numbers only: a volume's name may already be as long as a file name can be, so it
        // is kept inside (`name` file).
        const std::string entry = base::format("{:x}", next_++);
        {
            // Noted first: nobody may see the volume neither in its place nor here.
            const std::lock_guard lock(mutex_);
            if (!entries_.try_emplace(entry, name).second) continue;
        }
        auto moved = base::sys::rename_at(from, name, directory_, entry, RENAME_NOREPLACE);
        if (moved) {
            retry();
            return base::ok;
        }
        const std::lock_guard lock(mutex_);
        entries_.erase(entry);
        if (moved.error().kind != Errc::already_exists) return moved;
    }
    return base::fail(Errc::internal, "move volume {} away: no free name", name);
}

void Trash::retry() {
    {
        const std::lock_guard lock(mutex_);
        pending_ = true;
    }
    wake_.notify_one();
}

bool Trash::holds(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (name.empty()) return !entries_.empty();
    return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
        return entry.second == name;
    });
}

void Trash::wait_until_empty() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return stop_ || (!pending_ && !busy_); });
}

void Trash::work() {
    std::unique_lock lock(mutex_);
    auto pause = kRetryAfter;
    while (!stop_) {
        if (!pending_) {
            idle_.notify_all();
            const bool woken = wake_.wait_for(lock, pause, [this] { return stop_ || pending_; });
            if (woken) {
                pause = kRetryAfter;
            } else if (!entries_.empty()) {
                pending_ = true;  // something would not go: perhaps it does now
            }
            continue;
        }
        pending_ = false;
        busy_ = true;
        lock.unlock();
        const bool in_use = work_once();
        lock.lock();
        busy_ = false;
        if (!in_use) {
            pause = kRetryAfter;
        } else {
            pause = pause == kRetryAfter ? kFirstRetry : std::min(2 * pause, kLastRetry);
        }
    }
    idle_.notify_all();
}

bool Trash::work_once() {
    auto here = base::sys::list_directory(directory_);
    if (!here)
        return false;  // tried again with the next volume; entries_ still tells that some are left
    bool in_use = false;
    for (const auto& entry : *here) {
        auto removed = remove_(directory_, entry, stop_);
        if (!removed && removed.error().kind == Errc::cancelled) return in_use;
        if (!removed && removed.error().kind == Errc::conflict) in_use = true;
        const std::lock_guard lock(mutex_);
        if (removed) entries_.erase(entry);
    }
    return in_use;
}

}  // namespace rootfs
