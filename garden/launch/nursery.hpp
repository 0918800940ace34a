// gardend's side of the nursery, the process that shims are cloned from (shim/nursery.hpp). Used by
// the ShimHub; thread-safe.
//
//   gardend                      nursery
//      │ ◄──────── "ready", or what failed ──────
//      │ ──────── "shim" and its socket ───────► │ clone3(CLONE_PARENT): a child of gardend
//      │ ◄──────── "born" and its pidfd, or the errno
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <mutex>
#include <string_view>

namespace garden::launch {

inline constexpr std::size_t kNurseryMessage = 512;
inline constexpr std::string_view kNurseryReady = "ready";
inline constexpr std::string_view kNurseryShim = "shim";
inline constexpr std::string_view kNurseryBorn = "born";

struct Newborn {
    base::Fd socket;  // to the shim
    base::Fd pidfd;   // a child of the caller
};

class Nursery {
  public:
    // Both programs must outlive it.
    Nursery(base::FdRef shim, base::FdRef init) : shim_(shim), init_(init) {}

    ~Nursery();  // ends it; the shims stay
    Nursery(const Nursery&) = delete;
    Nursery& operator=(const Nursery&) = delete;

    // A new shim. Starts the nursery when it has not been started, or was killed.
    base::Result<Newborn> clone_shim();

  private:
    base::Result<void> start();
    base::Result<Newborn> ask();
    void end();

    const base::FdRef shim_;
    const base::FdRef init_;
    std::mutex mutex_;  // one request at a time; the members below
    base::Fd control_;
    base::Fd pidfd_;
};

}  // namespace garden::launch
