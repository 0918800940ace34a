// The least HTTP that the Garden API needs: one call per connection, and the hijacked process
// streams. Used by client.cpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

struct Answer {
    int status = 0;
    std::string body;
};

class Garden {
  public:
    // `network` of every container made: "" or "none".
    Garden(std::string socket, std::string network)
        : socket_(std::move(socket)), network_(std::move(network)) {}

    base::Result<Answer> call(
            const std::string& method, const std::string& path, const std::string& body) const;
    base::Result<std::string> create(const std::string& rootfs) const;  // handle
    base::Result<void> destroy(const std::string& handle) const;
    // Runs a program and waits for its exit code. `output`: also reads its stdout to the end and
    // adds up the bytes.
    base::Result<int> run(
            const std::string& handle,
            const std::vector<std::string>& argv,
            std::uint64_t* output) const;

  private:
    base::Result<base::Fd> connect() const;
    std::string socket_;
    std::string network_;
};

}  // namespace bench
