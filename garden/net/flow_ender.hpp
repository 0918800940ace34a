// Ends, behind a change of rules, the flows that they no longer allow. The kernel walks its whole
// list of connections for it, however few a container has, which takes longer than the change
// itself: so it is done by a thread, for all containers that were changed meanwhile in one go. Used
// by built_in.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace garden::net {

class FlowEnder {
  public:
    using End = std::function<void(const std::set<std::string>& lease_ids)>;

    // The thread is in the network namespace of the caller.
    explicit FlowEnder(End end);
    ~FlowEnder();  // what was asked for is done before
    FlowEnder(const FlowEnder&) = delete;
    FlowEnder& operator=(const FlowEnder&) = delete;

    void ask(std::string lease_id);

  private:
    void run();

    End end_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::string> asked_;
    bool over_ = false;
    std::thread thread_;  // last: it uses everything above
};

}  // namespace garden::net
