// A whole cell of the tests: gardend and executor as processes that can be killed, the rep in this
// process behind its HTTP routes, the brain in memory, where records can be set and read. Used by
// tests/e2e/rep.
#pragma once

#include "base/http/router.hpp"
#include "base/http/server.hpp"
#include "executor/api/client.hpp"
#include "rep/api/client.hpp"
#include "rep/core/rep.hpp"
#include "tests/e2e/daemon.hpp"
#include "tests/unit/rep/flaky_brain.hpp"

#include <functional>

namespace test {

inline constexpr auto kCellId = "cell-1";
inline constexpr auto kStack = "preloaded:busybox";

struct CellOptions {
    std::int64_t memory_mb = 8'192;
    std::int64_t disk_mb = 16'384;
    std::int64_t containers = 151;  // one of them is the health check's
    milliseconds check{0};          // time between checks of the backend; 0: none
    std::function<void(rep::core::Config&)> adjust;
};

class Cell {
  public:
    explicit Cell(CellOptions options = {});
    ~Cell();
    Cell(const Cell&) = delete;
    Cell& operator=(const Cell&) = delete;

    void start_executor();
    void kill_executor();  // -9
    void start_rep();
    // As a kill: its connection to the brain is cut first, so that nothing it does is finished.
    void kill_rep();

    Daemon& garden() { return garden_; }

    executor::api::Client& executor() { return *executor_; }

    rep::core::Rep& rep() { return *rep_; }

    rep::api::Client& http() { return *http_; }

    base::http::Client raw_http() const;  // of the rep's routes

    FlakyBrain& link() { return *link_; }

    rep::core::MemoryBrain& brain() { return memory_; }

    // What an auctioneer does, with one cell: everything that waits is sent. What came back.
    rep::api::Work place();
    rep::api::Work must_perform(rep::api::Work work);

    // Of the brain.
    std::vector<brain::api::ActualLrp> records(const std::string& process_guid);
    brain::api::ActualLrp record(const std::string& process_guid, std::int32_t index = 0);
    brain::api::Task task(const std::string& guid);
    brain::api::ActualLrp running(const std::string& process_guid, std::int32_t index = 0);
    brain::api::Task completed(const std::string& guid);  // waits for it

    std::vector<executor::api::Container> containers();
    std::vector<std::string> handles();  // of gardend, sorted
    bool gone(const std::string& guid);  // from executor and gardend
    // Status of a script in a running container; its output goes to `output`.
    int inside(const std::string& guid, const std::string& script, std::string* output = nullptr);
    // From the host's side of the mapped port.
    bool answers(std::uint16_t host_port);

    std::string log_tail() const;

  private:
    CellOptions options_;
    base::SystemClock clock_;
    Daemon garden_;
    rep::core::MemoryBrain memory_{clock_};
    std::string socket_, log_;
    pid_t pid_ = 0;
    std::unique_ptr<executor::api::Client> executor_;
    // Of one run of the rep.
    std::unique_ptr<base::metrics::Registry> metrics_;
    std::unique_ptr<FlakyBrain> link_;
    std::unique_ptr<rep::core::Rep> rep_;
    base::http::Router routes_, admin_;
    std::unique_ptr<base::http::Server> server_;
    std::unique_ptr<rep::api::Client> http_;
};

// Within half a minute of a quiet machine.
bool soon(const std::function<bool()>& condition, milliseconds native = milliseconds(30'000));

// Work to place.
executor::api::Action shell(const std::string& script);
brain::api::DesiredLrp app(
        const std::string& guid, const std::string& script, std::int32_t instances = 1);
brain::api::Task job(
        const std::string& guid, const std::string& script, const std::string& result_file = {});
rep::api::Work work_of(const brain::api::DesiredLrp& desired, std::int32_t index = 0);
rep::api::Work work_of(const brain::api::Task& task);

inline constexpr auto kForever = "while :; do sleep 1; done";
inline constexpr auto kServer = "exec busybox nc -ll -p 8080 -e echo served";

}  // namespace test
