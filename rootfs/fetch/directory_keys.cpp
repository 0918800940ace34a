#include "rootfs/fetch/directory_keys.hpp"

#include "base/sys/file.hpp"
#include "rootfs/fetch/directory_key.hpp"

namespace rootfs {

DirectoryKeys::DirectoryKeys() : DirectoryKeys(directory_key) {}

base::Result<Digest> DirectoryKeys::key(base::FdRef directory) {
    const auto status = TRY(base::sys::stat_fd(directory));
    const Id id{status.st_dev, status.st_ino};
    std::unique_lock lock(mutex_);
    auto& entry = places_[id];
    if (!entry) entry = std::make_shared<Place>();
    const auto place = entry;
    ++place->users;
    const auto wanted = place->begun + 1;
    while (place->last < wanted) {
        if (place->walking) {
            place->ended.wait(lock);
            continue;
        }
        place->walking = true;
        const auto number = ++place->begun;
        lock.unlock();
        auto found = walk_(directory);
        lock.lock();
        place->found = std::move(found);
        place->last = number;
        place->walking = false;
        place->ended.notify_all();
    }
    auto found = place->found;
    if (--place->users == 0) places_.erase(id);
    return found;
}

}  // namespace rootfs
