// When each image was last wanted, for the collection of the least recently used. In memory on the
// path of a create; written now and then, and at an orderly end. A kill loses a minute of it, which
// makes an image look a little older than it is. Used by rootfs/images. Safe from any thread.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace rootfs {

class LastUse {
  public:
    // `directory` outlives this. An unreadable file counts as empty.
    explicit LastUse(base::FdRef directory);

    void touch(const std::string& digest, std::int64_t now);
    // Seconds since 1970; `fallback` when nothing is known.
    std::int64_t of(std::string_view digest, std::int64_t fallback) const;
    void forget(std::string_view digest);
    base::Result<void> save();  // nothing when nothing changed

  private:
    base::FdRef directory_;
    mutable std::mutex mutex_;
    bool changed_ = false;
    std::map<std::string, std::int64_t, std::less<>> times_;
};

}  // namespace rootfs
