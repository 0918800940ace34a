// Things that go wrong on a host, made on purpose: small disks, mounts and servers that never
// answer. Used by tests/e2e.
#pragma once

#include "base/fd.hpp"
#include "tests/e2e/nursery.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace test {

// A file system of its own with little room; gone with the object.
class SmallDisk {
  public:
    enum class Kind { tmpfs, ext4, btrfs };
    SmallDisk(Kind kind, unsigned mebibytes);
    ~SmallDisk();
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    const std::string& path() const { return path_; }

    void fill();  // to the last block
    void free();

  private:
    std::string directory_;
    std::string path_;
};

// A FUSE mount whose server never answers: everything that looks below it waits.
class HungMount {
  public:
    explicit HungMount(const std::string& path);  // an existing directory
    ~HungMount();
    HungMount(const HungMount&) = delete;
    HungMount& operator=(const HungMount&) = delete;

    void release();  // who waits gets an error

  private:
    std::string path_;
    base::Fd device_;
};

// Accepts connections in the nursery's network (by its backlog) and never says a word.
class HungServer {
  public:
    explicit HungServer(Nursery& nursery);

    std::uint16_t port() const { return port_; }

    void release() { socket_.reset(); }  // connections are reset

  private:
    base::Fd socket_;
    std::uint16_t port_ = 0;
};

// Runs a program and returns its exit status.
int run_command(const std::vector<std::string>& argv);

}  // namespace test
