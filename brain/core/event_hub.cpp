#include "brain/core/event_hub.hpp"

#include "base/fail.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>

namespace brain::core {

using base::Errc;

// Owned by the hub and by its reader, whichever lives longer.
struct EventHub::Buffer {
    std::mutex mutex;
    std::condition_variable filled;
    std::deque<api::Event> events;
    std::string ended;       // why nothing follows
    bool abandoned = false;  // the reader has gone

    // False: the reader was too slow or has gone.
    bool push(const std::vector<api::Event>& more) {
        const std::lock_guard lock(mutex);
        if (abandoned) return false;
        if (events.size() + more.size() > api::kMaxQueuedEvents) {
            end_locked(
                    "the reader was too slow: more than " + std::to_string(api::kMaxQueuedEvents) +
                    " events were waiting");
            return false;
        }
        events.insert(events.end(), more.begin(), more.end());
        filled.notify_one();
        return true;
    }

    void end(const std::string& why) {
        const std::lock_guard lock(mutex);
        end_locked(why);
    }

    void end_locked(const std::string& why) {
        ended = why;
        filled.notify_all();
    }
};

class EventHub::Stream final : public api::EventStream {
  public:
    explicit Stream(std::shared_ptr<Buffer> buffer) : buffer_(std::move(buffer)) {}

    ~Stream() override {
        const std::lock_guard lock(buffer_->mutex);
        buffer_->abandoned = true;
        buffer_->events.clear();
    }

    base::Result<std::optional<api::Event>> next(std::chrono::milliseconds patience) override {
        std::unique_lock lock(buffer_->mutex);
        buffer_->filled.wait_for(lock, patience, [&] {
            return !buffer_->events.empty() || !buffer_->ended.empty();
        });
        // What was queued before the end is still told: it is durable.
        if (!buffer_->events.empty()) {
            auto event = std::move(buffer_->events.front());
            buffer_->events.pop_front();
            return std::optional<api::Event>(std::move(event));
        }
        if (!buffer_->ended.empty())
            return base::fail(Errc::cancelled, "no more events: {}", buffer_->ended);
        return std::optional<api::Event>();
    }

  private:
    std::shared_ptr<Buffer> buffer_;
};

EventHub::EventHub() = default;

EventHub::~EventHub() {
    end("the brain has stopped");
}

base::Result<std::unique_ptr<api::EventStream>> EventHub::subscribe() {
    const std::lock_guard lock(mutex_);
    if (!ended_.empty()) return base::fail(Errc::unavailable, "no more events: {}", ended_);
    if (buffers_.size() >= kMaxEventReaders)
        return base::fail(
                Errc::exhausted, "{} readers of events are connected: the limit", kMaxEventReaders);
    auto buffer = std::make_shared<Buffer>();
    buffers_.push_back(buffer);
    return std::unique_ptr<api::EventStream>(std::make_unique<Stream>(std::move(buffer)));
}

void EventHub::publish(const std::vector<api::Event>& events) {
    if (events.empty()) return;
    const std::lock_guard lock(mutex_);
    std::erase_if(buffers_, [&](const auto& buffer) {
        if (buffer->push(events)) return false;
        if (!buffer->abandoned) ++dropped_;
        return true;
    });
}

void EventHub::end(const std::string& why) {
    const std::lock_guard lock(mutex_);
    ended_ = why;
    for (const auto& buffer : buffers_) buffer->end(why);
    buffers_.clear();
}

std::size_t EventHub::readers() const {
    const std::lock_guard lock(mutex_);
    return buffers_.size();
}

}  // namespace brain::core
