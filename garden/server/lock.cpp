#include "garden/server/lock.hpp"

#include "base/daemon.hpp"
#include "base/sys/file.hpp"
#include "garden/server/owner.hpp"

#include <filesystem>
#include <set>
#include <system_error>

namespace garden::server {

base::Result<Locks> lock_host(
        const std::string& state_directory,
        const std::string& store_directory,
        const std::string& tag,
        std::chrono::milliseconds patience,
        bool take_over) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    const std::string runtime = "/run/cloche";
    TRY(base::sys::ensure_directory(runtime, 0755));
    TRY(base::sys::ensure_directory(state_directory, 0755));
    TRY(base::sys::ensure_directory(store_directory, 0700));
    // The tag names kernel objects of the whole host, wherever the directories are.
    const auto base = runtime + "/gardend" + (tag.empty() ? "" : "-" + tag);
    Locks locks{.files = {}, .owner = base + ".owner"};
    // The default depot is the runtime directory: a file that we hold already would refuse us.
    std::set<std::filesystem::path> held;
    for (const auto& path :
         {base + ".lock", state_directory + "/gardend.lock", store_directory + "/gardend.lock"}) {
        std::error_code unusable;
        const auto real = std::filesystem::weakly_canonical(path, unusable);
        if (!held.insert(unusable ? std::filesystem::path(path) : real).second) continue;
        locks.files.push_back(TRY(base::lock_file(path, "gardend", deadline)));
    }
    TRY(claim_tag(locks.owner, {.depot = state_directory, .store = store_directory}, take_over));
    return locks;
}

}  // namespace garden::server
