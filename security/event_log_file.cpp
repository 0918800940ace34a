// The files of the event log: finding the end of the chain after whatever happened, rotation, and
// reading a piece.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "security/event_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <stdio.h>

namespace security {

namespace {

using base::Errc;

constexpr std::string_view kRotated = "events-";  // events-00000000000000000001.log
constexpr std::string_view kSuffix = ".log";
constexpr std::size_t kMaxPageBytes = 4 << 20;
constexpr std::size_t kMaxPageLines = 10'000;
// A rotated file is as long as the limit and what was written at once: the whole queue.
constexpr std::size_t kMaxFile = std::size_t{1} << 30;
constexpr std::size_t kToldOfDamage = 256;

std::string rotated_name(std::uint64_t first) {
    return base::format("{}{:020}{}", kRotated, first, kSuffix);
}

base::Result<EventKey> load_key(base::FdRef directory) {
    if (TRY(base::sys::exists_at(directory, kEventLogKey))) {
        const auto pem = TRY(base::sys::read_file_at(directory, kEventLogKey));
        auto key = EventKey::parse(pem);
        if (key) return key;
        return base::fail(
                Errc::corrupt,
                "audit/{}: {}. hint: move the directory away to begin a new log with a new key",
                kEventLogKey, key.error().text);
    }
    auto key = TRY(EventKey::generate());
    const auto secret = TRY(key.private_pem());
    TRY(base::sys::write_atomic_at(directory, kEventLogKey, secret, 0600, base::sys::Durable::yes));
    return key;
}

std::string_view last_line(std::string_view text) {
    if (text.empty()) return {};
    text.remove_suffix(1);  // its line break
    const auto before = text.rfind('\n');
    return before == std::string_view::npos ? text : text.substr(before + 1);
}

// The part of `text` that ends with a line that is one: the rest is a crash's.
std::string_view whole_part(std::string_view text) {
    for (;;) {
        const auto end = text.rfind('\n');
        text = end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
        if (text.empty() || parse_event_line(last_line(text))) return text;
        text.remove_suffix(1);
    }
}

}  // namespace

base::Result<std::vector<std::string>> event_log_files(base::FdRef directory) {
    std::vector<std::string> files;
    bool current = false;
    const auto names = TRY(base::sys::list_directory(directory));
    for (const auto& name : names) {
        current = current || name == kEventLogFile;
        if (name.starts_with(kRotated) && name.ends_with(kSuffix)) files.push_back(name);
    }
    std::sort(files.begin(), files.end());
    if (current) files.emplace_back(kEventLogFile);
    return files;
}

base::Result<std::unique_ptr<EventLog>> EventLog::open(EventLogConfig config) {
    TRY(base::sys::ensure_directory(config.directory, 0700));
    auto directory = TRY(base::sys::open_host(config.directory, O_RDONLY | O_DIRECTORY));
    auto key = TRY(load_key(directory));
    const auto public_pem = TRY(key.public_pem());
    // Looked at every time: whoever copies it away for verification gets the right one. Written
    // only when it is another, so that a full disk keeps nobody from starting.
    const auto known = base::sys::read_file_at(directory, kEventLogPublicKey);
    if (!known || *known != public_pem) {
        TRY(base::sys::write_atomic_at(
                directory, kEventLogPublicKey, public_pem, 0644, base::sys::Durable::no));
    }
    std::unique_ptr<EventLog> log(
            new EventLog(std::move(config), std::move(key), std::move(directory)));
    TRY(log->continue_chain().context("audit log"));
    log->thread_ = std::thread([raw = log.get()] { raw->run(); });
    return log;
}

base::Result<void> EventLog::continue_chain() {
    sealed_ = std::chrono::steady_clock::now();
    synced_ = sealed_ - config_.sync_time;
    const auto files = TRY(event_log_files(directory_));
    TRY(find_end(files));
    check_head();
    figures_.last_seq = place_.seq;
    return base::ok;
}

base::Result<void> EventLog::find_end(const std::vector<std::string>& files) {
    for (auto name = files.rbegin(); name != files.rend(); ++name) {
        auto file = TRY(base::sys::open_at(directory_, *name, O_RDWR | O_APPEND));
        const auto text = TRY(base::sys::read_all(file, kMaxFile));
        const auto whole = whole_part(text);
        if (whole.size() < text.size()) {
            // kill -9, a full disk or a power cut in the middle of a line: never silently.
            const auto rest = std::string_view(text).substr(whole.size());
            if (::ftruncate(file.get(), static_cast<off_t>(whole.size())) != 0)
                return base::fail_errno("cut the damaged end off {}", *name);
            queue_.push_back(event_of(
                    "log.repaired", {{"file", *name},
                                     {"bytes", std::uint64_t{rest.size()}},
                                     {"sha256", line_hash(rest)},
                                     {"text", std::string(rest.substr(0, kToldOfDamage))}}));
            ++appended_;
        }
        if (*name == kEventLogFile) {
            file_ = std::move(file);
            file_size_ = whole.size();
        }
        if (whole.empty()) continue;  // the chain's end is in the file before
        const auto line = last_line(whole);
        const auto parsed = TRY(parse_event_line(line));
        place_ = {
                .seq = parsed.seq,
                .prev = line_hash(line),
                .unsealed = parsed.event == kCheckpoint ? 0U : 1U};
        if (*name == kEventLogFile)
            file_first_ = TRY(parse_event_line(whole.substr(0, whole.find('\n')))).seq;
        return base::ok;
    }
    return base::ok;
}

void EventLog::check_head() {
    const auto head = base::sys::read_file_at(directory_, kEventLogHead);
    if (!head) return;
    const auto sealed = parse_event_line(head->substr(0, head->find('\n')));
    if (!sealed || sealed->seq <= place_.seq) return;
    queue_.push_back(
            event_of("log.truncated", {{"sealed_seq", sealed->seq}, {"last_seq", place_.seq}}));
    ++appended_;
    // The next write seals what is there, and replaces the head.
    sealed_ -= config_.checkpoint_time;
}

base::Result<void> EventLog::rotate() {
    TRY(base::sys::rename_at(
            directory_, kEventLogFile, directory_, rotated_name(file_first_), RENAME_NOREPLACE));
    (void)::fdatasync(file_.get());
    file_.reset();
    file_size_ = 0;
    file_first_ = 0;
    drop_old_files();
    return base::ok;
}

void EventLog::drop_old_files() {
    const auto files = event_log_files(directory_);
    if (!files || files->size() < config_.files) return;
    // One place is for the file that is begun now.
    for (std::size_t i = 0; i + config_.files <= files->size() && i + 1 < files->size(); ++i) {
        const auto number = [&](std::size_t at) {
            return base::parse_number<std::uint64_t>(
                           std::string_view((*files)[at]).substr(kRotated.size(), 20), "name")
                    .value_or(0U);
        };
        if (!base::sys::remove_at(directory_, (*files)[i])) continue;
        const std::lock_guard lock(mutex_);
        queue_.push_back(event_of(
                "log.removed", {{"file", (*files)[i]},
                                {"first_seq", number(i)},
                                {"last_seq", number(i + 1) - 1}}));
        ++appended_;
    }
}

base::Result<EventLog::Page> EventLog::read(std::uint64_t since, std::size_t limit) const {
    limit = std::min(limit, kMaxPageLines);
    Page page;
    page.last_seq = figures().last_seq;
    const auto files = TRY(event_log_files(directory_));
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        // A file that ends before what is wanted is not read: the next one's name says where.
        if (i + 1 < files.size() && files[i + 1] != kEventLogFile) {
            const auto next = base::parse_number<std::uint64_t>(
                    std::string_view(files[i + 1]).substr(kRotated.size(), 20), "name");
            if (next && *next <= since + 1) continue;
        }
        const auto text = TRY(base::sys::read_file_at(directory_, files[i], kMaxFile));
        std::string_view rest(text);
        while (const auto end = rest.find('\n') + 1) {
            const auto line = rest.substr(0, end - 1);
            rest.remove_prefix(end);
            // "{"seq":N,": cheaper than the whole line, which is not ours to judge here.
            constexpr std::string_view kBegin = "{\"seq\":";
            const auto number =
                    line.substr(0, line.find(',')).substr(std::min(kBegin.size(), line.size()));
            const auto seq = base::parse_number<std::uint64_t>(number, "seq");
            if (!seq || *seq <= since) continue;
            bytes += line.size();
            if (page.lines.size() >= limit || bytes > kMaxPageBytes) return page;
            page.lines.emplace_back(line);
        }
    }
    return page;
}

}  // namespace security
