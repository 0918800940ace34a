// Real etcd-server processes on loopback, with ports and directories of their own; and a proxy that
// loses what goes through it. They end with the test, however that ends. Used by the tests of
// brain/store.
#pragma once

#include "base/fd.hpp"
#include "brain/store/store.hpp"
#include "tests/unit/brain_store/drivers.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace test {

struct EtcdShape {
    int members = 1;
    std::vector<std::string> arguments;  // further ones
    std::string scheme = "http";
};

class EtcdServers {
  public:
    explicit EtcdServers(EtcdShape shape = {});
    ~EtcdServers();
    EtcdServers(const EtcdServers&) = delete;
    EtcdServers& operator=(const EtcdServers&) = delete;

    const std::vector<std::string>& endpoints() const { return endpoints_; }

    std::uint16_t port(std::size_t member) const { return ports_[member]; }

    void start(std::size_t member);
    void kill(std::size_t member);  // -9, and reaped
    void pause(std::size_t member);
    void resume(std::size_t member);
    void wait_until_ready();
    // etcdctl on the first member; its output.
    std::string control(const std::vector<std::string>& arguments);

  private:
    struct Member {
        std::vector<std::string> arguments;
        base::Fd process;
    };

    EtcdShape shape_;
    TemporaryDirectory directory_;
    std::vector<Member> members_;
    std::vector<std::string> endpoints_;
    std::vector<std::uint16_t> ports_;
};

// Passes connections on to one port, until it is told otherwise.
class LossyProxy {
  public:
    enum class Mode { pass, lose_answers, refuse };

    explicit LossyProxy(std::uint16_t to);
    ~LossyProxy();
    LossyProxy(const LossyProxy&) = delete;
    LossyProxy& operator=(const LossyProxy&) = delete;

    void set(Mode mode) { mode_ = mode; }

    std::string endpoint() const;

    std::uint64_t lost() const { return lost_; }  // answers

  private:
    void accept_all(const std::stop_token& stop);
    void pass(const std::stop_token& stop, base::Fd client);

    std::uint16_t to_;
    std::uint16_t port_ = 0;
    base::Fd listening_;
    std::atomic<Mode> mode_ = Mode::pass;
    std::atomic<std::uint64_t> lost_ = 0;
    std::vector<std::jthread> connections_;  // of the accepting thread
    std::jthread thread_;
};

}  // namespace test
