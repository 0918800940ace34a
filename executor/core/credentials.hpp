// InstanceCredentials: who of this cell's containers has which certificate, where its files are and
// when it is replaced (executor-rep §13). Used by LocalExecutor. Without an authority nobody gets
// anything; what an earlier life with one left on disk can still be removed.
//
//   prepare (directory, to be mounted) → name → issue → … rotation … → retire or revoke → remove
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "executor/api/types.hpp"
#include "executor/identity/credential_files.hpp"
#include "executor/identity/identity.hpp"

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

namespace executor {

// Whom the certificates of a container name.
Subject subject_of(const api::Container& container);

// Safe from any thread. What makes keys blocks (RSA: a second) and says so; the rest is quick.
class InstanceCredentials {
  public:
    using Complain = std::function<void(std::string_view guid, std::string text)>;

    // `directory` is made when the first container needs it.
    static base::Result<std::unique_ptr<InstanceCredentials>> open(
            const IdentitySettings& settings,
            std::string directory,
            const base::Clock& clock,
            Complain complain);
    ~InstanceCredentials();  // stop()
    InstanceCredentials(const InstanceCredentials&) = delete;
    InstanceCredentials& operator=(const InstanceCredentials&) = delete;

    bool enabled() const { return identity_.has_value(); }

    // A thread of its own for the rotation: neither a backend that hangs nor a reaper
    // with much to do may let a certificate expire.
    void start();
    void stop();  // idempotent

    // The host directory that the container mounts. Empty until issue().
    base::Result<std::string> prepare(const std::string& guid);
    // Whom certificates name from the next issue on.
    void name(const Subject& subject);
    // Blocks. Both certificates anew; the instance's is on disk afterwards. Whoever was retired or
    // revoked gets nothing more.
    base::Result<void> issue(const std::string& guid);
    // Blocks. The second certificate alone: the routes have changed.
    base::Result<void> issue_for_routes(const std::string& guid);
    // For traffic between containers; on no disk, as only a proxy would show it.
    std::optional<Certificate> internal_routes(const std::string& guid) const;

    // A container that outlived us. What it has stays until its time, unless it is of another
    // authority or no pair. A container that was made without credentials stays without.
    base::Result<void> adopt(const Subject& subject);

    // Its steps have ended: nobody reads them any more, no rotation.
    void retire(const std::string& guid);
    // Blocks. From now on they name nobody (executor-rep §4.5).
    base::Result<void> revoke(const std::string& guid);
    base::Result<void> remove(const std::string& guid);
    // Those of containers that are not among `guids`, from lives that ended in the middle.
    base::Result<void> remove_others(const std::set<std::string>& guids);

    // Blocks. Replaces what is due, and says when to come again; the thread's work.
    WallTime rotate();

  private:
    struct Entry;
    using EntryPtr = std::shared_ptr<Entry>;  // owners: the map, and calls on their way

    InstanceCredentials(std::string directory, const base::Clock& clock, Complain complain)
        : directory_(std::move(directory)), clock_(clock), complain_(std::move(complain)) {}

    EntryPtr find(const std::string& guid) const;
    EntryPtr insert(const std::string& guid, CredentialFiles files);
    std::chrono::seconds pause() const;
    void run();

    const std::string directory_;
    const base::Clock& clock_;
    const Complain complain_;
    std::optional<Identity> identity_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::map<std::string, EntryPtr> entries_;
    bool changed_ = false;  // the thread's idea of what comes next is old
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace executor
