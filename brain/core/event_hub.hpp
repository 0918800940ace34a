// EventHub: hands every durable event to every reader, in order; who is too slow is cut off and
// lists again (receptor-api §10). Used by brain/core. Safe from any thread.
#pragma once

#include "brain/api/public_brain.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace brain::core {

inline constexpr std::size_t kMaxEventReaders = 1'024;

class EventHub {
  public:
    EventHub();
    ~EventHub();  // ends every stream; streams may outlive it

    base::Result<std::unique_ptr<api::EventStream>> subscribe();  // Errc::exhausted
    void publish(const std::vector<api::Event>& events);
    void end(const std::string& why);

    std::size_t readers() const;

    std::uint64_t dropped_readers() const { return dropped_; }

  private:
    struct Buffer;
    class Stream;

    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<Buffer>> buffers_;
    std::string ended_;  // why; "" while it lives
    std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace brain::core
