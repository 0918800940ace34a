// Cache: archives and extracted directories on disk, by key, least recently used ones leave first.
// What is complete is told by the entry's own small record, which is renamed into place last, so
// kill -9 leaves nothing that only looks complete. Private to executor/fetch.
//
//   DIRECTORY/<md5 of key>-<serial>.json   the record; its mtime is the last use
//   DIRECTORY/<md5 of key>-<serial>.tar    uncompressed tar, and/or
//   DIRECTORY/<md5 of key>-<serial>.d/     extracted
//   DIRECTORY/tmp/                         what is being made; emptied at the start
//   DIRECTORY/lock                         one fetcher per directory
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "executor/fetch/config.hpp"
#include "executor/fetch/download.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace executor {

// The descriptors of the directory, and what all entries take together.
struct CacheHome {
    std::string path;
    base::Fd top;
    base::Fd scratch;
    base::Fd lock;
    std::atomic<std::uint64_t> bytes{0};
};

// One version of one key. The record's fields are written before others can see the entry; sizes
// and times later only under the cache's lock.
class CacheEntry {
  public:
    explicit CacheEntry(std::shared_ptr<CacheHome> home) : home_(std::move(home)) {}

    CacheEntry(const CacheEntry&) = delete;
    CacheEntry& operator=(const CacheEntry&) = delete;
    // Of a doomed one: its files go now, as nobody uses them any more.
    ~CacheEntry();

    struct Record {
        std::string name;  // <md5>-<serial>
        std::uint64_t serial = 0;
        Validators validators;
        std::map<std::string, std::string> digests;
        std::optional<std::uint64_t> tar_size;
        std::optional<std::uint64_t> directory_size;
        std::string boot;  // of the machine, when the directory was made
    } record;

    bool doomed = false;        // no longer found; under the cache's lock
    std::int64_t last_use = 0;  // ns, wall clock; under the cache's lock
    std::uint64_t counted = 0;  // in home's bytes; under the cache's lock

    const CacheHome& home() const { return *home_; }

    std::string tar_name() const { return record.name + ".tar"; }

    std::string directory_name() const { return record.name + ".d"; }

    std::string directory_path() const { return home_->path + "/" + directory_name(); }

    base::Result<base::Fd> open_tar() const;
    void count(std::uint64_t bytes);

  private:
    std::shared_ptr<CacheHome> home_;  // owners: the cache and every entry, which may outlive it
};

using EntryPtr = std::shared_ptr<CacheEntry>;  // owners: the cache, and all who use the entry

struct CacheFigures {
    std::uint64_t bytes = 0;
    std::size_t entries = 0;
    std::uint64_t evicted = 0;
    std::uint64_t overruns = 0;  // the limit was passed, as all was in use
};

class Cache {
  public:
    // Reads what an earlier life left; whatever it does not know is deleted, except directories
    // in use.
    static base::Result<std::unique_ptr<Cache>> open(const FetcherConfig& config);

    // Counts as a use. `key`: the recipe's.
    EntryPtr find(const std::string& key);

    // Something in the scratch directory becomes the newest version of `key`; the old one leaves
    // when nobody uses it.
    struct Made {
        std::string scratch_name;
        bool directory = false;
        std::uint64_t size = 0;
        Validators validators;
        std::map<std::string, std::string> digests;
    };

    base::Result<EntryPtr> insert(const std::string& key, Made made);
    base::Result<void> add_directory(
            const EntryPtr& entry, const std::string& scratch_name, std::uint64_t size);
    void drop(const std::string& key);  // its version is not what the origin has any more

    // Keeps a directory of a container that survived a restart; null: nobody knows it.
    std::shared_ptr<void> hold(std::string_view directory_path);
    void release_unclaimed();  // old versions and FetcherConfig::in_use

    std::string scratch_name();
    base::Result<base::Fd> scratch_file();  // without a name: gone with its descriptor

    const CacheHome& home() const { return *home_; }

    CacheFigures figures() const;

  private:
    Cache(const FetcherConfig& config, std::shared_ptr<CacheHome> home)
        : limit_(config.cache_bytes), home_(std::move(home)) {}

    base::Result<void> load(const FetcherConfig& config);
    EntryPtr load_entry(const std::string& record_file, const FetcherConfig& config);
    void adopt_lost(const FetcherConfig& config);
    void retire(EntryPtr entry, std::vector<EntryPtr>& gone);
    base::Result<void> delete_unknown();
    std::vector<EntryPtr> make_room();
    void doom(EntryPtr entry, std::vector<EntryPtr>& gone);
    base::Result<void> write_record(const CacheEntry& entry) const;
    void remember_use(const CacheEntry& entry, std::int64_t use) const;

    const std::uint64_t limit_;
    const std::shared_ptr<CacheHome> home_;
    std::atomic<std::uint64_t> next_scratch_{0};
    mutable std::mutex mutex_;  // bookkeeping only: never held over a read, a copy or a deletion
    std::map<std::string, EntryPtr, std::less<>> entries_;  // by md5 of the key
    std::map<std::string, std::weak_ptr<CacheEntry>, std::less<>> directories_;  // by name
    std::vector<EntryPtr> unclaimed_;
    std::uint64_t next_serial_ = 1;
    std::uint64_t evicted_ = 0;
    std::uint64_t overruns_ = 0;
};

std::string cache_name(const std::string& key);  // md5 in hex

}  // namespace executor
