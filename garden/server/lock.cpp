#include "garden/server/lock.hpp"

#include "base/daemon.hpp"
#include "base/sys/file.hpp"

namespace garden::server {

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
        locks.files.push_back(TRY(base::lock_file(path, "gardend", deadline)));
    return locks;
}

}  // namespace garden::server
