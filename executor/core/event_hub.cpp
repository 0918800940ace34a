#include "executor/core/event_hub.hpp"

#include "base/fail.hpp"

namespace executor {

class EventHub::Subscription final : public api::EventSource {
  public:
    Subscription(std::shared_ptr<Members> members, std::shared_ptr<Queue> queue)
        : members_(std::move(members)), queue_(std::move(queue)) {}

    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

    ~Subscription() override {
        const std::lock_guard lock(members_->mutex);
        members_->queues.erase(queue_);
    }

    base::Result<api::Event> next(std::chrono::milliseconds timeout) override {
        std::unique_lock lock(queue_->mutex);
        const auto something = [&] {
            return queue_->closed || queue_->behind || !queue_->events.empty();
        };
        if (!queue_->wake.wait_for(lock, timeout, something))
            return base::fail(base::Errc::timeout, "no event");
        if (queue_->behind)
            return base::fail(
                    base::Errc::exhausted, "more than {} events behind", api::kMaxEventsBehind);
        if (queue_->events.empty()) return base::fail(base::Errc::cancelled, "closed");
        const auto event = std::move(queue_->events.front());
        queue_->events.pop_front();
        return *event;
    }

    void close() override {
        const std::lock_guard lock(queue_->mutex);
        queue_->closed = true;
        queue_->wake.notify_all();
    }

  private:
    std::shared_ptr<Members> members_;
    std::shared_ptr<Queue> queue_;
};

void EventHub::publish(api::EventKind kind, const api::Container& container) {
    const std::lock_guard members(members_->mutex);
    if (members_->queues.empty()) return;
    const auto event =
            std::make_shared<const api::Event>(api::Event{.kind = kind, .container = container});
    for (const auto& queue : members_->queues) {
        const std::lock_guard lock(queue->mutex);
        if (queue->behind || queue->closed) continue;
        if (queue->events.size() < api::kMaxEventsBehind) {
            queue->events.push_back(event);
        } else {
            queue->behind = true;
            queue->events.clear();
        }
        queue->wake.notify_all();
    }
}

base::Result<std::unique_ptr<api::EventSource>> EventHub::subscribe() {
    const std::lock_guard lock(members_->mutex);
    if (members_->closed) return base::fail(base::Errc::cancelled, "the executor is stopping");
    if (members_->queues.size() >= kMaxSubscribers)
        return base::fail(
                base::Errc::unavailable, "{} subscribers already, the limit", kMaxSubscribers);
    auto queue = std::make_shared<Queue>();
    members_->queues.insert(queue);
    std::unique_ptr<api::EventSource> source = std::make_unique<Subscription>(members_, queue);
    return source;
}

void EventHub::close() {
    const std::lock_guard members(members_->mutex);
    members_->closed = true;
    for (const auto& queue : members_->queues) {
        const std::lock_guard lock(queue->mutex);
        queue->closed = true;
        queue->wake.notify_all();
    }
}

}  // namespace executor
