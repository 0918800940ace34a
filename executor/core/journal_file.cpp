// The journal of one container: one JSON value per line, appended in one write each, so that a kill
// leaves at most one torn line at the end, which counts as not written.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "executor/core/store.hpp"

#include <fcntl.h>

namespace executor {

namespace sys = base::sys;

namespace {

constexpr auto kFile = "journal";

struct Entry {
    std::string path;
    std::optional<std::int64_t> begun;
    std::optional<Outcome> outcome;
};

base::Result<void> from_json(const base::json::Node& node, Entry& v) {
    base::json::Fields fields(node);
    fields.required("path", v.path).optional("begun", v.begun).optional("outcome", v.outcome);
    return fields.finish(base::json::Unknown::ignore);
}

std::string line_of(
        std::string_view path,
        const std::optional<std::int64_t>& begun,
        const std::optional<Outcome>& outcome) {
    base::json::Writer w;
    w.begin_object().member("path", path);
    if (begun) w.member("begun", *begun);
    if (outcome) w.member("outcome", *outcome);
    w.end_object();
    return w.take() + "\n";
}

std::int64_t now() {
    return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

base::Result<void> JournalFile::load() {
    const std::lock_guard lock(mutex_);
    file_ = TRY(sys::open_at(directory_, kFile, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0600));
    const auto text = TRY(sys::read_all(file_, kMaxJournalBytes + kMaxJournalBytes));
    bytes_ = text.size();
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        if (end == std::string::npos) break;
        const auto entry = base::json::decode<Entry>(std::string_view(text).substr(at, end - at));
        at = end + 1;
        if (!entry) continue;
        auto& line = lines_[entry->path];
        // Times are subtracted from now: one before 1970 is damage, and none of ours.
        if (entry->begun && *entry->begun >= 0 && !line.begun) line.begun = entry->begun;
        if (entry->outcome) line.outcome = entry->outcome;
    }
    // Behind a torn line the next one would be torn, too.
    if (!text.empty() && text.back() != '\n') return compact();
    return base::ok;
}

std::optional<std::chrono::system_clock::time_point> JournalFile::begun(
        std::string_view path) const {
    const std::lock_guard lock(mutex_);
    const auto found = lines_.find(path);
    if (found == lines_.end() || !found->second.begun) return std::nullopt;
    return std::chrono::system_clock::time_point(
            std::chrono::duration_cast<std::chrono::system_clock::duration>(
                    std::chrono::nanoseconds(*found->second.begun)));
}

std::optional<Outcome> JournalFile::finished(std::string_view path) const {
    const std::lock_guard lock(mutex_);
    const auto found = lines_.find(path);
    return found == lines_.end() ? std::nullopt : found->second.outcome;
}

void JournalFile::begin(std::string_view path) {
    const std::lock_guard lock(mutex_);
    auto& line = lines_[std::string(path)];
    if (line.begun) return;
    line.begun = now();
    append(path, {.begun = line.begun, .outcome = {}});
}

void JournalFile::finish(std::string_view path, const Outcome& outcome) {
    const std::lock_guard lock(mutex_);
    auto& line = lines_[std::string(path)];
    if (line.outcome == outcome) return;
    line.outcome = outcome;
    append(path, {.begun = {}, .outcome = outcome});
}

void JournalFile::append(std::string_view path, const Line& line) {
    auto written = write(line_of(path, line.begun, line.outcome));
    if (written && bytes_ > kMaxJournalBytes) written = compact();
    if (!written && complain_) complain_(written.error());
}

base::Result<void> JournalFile::write(const std::string& text) {
    bytes_ += text.size();
    return sys::write_all(file_, text);
}

base::Result<void> JournalFile::compact() {
    std::string text;
    for (const auto& [path, line] : lines_) text += line_of(path, line.begun, line.outcome);
    TRY(sys::write_atomic_at(directory_, kFile, text, 0600, sys::Durable::no));
    file_ = TRY(sys::open_at(directory_, kFile, O_RDWR | O_APPEND | O_NOFOLLOW));
    bytes_ = text.size();
    return base::ok;
}

}  // namespace executor
