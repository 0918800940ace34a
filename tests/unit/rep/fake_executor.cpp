#include "tests/unit/rep/fake_executor.hpp"

#include "base/fail.hpp"

#include <algorithm>

namespace test {

namespace {

using executor::api::Event;
using executor::api::EventKind;
using executor::api::make_error;

class Source final : public executor::api::EventSource {
  public:
    explicit Source(std::shared_ptr<FakeExecutor::Subscriber> s) : s_(std::move(s)) {}

    base::Result<Event> next(std::chrono::milliseconds timeout) override {
        std::unique_lock lock(s_->mutex);
        s_->changed.wait_for(lock, timeout, [&] {
            return s_->closed || s_->fell_behind || !s_->events.empty();
        });
        if (s_->closed) return base::fail(base::Errc::cancelled, "closed");
        if (s_->fell_behind) return base::fail(base::Errc::exhausted, "too far behind");
        if (s_->events.empty()) return base::fail(base::Errc::timeout, "no event");
        auto event = std::move(s_->events.front());
        s_->events.pop_front();
        return event;
    }

    void close() override {
        const std::lock_guard lock(s_->mutex);
        s_->closed = true;
        s_->changed.notify_all();
    }

  private:
    std::shared_ptr<FakeExecutor::Subscriber> s_;
};

// In small pieces, as from a socket.
class Stream final : public executor::api::FileStream {
  public:
    explicit Stream(std::string data) : data_(std::move(data)) {}

    base::Result<std::size_t> read_some(std::span<char> into) override {
        const auto n = std::min({into.size(), data_.size() - at_, std::size_t{700}});
        std::copy_n(data_.data() + at_, n, into.data());
        at_ += n;
        return n;
    }

  private:
    std::string data_;
    std::size_t at_ = 0;
};

}  // namespace

base::Result<void> FakeExecutor::here() const {
    if (away) return base::fail(base::Errc::unavailable, "the executor is away");
    return base::ok;
}

void FakeExecutor::emit(EventKind kind, const Container& c) {
    for (const auto& s : subscribers_) {
        const std::lock_guard lock(s->mutex);
        s->events.push_back({.kind = kind, .container = c});
        s->changed.notify_all();
    }
}

void FakeExecutor::put(Container c) {
    const std::lock_guard lock(mutex_);
    auto guid = c.guid;
    containers_.insert_or_assign(std::move(guid), std::move(c));
}

void FakeExecutor::set(const std::string& guid, State state, bool event) {
    const std::lock_guard lock(mutex_);
    auto& c = containers_.at(guid);
    c.state = state;
    if (state == State::running) {
        c.routable = true;
        c.external_ip = "10.0.0.1";
        c.internal_ip = "10.255.0.1";
        for (auto& port : c.info.ports)
            port.host_port = static_cast<std::uint16_t>(60'000 + port.container_port % 1'000);
    }
    if (event && state == State::running) emit(EventKind::running, c);
}

void FakeExecutor::complete(const std::string& guid, executor::api::RunResult result, bool event) {
    const std::lock_guard lock(mutex_);
    auto& c = containers_.at(guid);
    c.state = State::completed;
    result.stopped = result.stopped || c.run_result.stopped;
    c.run_result = std::move(result);
    if (event) emit(EventKind::complete, c);
}

void FakeExecutor::put_file(const std::string& guid, const std::string& path, std::string tar) {
    const std::lock_guard lock(mutex_);
    files_[{guid, path}] = std::move(tar);
}

void FakeExecutor::release() {
    const std::lock_guard lock(mutex_);
    hang_remove = false;
    released_now_ = true;
    released_.notify_all();
}

void FakeExecutor::drop_subscribers() {
    const std::lock_guard lock(mutex_);
    for (const auto& s : subscribers_) {
        const std::lock_guard inner(s->mutex);
        s->fell_behind = true;
        s->changed.notify_all();
    }
    subscribers_.clear();
}

std::vector<std::string> FakeExecutor::said() const {
    const std::lock_guard lock(mutex_);
    return said_;
}

executor::api::RunInfo FakeExecutor::info(const std::string& guid) const {
    const std::lock_guard lock(mutex_);
    return containers_.at(guid).info;
}

executor::api::Resources FakeExecutor::remaining() const {
    auto out = total;
    for (const auto& [guid, c] : containers_) {
        out.memory_mb -= c.memory_mb;
        out.disk_mb -= c.disk_mb;
        out.containers -= 1;
    }
    return out;
}

base::Result<std::vector<executor::api::AllocationFailure>> FakeExecutor::allocate(
        const std::vector<executor::api::AllocationRequest>& requests) {
    TRY(here());
    const std::lock_guard lock(mutex_);
    std::vector<executor::api::AllocationFailure> failures;
    for (const auto& request : requests) {
        const auto left = remaining();
        const auto refuse = [&](std::string_view name) {
            const auto error = make_error(name);
            failures.push_back(
                    {.request = request, .name = std::string(name), .message = error.text});
        };
        if (containers_.contains(request.guid)) {
            refuse(executor::api::kContainerGuidNotAvailable);
        } else if (
                left.containers < 1 || left.memory_mb < request.memory_mb ||
                left.disk_mb < request.disk_mb) {
            refuse(executor::api::kInsufficientResources);
        } else {
            Container c;
            c.guid = request.guid;
            c.memory_mb = request.memory_mb;
            c.disk_mb = request.disk_mb;
            c.max_pids = request.max_pids;
            c.tags = request.tags;
            c.state = State::reserved;
            containers_[c.guid] = c;
            emit(EventKind::reserved, c);
        }
    }
    return failures;
}

base::Result<void> FakeExecutor::run(const executor::api::RunRequest& request) {
    TRY(here());
    const std::lock_guard lock(mutex_);
    if (refuse_run) return make_error(executor::api::kStepsInvalid);
    const auto found = containers_.find(request.guid);
    if (found == containers_.end()) return make_error(executor::api::kContainerNotFound);
    auto& c = found->second;
    if (c.state != State::reserved) return make_error(executor::api::kInvalidStateTransition);
    c.state = State::initializing;
    c.info = request.info;
    for (const auto& [name, value] : request.tags) c.tags[name] = value;
    ++runs;
    return base::ok;
}

base::Result<void> FakeExecutor::update(const executor::api::UpdateRequest& request) {
    TRY(here());
    const std::lock_guard lock(mutex_);
    const auto found = containers_.find(request.guid);
    if (found == containers_.end()) return make_error(executor::api::kContainerNotFound);
    found->second.info.internal_routes = request.internal_routes;
    found->second.info.metrics_config.tags = request.metric_tags;
    return base::ok;
}

base::Result<void> FakeExecutor::stop(std::string_view guid) {
    TRY(here());
    const std::lock_guard lock(mutex_);
    const auto found = containers_.find(guid);
    if (found == containers_.end()) return make_error(executor::api::kContainerNotFound);
    auto& c = found->second;
    c.run_result.stopped = true;
    c.state = State::completed;
    emit(EventKind::complete, c);
    return base::ok;
}

base::Result<void> FakeExecutor::remove(std::string_view guid) {
    TRY(here());
    std::unique_lock lock(mutex_);
    if (hang_remove) released_.wait(lock, [&] { return released_now_; });
    const auto found = containers_.find(guid);
    if (found == containers_.end()) return make_error(executor::api::kContainerNotFound);
    containers_.erase(found);
    ++removes;
    return base::ok;
}

base::Result<Container> FakeExecutor::get(std::string_view guid) {
    TRY(here());
    const std::lock_guard lock(mutex_);
    const auto found = containers_.find(guid);
    if (found == containers_.end()) return make_error(executor::api::kContainerNotFound);
    return found->second;
}

base::Result<std::vector<Container>> FakeExecutor::list(const executor::api::Tags& tags) {
    TRY(here());
    ++lists;
    const std::lock_guard lock(mutex_);
    std::vector<Container> out;
    for (const auto& [guid, c] : containers_) {
        const auto has = [&](const auto& wanted) {
            const auto found = c.tags.find(wanted.first);
            return found != c.tags.end() && found->second == wanted.second;
        };
        if (std::ranges::all_of(tags, has)) out.push_back(c);
    }
    return out;
}

base::Result<std::map<std::string, executor::api::ContainerMetrics>> FakeExecutor::metrics(
        const executor::api::Tags& tags) {
    std::map<std::string, executor::api::ContainerMetrics> out;
    for (const auto& c : TRY(list(tags))) {
        executor::api::ContainerMetrics m;
        m.memory_usage_in_bytes = 1'000;
        m.time_spent_in_cpu = 500;
        m.container_age_in_ns = 1'000;
        out[c.guid] = m;
    }
    return out;
}

base::Result<executor::api::Resources> FakeExecutor::remaining_resources() {
    TRY(here());
    const std::lock_guard lock(mutex_);
    return remaining();
}

base::Result<executor::api::Resources> FakeExecutor::total_resources() {
    TRY(here());
    return total;
}

base::Result<std::unique_ptr<executor::api::FileStream>> FakeExecutor::files(
        std::string_view guid, std::string_view path) {
    TRY(here());
    const std::lock_guard lock(mutex_);
    const auto found = files_.find({std::string(guid), std::string(path)});
    if (found == files_.end()) return base::fail(base::Errc::not_found, "no such file");
    return std::unique_ptr<executor::api::FileStream>(std::make_unique<Stream>(found->second));
}

base::Result<std::unique_ptr<executor::api::EventSource>> FakeExecutor::subscribe() {
    TRY(here());
    auto s = std::make_shared<Subscriber>();
    const std::lock_guard lock(mutex_);
    subscribers_.push_back(s);
    return std::unique_ptr<executor::api::EventSource>(std::make_unique<Source>(s));
}

void FakeExecutor::say(std::string_view guid, std::string_view line) {
    const std::lock_guard lock(mutex_);
    (void)guid;
    said_.emplace_back(line);
}

std::string tar_of(const std::string& name, const std::string& content) {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    const auto size = fmt::format("{:011o}", content.size());
    header.replace(124, size.size(), size);
    header[156] = '0';
    auto out = header + content;
    out.resize((out.size() + 511) / 512 * 512);
    return out + std::string(1024, '\0');
}

}  // namespace test
