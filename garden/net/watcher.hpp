// The network's own thread: reads the log of refusals, and has the rules put back when somebody
// else has changed them (NET-15). Used by network_evidence.cpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/net/nflog.hpp"
#include "garden/net/watch.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace garden::net {

class Watcher {
  public:
    // Puts the rules back. `look_first`: it is not known that anything is wrong.
    using Mend = std::function<base::Result<void>(const std::string& reason, bool look_first)>;

    struct Parts {
        std::optional<Nflog> nflog;  // none: nothing is logged
        std::optional<RuleWatch> rules;
        ConnectionLog& log;
        Mend mend;
    };

    // The thread is in the network namespace of the caller.
    static base::Result<std::unique_ptr<Watcher>> start(Parts parts);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    // "" while the rules are in force, as far as this thread knows.
    std::string unrepaired() const;

  private:
    Watcher(Parts parts, base::Fd stop) : parts_(std::move(parts)), stop_(std::move(stop)) {}

    void run();
    bool wait(bool at_once);  // false: it is over
    bool read_log();          // true: there is more
    bool read_rules();
    void mend_when_due();

    struct Task {
        std::string reason;
        bool look_first = false;
    };

    Parts parts_;
    base::Fd stop_;
    std::optional<Task> task_;
    std::chrono::steady_clock::time_point due_;
    mutable std::mutex mutex_;
    std::string unrepaired_;
    std::thread thread_;  // last: it uses everything above
};

}  // namespace garden::net
