// One gardend as a child process with everything of its own: directories, socket, tag, network
// namespace. Can be killed and started again; leaves nothing or fails the test. Used by tests/e2e.
#pragma once

#include "base/fd.hpp"
#include "garden/api/client.hpp"
#include "tests/e2e/nursery.hpp"

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace test {

using std::chrono::milliseconds;

// Times are for a quiet native machine; a sanitized build or an emulated guest gets more.
milliseconds patience(milliseconds native);
// How much of something a process must do to outlive a few restarts of gardend.
int scaled(int native);

struct DaemonOptions {
    std::vector<std::string> flags;  // added to the ones every Daemon has
    std::string state;               // "" = below the Daemon's own directory
    std::string store;
    unsigned pool_size = 2;
    bool doctor_at_end = true;
    bool start = true;
};

class Daemon {
  public:
    explicit Daemon(DaemonOptions options = {});
    // Destroys every container and checks that nothing with this tag is left anywhere.
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    void add_flags(const std::vector<std::string>& flags);  // for the next spawn
    void spawn();                                           // the process only
    void wait_ready();                                      // until it answers
    void start();                                           // both
    void kill9();                                           // and waits for its end
    int stop();  // SIGTERM; the exit status as a shell shows it

    void restart() { kill9(), start(); }

    void signal(int number);  // to gardend, without waiting

    bool runs() const;

    pid_t pid() const { return pid_; }

    // Clients are cheap; the common one serves sequential tests.
    garden::api::Client& client() { return *client_; }

    std::unique_ptr<garden::api::Client> new_client() const;
    std::unique_ptr<base::http::Client> new_http() const;

    garden::api::ContainerSpec spec(const std::string& handle) const;
    void create(const std::string& handle);  // must succeed

    // Doctor's findings, printable; must be able to answer.
    std::vector<std::string> findings();
    // Destroys all, then looks with own eyes: processes, groups, mounts, interfaces, tables, files.
    std::vector<std::string> leavings();

    Nursery& nursery() { return nursery_; }

    const std::string& directory() const { return directory_; }

    const std::string& rootfs() const { return rootfs_; }

    const std::string& state() const { return state_; }

    const std::string& store() const { return store_; }

    const std::string& socket() const { return socket_; }

    const std::string& tag() const { return tag_; }

    std::string log_tail(std::size_t bytes = 4096) const;

  private:
    std::vector<std::string> arguments() const;
    void remove_files();

    DaemonOptions options_;
    std::string tag_;
    base::Fd tag_lock_;
    std::string directory_, rootfs_, state_, store_, socket_, log_;
    Nursery nursery_;
    std::atomic<pid_t> pid_{0};
    std::unique_ptr<garden::api::Client> client_;
};

// A busybox root file system, owned by root, with alice (1001:1010).
void make_rootfs(const std::string& path);

}  // namespace test
