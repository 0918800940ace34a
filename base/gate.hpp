// Gate: how many may be inside at once, in all and per key; who finds it full is refused, never
// queued. Used by servers to keep one slow name (a hung container, a dead registry) from taking
// every worker.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace base {

class Gate {
  public:
    struct Config {
        std::string name;  // "creates"
        std::size_t total = 64;
        std::size_t per_key = 16;
    };

    class [[nodiscard]] Pass {
      public:
        Pass(Pass&& other) noexcept
            : gate_(std::exchange(other.gate_, nullptr)), key_(std::move(other.key_)) {}

        Pass& operator=(Pass&&) = delete;
        Pass(const Pass&) = delete;
        Pass& operator=(const Pass&) = delete;

        ~Pass() {
            if (gate_ != nullptr) gate_->leave(key_);
        }

      private:
        friend class Gate;

        Pass(Gate* gate, std::string key) : gate_(gate), key_(std::move(key)) {}

        Gate* gate_;
        std::string key_;
    };

    struct Figures {
        std::size_t inside = 0;
        std::size_t keys = 0;
        std::uint64_t refused = 0;
    };

    explicit Gate(Config config) : config_(std::move(config)) {}

    // Errc::unavailable names the gate, the key and the limit.
    Result<Pass> enter(const std::string& key);
    Figures figures() const;

    const std::string& name() const { return config_.name; }

  private:
    void leave(const std::string& key);

    const Config config_;
    mutable std::mutex mutex_;
    std::map<std::string, std::size_t> inside_;
    std::size_t total_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace base
