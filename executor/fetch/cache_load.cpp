// How a cache begins: what an earlier life left complete is kept, everything else goes.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "executor/fetch/cache_record.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

namespace executor {

namespace {

namespace sys = base::sys;

constexpr mode_t kDirectoryMode = 0711;  // containers see what is mounted from it
constexpr std::string_view kRecordSuffix = ".json";

bool is_in_use(const FetcherConfig& config, const std::string& directory_name) {
    return std::any_of(config.in_use.begin(), config.in_use.end(), [&](const auto& path) {
        return path.substr(path.rfind('/') + 1) == directory_name;
    });
}

base::Result<std::shared_ptr<CacheHome>> open_home(const std::string& path) {
    TRY(sys::ensure_directory(path, kDirectoryMode));
    auto home = std::make_shared<CacheHome>();
    home->path = path;
    home->top = TRY(sys::open_host(path, O_RDONLY | O_DIRECTORY));
    home->lock = TRY(sys::open_at(home->top, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (::flock(home->lock.get(), LOCK_EX | LOCK_NB) != 0)
        return base::fail(
                base::Errc::conflict, "cache {}: another program uses this directory", path);
    TRY(sys::remove_tree_at(home->top, "tmp"));
    TRY(sys::make_directory_at(home->top, "tmp", 0700));
    home->scratch = TRY(sys::open_at(home->top, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    return home;
}

}  // namespace

base::Result<std::unique_ptr<Cache>> Cache::open(const FetcherConfig& config) {
    auto home = TRY(open_home(config.directory).context("open the download cache"));
    std::unique_ptr<Cache> cache(new Cache(config, std::move(home)));
    TRY(cache->load(config).context("open the download cache"));
    return cache;
}

EntryPtr Cache::load_entry(const std::string& record_file, const FetcherConfig& config) {
    const auto name = record_file.substr(0, record_file.size() - kRecordSuffix.size());
    const auto text = sys::read_file_at(home_->top, record_file);
    if (!text) return nullptr;
    auto record = decode_record(name, *text);
    if (!record) return nullptr;
    auto entry = std::make_shared<CacheEntry>(home_);
    entry->record = std::move(record).value();
    auto& kept = entry->record;
    const bool used = is_in_use(config, entry->directory_name());
    const auto tar = sys::stat_at(home_->top, entry->tar_name());
    if (kept.tar_size && (!tar || !S_ISREG(tar->st_mode) ||
                          static_cast<std::uint64_t>(tar->st_size) != *kept.tar_size))
        kept.tar_size.reset();
    const auto directory = sys::stat_at(home_->top, entry->directory_name());
    if (kept.directory_size &&
        (!directory || !S_ISDIR(directory->st_mode) || (kept.boot != boot_id() && !used)))
        kept.directory_size.reset();
    if (!kept.tar_size && !kept.directory_size) return nullptr;
    entry->count(std::max<std::uint64_t>(
            kept.tar_size.value_or(0) + kept.directory_size.value_or(0), 4'096));
    if (const auto file = sys::stat_at(home_->top, record_file); file)
        entry->last_use =
                std::int64_t{file->st_mtim.tv_sec} * 1'000'000'000 + file->st_mtim.tv_nsec;
    if (used) unclaimed_.push_back(entry);
    return entry;
}

// An old version. A container that survived the restart may have its directory: it waits for
// hold() until release_unclaimed().
void Cache::retire(EntryPtr entry, std::vector<EntryPtr>& gone) {
    const bool claimable = entry->record.directory_size.has_value();
    auto& list = claimable ? unclaimed_ : gone;
    doom(std::move(entry), list);
}

base::Result<void> Cache::load(const FetcherConfig& config) {
    const auto names = TRY(sys::list_directory(home_->top));
    std::vector<EntryPtr> gone;
    for (const auto& name : names) {
        if (!name.ends_with(kRecordSuffix)) continue;
        auto entry = load_entry(name, config);
        if (!entry) continue;
        next_serial_ = std::max(next_serial_, entry->record.serial + 1);
        if (entry->record.directory_size) directories_[entry->directory_name()] = entry;
        // Two versions: the older was in use when its successor came.
        auto& place = entries_[entry->record.name.substr(0, entry->record.name.find('-'))];
        if (place && place->record.serial > entry->record.serial) std::swap(place, entry);
        if (place) retire(std::move(place), gone);
        place = std::move(entry);
    }
    adopt_lost(config);
    gone.clear();  // before unknown files are told from known ones
    return delete_unknown();
}

// Directories in use whose record is gone: nobody finds them, and they go with their container.
void Cache::adopt_lost(const FetcherConfig& config) {
    for (const auto& path : config.in_use) {
        const auto name = path.substr(path.rfind('/') + 1);
        if (!name.ends_with(".d") || !is_record_name(name.substr(0, name.size() - 2))) continue;
        const auto known = directories_.find(name);
        if (known != directories_.end()) continue;
        if (!sys::exists_at(home_->top, name).value_or(false)) continue;
        auto entry = std::make_shared<CacheEntry>(home_);
        entry->record.name = name.substr(0, name.size() - 2);
        entry->doomed = true;
        directories_[name] = entry;
        unclaimed_.push_back(std::move(entry));
    }
}

base::Result<void> Cache::delete_unknown() {
    std::set<std::string, std::less<>> known = {"lock", "tmp"};
    const auto keep = [&](const CacheEntry& entry) {
        if (!entry.doomed) known.insert(entry.record.name + std::string(kRecordSuffix));
        if (entry.record.tar_size && !entry.doomed) known.insert(entry.tar_name());
        if (entry.record.directory_size) known.insert(entry.directory_name());
    };
    for (const auto& [name, entry] : entries_) keep(*entry);
    for (const auto& entry : unclaimed_) {
        keep(*entry);
        known.insert(entry->directory_name());
    }
    for (const auto& name : TRY(sys::list_directory(home_->top)))
        if (!known.contains(name)) TRY(sys::remove_tree_at(home_->top, name));
    return base::ok;
}

}  // namespace executor
