#include "brain/callbacks/callbacks.hpp"

#include "base/fail.hpp"
#include "base/http/url.hpp"
#include "base/json_writer.hpp"

#include <errno.h>

#include <algorithm>

namespace brain::callbacks {

namespace {

// Tried again, back to back: the server is not ready, as it says itself.
bool is_not_ready(int status) {
    return status == 503 || status == 504;
}

// A timeout, or a connection that was made and then closed; one that cannot be made gives up.
bool is_worth_another(const base::Error& error) {
    if (error.kind == base::Errc::timeout) return true;
    return error.kind == base::Errc::unavailable &&
           (error.sys == ECONNRESET || error.sys == EPIPE ||
            error.text.find("closed the connection") != std::string::npos ||
            error.text.find("connection ended") != std::string::npos);
}

// Callbacks to one server share their fate, whatever the path.
std::string server_of(const std::string& text) {
    const auto url = base::http::parse_url(text);
    return url ? url->endpoint.text() : std::string();
}

}  // namespace

std::string body_of(const api::Task& task) {
    base::json::Writer w;
    w.begin_object().member("task_guid", task.task_guid).member("failed", task.failed);
    w.member("failure_reason", task.failure_reason).member("result", task.result);
    w.member_unless_zero("annotation", task.task_definition.definition.annotation);
    w.member("created_at", task.created_at).end_object();
    return w.take();
}

Callbacks::Callbacks(api::PublicBrain& brain, Settings settings)
    : brain_(brain), settings_(std::move(settings)) {}

Callbacks::~Callbacks() {
    stop();
}

base::Result<void> Callbacks::submit(const api::TaskPtr& task) {
    const auto& url = task->task_definition.completion_callback_url;
    if (url.empty()) return base::ok;
    const auto server = server_of(url);
    const std::lock_guard lock(mutex_);
    if (stop_.stop_requested()) return base::fail(base::Errc::cancelled, "callbacks have stopped");
    if (known_.contains(task->task_guid)) return base::ok;
    if (queued_ >= settings_.queue) {
        ++figures_.refused;
        return base::fail(
                base::Errc::exhausted, "callbacks: {} wait, the limit is {}", queued_,
                settings_.queue);
    }
    auto found = by_server_.find(server);
    if (found == by_server_.end()) {
        lanes_.push_back(Lane{.server = server, .waiting = {}});
        found = by_server_.emplace(server, std::prev(lanes_.end())).first;
    }
    found->second->waiting.push_back(task);
    known_.insert(task->task_guid);
    ++queued_;
    // A waiting thread counts as idle until it wakes: one for each that waits.
    if (idle_ < queued_ && threads_.size() < settings_.threads)
        threads_.emplace_back(&Callbacks::work, this);
    wake_.notify_one();
    return base::ok;
}

std::list<Callbacks::Lane>::iterator Callbacks::next_lane() {
    return std::ranges::find_if(lanes_, [this](const Lane& lane) {
        return !lane.waiting.empty() && lane.running < settings_.per_server;
    });
}

void Callbacks::leave(std::list<Lane>::iterator lane, const std::string& guid) {
    known_.erase(guid);
    --figures_.running;
    --lane->running;
    if (lane->running == 0 && lane->waiting.empty()) {
        by_server_.erase(lane->server);
        lanes_.erase(lane);
    }
    wake_.notify_one();  // its place may be what another of this server has waited for
}

void Callbacks::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        auto lane = lanes_.end();
        ++idle_;
        wake_.wait(lock, [&] {
            lane = next_lane();
            return stop_.stop_requested() || lane != lanes_.end();
        });
        --idle_;
        if (stop_.stop_requested()) return;
        const auto task = std::move(lane->waiting.front());
        lane->waiting.pop_front();
        ++lane->running;
        --queued_;
        ++figures_.running;
        lanes_.splice(lanes_.end(), lanes_, lane);  // its turn is over
        lock.unlock();
        // Refused: deleted, or another brain tells it.
        const bool ours = static_cast<bool>(brain_.resolve_task(task->task_guid));
        const bool told = ours && tell(*task);
        // An error leaves a RESOLVING task, which the converger takes up again.
        const bool deleted = told && brain_.delete_task(task->task_guid);
        lock.lock();
        figures_.skipped += ours ? 0 : 1;
        figures_.delivered += deleted ? 1 : 0;
        figures_.failed += ours && !deleted ? 1 : 0;
        leave(lane, task->task_guid);
    }
}

bool Callbacks::tell(const api::Task& task) const {
    auto url = base::http::parse_url(task.task_definition.completion_callback_url);
    if (!url) return false;
    url->endpoint.tls = settings_.tls;
    base::http::Client client(
            {.endpoint = url->endpoint,
             .connect_timeout = settings_.timeout,
             .idle_connections = 0});
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        base::http::ClientRequest request;
        request.method = "POST";
        request.target = url->target;
        request.headers.set("Host", url->host_header());
        request.headers.set("Content-Type", "application/json");
        if (!url->authorization.empty()) request.headers.set("Authorization", url->authorization);
        request.body = body_of(task);
        request.timeout = settings_.timeout;
        request.stop = stop_.get_token();
        // The status is all that matters: a body is not read.
        const auto answer = client.open(std::move(request));
        if (answer && !is_not_ready(answer->status())) return true;
        if (!answer && !is_worth_another(answer.error())) return false;
    }
    return false;
}

Figures Callbacks::figures() const {
    const std::lock_guard lock(mutex_);
    auto figures = figures_;
    figures.queued = queued_;
    return figures;
}

void Callbacks::stop() {
    std::vector<std::thread> threads;
    {
        // Under the lock: no thread is between its look at the stop and its wait, none is made.
        const std::lock_guard lock(mutex_);
        (void)stop_.request_stop();
        threads.swap(threads_);
        for (auto& lane : lanes_) {
            for (const auto& task : lane.waiting) known_.erase(task->task_guid);
            lane.waiting.clear();
        }
        queued_ = 0;
        wake_.notify_all();
    }
    for (auto& thread : threads) thread.join();
}

}  // namespace brain::callbacks
