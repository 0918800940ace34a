#include "brain/store/etcd_watch.hpp"

#include "base/fail.hpp"
#include "brain/store/keyspace.hpp"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>

namespace brain::store {

namespace {

// Silence after which it is asked whether the endpoint still tells everything.
constexpr std::chrono::milliseconds kSilence{2'000};

}  // namespace

base::Result<std::unique_ptr<Store::Watch>> EtcdWatch::open(
        std::shared_ptr<EtcdClient> client, Plan plan) {
    auto watch = std::make_unique<EtcdWatch>(std::move(client), std::move(plan));
    auto* self = watch.get();
    std::promise<base::Result<void>> begun;
    auto answer = begun.get_future();
    // The stream belongs to the thread's stop token, so it is the thread that opens it.
    watch->thread_ =
            std::jthread([self, begun = std::move(begun)](const std::stop_token& stop) mutable {
                auto opened = self->open_again(0, stop);
                const bool good = opened.has_value();
                if (good) self->next_ = self->stream_->begun() + 1;
                begun.set_value(std::move(opened));
                if (good) self->loop(stop);
            });
    TRY(answer.get().context("watch"));
    return std::unique_ptr<Store::Watch>(std::move(watch));
}

void EtcdWatch::loop(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto done = step(stop);
        if (done || stop.stop_requested()) continue;
        plan_.broken(done.error());
        return;
    }
}

base::Result<void> EtcdWatch::step(const std::stop_token& stop) {
    auto news = stream_->next(kSilence);
    if (news) return take(std::move(news).value());
    if (news.error().kind == base::Errc::timeout) return look_after_silence(stop);
    if (news.error().kind == base::Errc::exhausted) return std::move(news).error();
    return open_again(stream_->endpoint() + 1, stop);
}

base::Result<void> EtcdWatch::take(EtcdNews news) {
    if (news.cancelled)
        return base::fail(
                base::Errc::unavailable, "etcd ended the watch: {}",
                news.compact_revision != 0
                        ? base::format("revisions before {} are compacted", news.compact_revision)
                        : news.reason);
    for (auto& event : news.events) {
        fragment_bytes_ += event.key.size() + (event.value ? event.value->size() : 0);
        fragments_.push_back(std::move(event));
    }
    if (fragment_bytes_ > kMaxFragments)
        return base::fail(
                base::Errc::exhausted, "events of one moment: over {} bytes", kMaxFragments);
    if (news.fragment) return base::ok;
    for (auto& event : fragments_) {
        next_ = std::max(next_, event.revision + 1);
        std::string_view key = event.key;
        if (!key.starts_with(plan_.data)) continue;
        key.remove_prefix(plan_.data.size());
        if (!key.starts_with(plan_.prefix)) continue;
        plan_.seen(Change{.key = std::string(key), .value = std::move(event.value)});
    }
    fragments_.clear();
    fragment_bytes_ = 0;
    return base::ok;
}

// A stopped or cut off endpoint is silent, too, and etcd tells of its progress every ten minutes
// only. Every commit writes the marker: when that is newer than what was told, this endpoint does
// not tell any more.
base::Result<void> EtcdWatch::look_after_silence(const std::stop_token& stop) {
    const auto marker = client_->range({.key = plan_.marker, .end = {}}, stop);
    // Nobody can be asked, so nothing can be committed either; the next silence asks again.
    if (!marker) return base::ok;
    const auto written = marker->records.empty() ? 0 : marker->records.front().mod_revision;
    if (written >= next_) return open_again(stream_->endpoint() + 1, stop);
    // Nothing of ours up to here: a compaction of it breaks nothing.
    next_ = std::max(next_, marker->revision + 1);
    return base::ok;
}

base::Result<void> EtcdWatch::open_again(std::size_t first, const std::stop_token& stop) {
    const auto deadline = std::chrono::steady_clock::now() + client_->config().timeout * 3;
    for (;;) {
        stream_.reset();
        fragments_.clear();
        fragment_bytes_ = 0;
        auto stream = EtcdStream::open(
                *client_, plan_.all, end_of_prefix(plan_.all).value_or(std::string(1, '\0')), next_,
                first, stop);
        if (stream) {
            stream_.emplace(std::move(stream).value());
            return base::ok;
        }
        if (stop.stop_requested() || std::chrono::steady_clock::now() >= deadline || next_ == 0)
            return std::move(stream).error();
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any changed;
        // Until the next try, or the end.
        (void)changed.wait_for(lock, stop, std::chrono::milliseconds{100}, [] { return false; });
    }
}

}  // namespace brain::store
