// Destroyed volumes wait here and are deleted behind the caller by one thread. Used by
// rootfs/volume. What a crash leaves in the directory is deleted after the next start.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace rootfs {

class Trash {
  public:
    // Deletes the entry `name` below `trash`; gives up with Errc::cancelled when the flag becomes
    // true. Errc::conflict: still in use, so it is tried again within milliseconds, then less and
    // less often.
    using Remove = std::function<base::Result<void>(
            base::FdRef trash, const std::string& name, const std::atomic<bool>& stop)>;

    // `directory`: an open directory of ours; every name in it is deleted, now and later.
    Trash(base::Fd directory, Remove remove);
    Trash(const Trash&) = delete;
    Trash& operator=(const Trash&) = delete;
    ~Trash();  // stops in the middle of a deletion; the rest stays for the next start

    // Moves `name` below `from` in here: from then on it is gone for everyone. Missing:
    // Errc::not_found.
    base::Result<void> take(base::FdRef from, const std::string& name);
    // Whether anything of the volume `name` (any volume when "") still has files here, also when
    // its deletion failed.
    bool holds(std::string_view name);
    void retry();
    void wait_until_empty();  // or until all that is left is stuck; for tests and orderly ends

  private:
    void work();
    bool work_once();  // whether something was still in use

    base::Fd directory_;
    Remove remove_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable idle_;
    bool pending_ = true;
    bool busy_ = false;
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> next_{0};
    std::map<std::string, std::string> entries_;  // what is here -> the volume's own name
    std::thread thread_;                          // last: starts when all else exists
};

}  // namespace rootfs
