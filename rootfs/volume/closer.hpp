// Closes mounts behind the caller. The last descriptor of a detached mount makes the kernel wait
// for a grace period (0.2 to 0.6 ms measured, for each layer of an image). Used by volumes.cpp.
#pragma once

#include "base/fd.hpp"

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace rootfs {

class Closer {
  public:
    Closer();
    ~Closer();  // closes what is left
    Closer(const Closer&) = delete;
    Closer& operator=(const Closer&) = delete;

    // Above kMaxWaiting the caller closes its own.
    void close(std::vector<base::Fd> mounts);

    static constexpr std::size_t kMaxWaiting = 1024;  // descriptors

  private:
    void run();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<base::Fd> waiting_;
    bool stopping_ = false;
    std::thread thread_;  // last: starts when all else exists
};

}  // namespace rootfs
