// An engine of its own for a test: own network namespace, own directories, own cgroup parent, a
// busybox root file system. Used by tests/kernel/engine only.
#pragma once

#include "garden/engine/engine.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace test {

class EngineFixture {
  public:
    EngineFixture();
    ~EngineFixture();  // destroys every container, and fails the test when doctor finds something

    garden::Engine& engine() { return *engine_; }

    // What a restart of gardend does to the engine; the shims stay.
    void restart();
    void stop();
    void start();  // after stop(), with config()

    garden::EngineConfig& config() { return config_; }

    garden::ContainerSpec spec(const std::string& handle) const;
    garden::Handle create(const std::string& handle);

    struct Output {
        std::int32_t exit_code = -1;
        std::string out;
        std::string err;
    };

    // Runs to the end and collects everything.
    Output
    run(const garden::Handle& handle, std::vector<std::string> argv, const std::string& user = "");
    Output finish(const garden::Handle& handle, const garden::Attachment& attachment);
    std::int32_t wait(const garden::Handle& handle, const std::string& process_id);
    std::vector<std::string> findings();  // doctor's, printable

    static garden::ProcessSpec process(std::vector<std::string> argv, const std::string& user = "");

    const std::string& rootfs() const { return rootfs_; }

  private:
    std::string directory_;
    std::string rootfs_;
    garden::EngineConfig config_;
    std::unique_ptr<garden::Engine> engine_;
};

}  // namespace test
