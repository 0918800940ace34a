#include "garden/server/lock.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

namespace garden::server {

namespace {

constexpr std::chrono::milliseconds kLook{20};

base::Result<base::Fd> lock_file(
        const std::string& path, std::chrono::steady_clock::time_point deadline) {
    auto file = TRY(base::sys::open_host(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    for (;;) {
        if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
        if (errno != EWOULDBLOCK && errno != EINTR) return base::fail_errno("flock {}", path);
        if (std::chrono::steady_clock::now() >= deadline)
            return base::fail(base::Errc::conflict, "{}: another gardend is running", path);
        (void)::poll(nullptr, 0, static_cast<int>(kLook.count()));
    }
}

}  // namespace

base::Result<Locks> lock_host(
        const std::string& state_directory,
        const std::string& store_directory,
        const std::string& tag,
        std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    const std::string runtime = "/run/cloche";
    TRY(base::sys::ensure_directory(runtime, 0755));
    TRY(base::sys::ensure_directory(state_directory, 0755));
    TRY(base::sys::ensure_directory(store_directory, 0700));
    Locks locks;
    // The tag names kernel objects of the whole host, wherever the directories are.
    for (const auto& path :
         {runtime + "/gardend" + (tag.empty() ? "" : "-" + tag) + ".lock",
          state_directory + "/gardend.lock", store_directory + "/gardend.lock"})
        locks.files.push_back(TRY(lock_file(path, deadline)));
    return locks;
}

}  // namespace garden::server
