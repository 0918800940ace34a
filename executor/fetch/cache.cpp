#include "executor/fetch/cache.hpp"

#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "executor/fetch/cache_record.hpp"
#include "executor/fetch/digests.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace executor {

namespace {

namespace sys = base::sys;

constexpr mode_t kFileMode = 0600;
constexpr std::uint64_t kLeast = 4'096;  // what the smallest entry takes with its record

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
}

}  // namespace

std::string cache_name(const std::string& key) {
    Digests digests({"md5"});
    digests.add(key);
    return to_hex(digests.finish().at("md5"));
}

CacheEntry::~CacheEntry() {
    home_->bytes -= counted;
    if (!doomed) return;
    // The record first: what is deleted half is not complete. A leftover goes at the next start.
    (void)sys::remove_at(home_->top, record.name + ".json");
    (void)sys::remove_at(home_->top, tar_name());
    (void)sys::remove_tree_at(home_->top, directory_name());
}

base::Result<base::Fd> CacheEntry::open_tar() const {
    return sys::open_at(home_->top, tar_name(), O_RDONLY | O_NOFOLLOW);
}

void CacheEntry::count(std::uint64_t bytes) {
    home_->bytes += bytes;
    counted += bytes;
}

std::string Cache::scratch_name() {
    return base::format("{}", next_scratch_.fetch_add(1));
}

base::Result<base::Fd> Cache::scratch_file() {
    auto file = sys::open_at(home_->scratch, ".", O_RDWR | O_TMPFILE, kFileMode);
    if (file || file.error().sys != EOPNOTSUPP) return file;
    // A file system without nameless files: named for an instant.
    const auto name = scratch_name();
    auto named = TRY(
            sys::open_at(home_->scratch, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, kFileMode));
    TRY(sys::remove_at(home_->scratch, name));
    return named;
}

EntryPtr Cache::find(const std::string& key) {
    EntryPtr entry;
    const auto now = now_ns();
    {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(cache_name(key));
        if (found == entries_.end()) return nullptr;
        entry = found->second;
        entry->last_use = now;
    }
    remember_use(*entry, now);
    return entry;
}

// For the next life only; one that is lost makes the order of eviction a little wrong. Our own
// time: the kernel's is the same for what is used within a few milliseconds.
void Cache::remember_use(const CacheEntry& entry, std::int64_t use) const {
    constexpr std::int64_t kSecond = 1'000'000'000;
    const ::timespec time{.tv_sec = use / kSecond, .tv_nsec = use % kSecond};
    const ::timespec times[2] = {time, time};
    (void)::utimensat(home_->top.get(), (entry.record.name + ".json").c_str(), times, 0);
}

base::Result<void> Cache::write_record(const CacheEntry& entry) const {
    TRY(sys::write_atomic_at(
            home_->top, entry.record.name + ".json", encode_record(entry.record), kFileMode,
            sys::Durable::no));
    remember_use(entry, now_ns());
    return base::ok;
}

base::Result<EntryPtr> Cache::insert(const std::string& key, Made made) {
    auto entry = std::make_shared<CacheEntry>(home_);
    const auto name = cache_name(key);
    {
        const std::lock_guard lock(mutex_);
        entry->record.serial = next_serial_++;
    }
    entry->record.name = base::format("{}-{}", name, entry->record.serial);
    entry->record.validators = std::move(made.validators);
    entry->record.digests = std::move(made.digests);
    (made.directory ? entry->record.directory_size : entry->record.tar_size) = made.size;
    if (made.directory) entry->record.boot = boot_id();
    entry->last_use = now_ns();
    // Until it is in its place a failure takes everything of it along.
    entry->doomed = true;
    TRY(sys::rename_at(
            home_->scratch, made.scratch_name, home_->top,
            made.directory ? entry->directory_name() : entry->tar_name()));
    TRY(write_record(*entry));
    std::vector<EntryPtr> gone;  // dies after the lock: deletes files
    const std::lock_guard lock(mutex_);
    entry->doomed = false;
    entry->count(std::max(made.size, kLeast));
    if (made.directory) directories_[entry->directory_name()] = entry;
    auto& place = entries_[name];
    if (place) doom(std::move(place), gone);
    place = entry;
    for (auto& victim : make_room()) gone.push_back(std::move(victim));
    return entry;
}

base::Result<void> Cache::add_directory(
        const EntryPtr& entry, const std::string& scratch_name, std::uint64_t size) {
    TRY(sys::rename_at(home_->scratch, scratch_name, home_->top, entry->directory_name()));
    entry->record.boot = boot_id();
    std::vector<EntryPtr> gone;
    {
        const std::lock_guard lock(mutex_);
        entry->record.directory_size = size;
        entry->count(size);
        directories_[entry->directory_name()] = entry;
        gone = make_room();
    }
    return write_record(*entry);
}

void Cache::drop(const std::string& key) {
    std::vector<EntryPtr> gone;
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(cache_name(key));
    if (found == entries_.end()) return;
    doom(std::move(found->second), gone);
    entries_.erase(found);
}

void Cache::doom(EntryPtr entry, std::vector<EntryPtr>& gone) {
    entry->doomed = true;
    gone.push_back(std::move(entry));
}

// Under the lock; the caller lets go of the result outside of it.
std::vector<EntryPtr> Cache::make_room() {
    std::vector<EntryPtr> gone;
    std::erase_if(directories_, [](const auto& entry) { return entry.second.expired(); });
    if (home_->bytes <= limit_) return gone;
    std::vector<std::pair<std::int64_t, std::string>> oldest;
    // One owner: this map. Nobody else gets one without the lock.
    for (const auto& [name, entry] : entries_)
        if (entry.use_count() == 1) oldest.emplace_back(entry->last_use, name);
    std::sort(oldest.begin(), oldest.end());
    auto bytes = home_->bytes.load();
    for (const auto& [time, name] : oldest) {
        if (bytes <= limit_) break;
        const auto found = entries_.find(name);
        bytes -= std::min(bytes, found->second->counted);
        doom(std::move(found->second), gone);
        entries_.erase(found);
        ++evicted_;
    }
    if (bytes > limit_) ++overruns_;
    return gone;
}

std::shared_ptr<void> Cache::hold(std::string_view directory_path) {
    const auto slash = directory_path.rfind('/');
    const auto name = directory_path.substr(slash == std::string_view::npos ? 0 : slash + 1);
    const std::lock_guard lock(mutex_);
    const auto found = directories_.find(name);
    return found == directories_.end() ? nullptr : found->second.lock();
}

void Cache::release_unclaimed() {
    std::vector<EntryPtr> gone;
    const std::lock_guard lock(mutex_);
    gone.swap(unclaimed_);
}

CacheFigures Cache::figures() const {
    const std::lock_guard lock(mutex_);
    return {.bytes = home_->bytes.load(),
            .entries = entries_.size(),
            .evicted = evicted_,
            .overruns = overruns_};
}

}  // namespace executor
