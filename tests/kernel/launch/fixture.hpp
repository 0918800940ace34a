// A container from busybox in a temporary directory, for the tests of garden/launch. Used by
// tests/kernel/launch only.
#pragma once

#include "base/fd.hpp"
#include "garden/launch/shim_client.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace test {

namespace launch = garden::launch;

// What the hub told about one shim.
class Heard {
  public:
    launch::Events events();
    // The exit code, or -1 when none comes within the time.
    int exit_of(
            const std::string& id, std::chrono::milliseconds patience = std::chrono::seconds(10));
    bool died(std::chrono::milliseconds patience);
    bool lost(std::chrono::milliseconds patience);
    int count(const std::string& id);
    void clear(const std::string& id);  // the id is used again

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, std::vector<int>> exits_;
    bool died_ = false;
    bool lost_ = false;
};

struct Output {
    std::string out;
    std::string err;
    int code = -1;
    base::Error error;  // of run, when it failed
    bool started = false;
};

class Box {
  public:
    explicit Box(bool user_namespace = true);
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;
    ~Box();

    launch::ContainerPlan plan();  // what create() uses; change it before
    base::Result<void> prepare();
    base::Result<void> create(launch::ContainerPlan plan);
    void must_create();
    launch::ProcessPlan process(const std::string& id, std::vector<std::string> argv);
    Output run(launch::ProcessPlan plan, const std::string& input = {});
    Output sh(const std::string& script);
    void restart_gardend();  // drops the hub and joins the shim again

    std::string directory;
    std::string root;
    std::unique_ptr<launch::ShimHub> hub;
    std::shared_ptr<launch::Shim> shim;
    std::shared_ptr<Heard> heard = std::make_shared<Heard>();
    base::Fd bundle;
    launch::Prepared prepared;
    std::vector<base::Fd> fds;
    bool user_namespace = true;

  private:
    int next_ = 0;
};

launch::ShimPrograms programs();
// Reads to the end.
std::string read_end(base::FdRef fd);
// Connects both outputs of an attachment to pipes and reads them to their ends.
Output collect(launch::Shim& shim, std::uint64_t attachment);

}  // namespace test
