#include "executor/logs/stored_stream.hpp"

#include "base/fail.hpp"

#include <algorithm>

namespace executor {

namespace {

constexpr std::chrono::seconds kRateWindow{5};
constexpr std::string_view kDefaultSource = "LOG";  // executor-rep §5.12

std::size_t index_of(LogKind kind) {
    return kind == LogKind::out ? 0 : 1;
}

}  // namespace

api::LogRecord to_record(const StoredLine& line) {
    return {.sequence = line.sequence,
            .time_ns = line.time_ns,
            .kind = line.kind,
            .source = line.labels->source,
            .text = line.text,
            .tags = line.labels->tags};
}

std::size_t LineQueue::push(LinePtr line) {
    bytes_ += line->cost();
    lines_.push_back(std::move(line));
    std::size_t gone = 0;
    // The newest stays, however long it is.
    while (lines_.size() > 1 && (lines_.size() > max_lines_ || bytes_ > max_bytes_)) {
        (void)pop();
        ++gone;
    }
    return gone;
}

LinePtr LineQueue::pop() {
    auto line = std::move(lines_.front());
    lines_.pop_front();
    bytes_ -= line->cost();
    return line;
}

LogHub::Stream::Stream(const base::Clock& clock, const LogHubConfig& config)
    : clock_(clock),
      limits_(config),
      limiter_(kNoLogLimit, 0, clock.monotonic()),
      ring_(config.recent_lines, config.recent_bytes),
      window_begin_(clock.monotonic()) {}

void LogHub::Stream::write(std::string_view source_name, LogKind kind, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (silent()) return;
    auto* from = source(name_or_default(source_name));
    if (from == nullptr) return once(source_name, kind, bytes);
    from->splitters[index_of(kind)].feed(
            bytes, [&](std::string_view line) { take(from->labels, kind, line); });
}

void LogHub::Stream::say(std::string_view source_name, LogKind kind, std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (!silent()) once(source_name, kind, line);
}

// Text that is whole in itself: what a process has begun to print stays a line of its own.
void LogHub::Stream::once(std::string_view source_name, LogKind kind, std::string_view bytes) {
    const auto shared = labels(name_or_default(source_name));
    const auto line = [&](std::string_view text) { take(shared, kind, text); };
    LineSplitter splitter;
    splitter.feed(bytes, line);
    splitter.flush(line);
}

void LogHub::Stream::flush(std::string_view source_name) {
    const std::lock_guard lock(mutex_);
    if (silent()) return;
    const auto found = sources_.find(name_or_default(source_name));
    if (found != sources_.end()) flush(found->second);
}

void LogHub::Stream::flush(Source& from) {
    for (const auto kind : {LogKind::out, LogKind::err})
        from.splitters[index_of(kind)].flush(
                [&](std::string_view line) { take(from.labels, kind, line); });
}

std::string_view LogHub::Stream::name_or_default(std::string_view name) const {
    if (!name.empty()) return name;
    return config_.source_name.empty() ? kDefaultSource : std::string_view(config_.source_name);
}

std::shared_ptr<const LineLabels> LogHub::Stream::labels(std::string_view name) const {
    const auto found = sources_.find(name);
    if (found != sources_.end()) return found->second.labels;
    return std::make_shared<const LineLabels>(
            LineLabels{.source = std::string(name), .tags = tags_});
}

LogHub::Stream::Source* LogHub::Stream::source(std::string_view name) {
    const auto found = sources_.find(name);
    if (found != sources_.end()) return &found->second;
    if (sources_.size() >= limits_.sources) return nullptr;
    auto& made = sources_[std::string(name)];
    made.labels = std::make_shared<const LineLabels>(
            LineLabels{.source = std::string(name), .tags = tags_});
    return &made;
}

void LogHub::Stream::take(
        const std::shared_ptr<const LineLabels>& from, LogKind kind, std::string_view text) {
    const auto now = clock_.monotonic();
    const auto verdict = limiter_.decide(text.size(), now);
    if (verdict == LogLimiter::Verdict::pass) {
        roll(now);
        window_bytes_ += text.size();
        ++figures_.lines;
        figures_.bytes += text.size();
        return store(from, kind, text);
    }
    ++figures_.dropped_lines;
    figures_.dropped_bytes += text.size();
    if (verdict == LogLimiter::Verdict::drop) return;
    ++figures_.overruns;
    store(from, LogKind::out, limiter_.notice());
}

void LogHub::Stream::store(
        const std::shared_ptr<const LineLabels>& from, LogKind kind, std::string_view text) {
    const auto time =
            std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.wall().time_since_epoch());
    const auto line = std::make_shared<const StoredLine>(StoredLine{
            .sequence = ++sequence_,
            .time_ns = time.count(),
            .kind = kind,
            .labels = from,
            .text = std::string(text)});
    (void)ring_.push(line);
    for (const auto& reader : readers_) {
        reader->lost += reader->queue.push(line);
        reader->changed.notify_one();
    }
}

void LogHub::Stream::roll(TokenBucket::Time now) {
    const auto passed = now - window_begin_;
    if (passed < kRateWindow) return;
    figures_.rate =
            static_cast<double>(window_bytes_) / std::chrono::duration<double>(passed).count();
    window_begin_ = now;
    window_bytes_ = 0;
}

LogFigures LogHub::Stream::figures() {
    const std::lock_guard lock(mutex_);
    roll(clock_.monotonic());
    auto out = figures_;
    out.limit = limiter_.bytes_limit();
    return out;
}

void LogHub::Stream::configure(const api::LogConfig& config, std::int64_t rate_limit) {
    const auto tags = config.tags;
    {
        const std::lock_guard lock(mutex_);
        if (limiter_.bytes_limit() != rate_limit || limits_.lines_per_second != 0)
            limiter_ = LogLimiter(rate_limit, limits_.lines_per_second, clock_.monotonic());
        config_ = config;
        tags_.clear();
    }
    update_tags(tags);
}

void LogHub::Stream::update_tags(const api::Tags& tags) {
    const std::lock_guard lock(mutex_);
    auto all = tags;
    // Those of before stay what they were unless named: a tag may override them (edges §11.1).
    const auto keep = [&](const std::string& name, std::string otherwise) {
        const auto old = tags_.find(name);
        (void)all.try_emplace(name, old != tags_.end() ? old->second : std::move(otherwise));
    };
    keep("source_id", config_.guid);
    keep("instance_id", std::to_string(config_.index));
    tags_ = std::move(all);
    for (auto& [name, from] : sources_)
        from.labels = std::make_shared<const LineLabels>(LineLabels{.source = name, .tags = tags_});
}

std::vector<api::LogRecord> LogHub::Stream::recent(std::size_t count) const {
    std::vector<LinePtr> lines;
    {
        const std::lock_guard lock(mutex_);
        const auto& all = ring_.lines();
        const auto first = all.size() - std::min(count, all.size());
        lines.assign(all.begin() + static_cast<std::ptrdiff_t>(first), all.end());
    }
    std::vector<api::LogRecord> out;
    out.reserve(lines.size());
    for (const auto& line : lines) out.push_back(to_record(*line));
    return out;
}

void LogHub::Stream::close() {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    if (!config_.guid.empty())
        for (auto& [name, from] : sources_) flush(from);
    closed_ = true;
    for (const auto& reader : readers_) reader->changed.notify_all();
}

base::Result<std::shared_ptr<LogHub::Stream::Reader>> LogHub::Stream::add_reader(
        std::size_t recent) {
    const std::lock_guard lock(mutex_);
    if (readers_.size() >= limits_.followers)
        return base::fail(
                base::Errc::exhausted, "{} followers already, at most {}", readers_.size(),
                limits_.followers);
    auto reader = std::make_shared<Reader>(limits_);
    const auto& all = ring_.lines();
    for (auto i = all.size() - std::min(recent, all.size()); i < all.size(); ++i)
        reader->lost += reader->queue.push(all[i]);
    readers_.push_back(reader);
    return reader;
}

void LogHub::Stream::remove_reader(const Reader& reader) {
    const std::lock_guard lock(mutex_);
    std::erase_if(readers_, [&](const auto& other) { return other.get() == &reader; });
}

void LogHub::Stream::close_reader(Reader& reader) {
    const std::lock_guard lock(mutex_);
    reader.closed = true;
    reader.changed.notify_all();
}

base::Result<std::optional<api::LogRecord>> LogHub::Stream::next(
        Reader& reader, std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    const bool came = reader.changed.wait_for(lock, timeout, [&] {
        return reader.closed || reader.lost > 0 || !reader.queue.empty() || closed_;
    });
    if (!came) return base::fail(base::Errc::timeout, "no line in time");
    if (reader.closed) return std::optional<api::LogRecord>();
    if (reader.lost > 0)
        return std::optional(api::LogRecord{.dropped = std::exchange(reader.lost, 0)});
    if (reader.queue.empty()) return std::optional<api::LogRecord>();
    const auto line = reader.queue.pop();
    lock.unlock();
    return std::optional(to_record(*line));
}

}  // namespace executor
