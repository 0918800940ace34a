// The key of a directory, asked for by many at once: who comes while it is walked waits for the
// next walk, for this one may have passed what was changed just now, and shares that with all who
// came meanwhile. Used by rootfs/images.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/image/digest.hpp"

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace rootfs {

class DirectoryKeys {
  public:
    using Walk = std::function<base::Result<Digest>(base::FdRef)>;

    DirectoryKeys();

    explicit DirectoryKeys(Walk walk) : walk_(std::move(walk)) {}

    // Of a walk that began after the call.
    base::Result<Digest> key(base::FdRef directory);

  private:
    struct Place {
        std::condition_variable ended;
        std::size_t users = 0;
        std::uint64_t begun = 0;  // walks
        bool walking = false;
        std::uint64_t last = 0;  // the number of the walk that `found` is of
        base::Result<Digest> found = Digest{};
    };

    using Id = std::pair<dev_t, ino_t>;  // not the path: that may lead elsewhere by now

    Walk walk_;
    std::mutex mutex_;  // all below
    std::map<Id, std::shared_ptr<Place>> places_;
};

}  // namespace rootfs
