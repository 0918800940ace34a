#include "executor/logs/hub.hpp"

#include "base/fail.hpp"
#include "executor/logs/stored_stream.hpp"

namespace executor {

namespace {

base::Error unknown(std::string_view container) {
    return base::fail(base::Errc::not_found, "container {}: no log", container.substr(0, 200));
}

class Follower final : public LogFollower {
  public:
    Follower(std::shared_ptr<LogHub::Stream> stream, std::shared_ptr<LogHub::Stream::Reader> reader)
        : stream_(std::move(stream)), reader_(std::move(reader)) {}

    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

    ~Follower() override { stream_->remove_reader(*reader_); }

    base::Result<std::optional<api::LogRecord>> next(std::chrono::milliseconds timeout) override {
        return stream_->next(*reader_, timeout);
    }

    void close() override { stream_->close_reader(*reader_); }

  private:
    std::shared_ptr<LogHub::Stream> stream_;  // owners: the hub and all who use it
    std::shared_ptr<LogHub::Stream::Reader> reader_;
};

}  // namespace

LogHub::LogHub(const base::Clock& clock, LogHubConfig config) : clock_(clock), config_(config) {}

LogHub::~LogHub() {
    for (const auto& [container, stream] : streams_) stream->close();
}

std::shared_ptr<LogStream> LogHub::open(
        const std::string& container, const api::LogConfig& config, std::int64_t rate_limit) {
    std::shared_ptr<Stream> stream;
    {
        const std::lock_guard lock(mutex_);
        auto& place = streams_[container];
        if (!place) place = std::make_shared<Stream>(clock_, config_);
        stream = place;
    }
    stream->configure(config, rate_limit);
    return stream;
}

std::shared_ptr<LogHub::Stream> LogHub::find(std::string_view container) const {
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(container);
    return found == streams_.end() ? nullptr : found->second;
}

base::Result<std::vector<api::LogRecord>> LogHub::recent(
        std::string_view container, std::size_t count) const {
    const auto stream = find(container);
    if (!stream) return unknown(container);
    return stream->recent(count);
}

base::Result<std::unique_ptr<LogFollower>> LogHub::follow(
        std::string_view container, std::size_t recent) {
    const auto stream = find(container);
    if (!stream) return unknown(container);
    auto reader = stream->add_reader(recent);
    if (!reader)
        return std::move(reader).error().context(
                base::format("follow the log of {}", container.substr(0, 200)));
    return std::unique_ptr<LogFollower>(
            std::make_unique<Follower>(stream, std::move(reader).value()));
}

base::Result<void> LogHub::update_tags(std::string_view container, const api::Tags& tags) {
    const auto stream = find(container);
    if (!stream) return unknown(container);
    stream->update_tags(tags);
    return base::ok;
}

base::Result<LogFigures> LogHub::figures(std::string_view container) const {
    const auto stream = find(container);
    if (!stream) return unknown(container);
    return stream->figures();
}

std::vector<std::string> LogHub::containers() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [container, stream] : streams_) out.push_back(container);
    return out;
}

void LogHub::close(std::string_view container) {
    std::shared_ptr<Stream> stream;
    {
        const std::lock_guard lock(mutex_);
        const auto found = streams_.find(container);
        if (found == streams_.end()) return;
        stream = std::move(found->second);
        streams_.erase(found);
    }
    stream->close();
}

}  // namespace executor
