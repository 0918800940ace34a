// CachedFetcher: the Fetcher of a cell (executor-rep §9): a cache on disk, revalidated with the
// origin at every use, one download per key at a time. Used by executor/core. Safe from any thread.
//
//   tar(), directory() ─► turn of the key ─► conditional GET ─► 304: the cache's
//                                                 └─► 200: checksum ─► plain tar / directory ─►
//                                                 cache
#pragma once

#include "executor/fetch/cache.hpp"
#include "executor/fetch/config.hpp"
#include "executor/fetch/fetch.hpp"
#include "executor/fetch/flights.hpp"

#include <memory>

namespace executor {

struct FetchFigures {
    CacheFigures cache;
    std::uint64_t downloads = 0;    // answers 200
    std::uint64_t revalidated = 0;  // answers 304
    std::uint64_t shared = 0;       // served by a flight of another
    std::uint64_t retries = 0;
    std::uint64_t bytes = 0;  // downloaded
};

class CachedFetcher final : public Fetcher {
  public:
    // Errc::conflict: another fetcher has the directory.
    static base::Result<std::unique_ptr<CachedFetcher>> make(FetcherConfig config);

    base::Result<FetchedTar> tar(const FetchRequest& request, std::stop_token stop) override;
    base::Result<FetchedDirectory> directory(
            const FetchRequest& request, std::stop_token stop) override;
    base::Result<std::uint64_t> upload(UploadRequest request, std::stop_token stop) override;

    // For what FetcherConfig::in_use named.
    std::shared_ptr<void> hold(std::string_view directory) override {
        return cache_->hold(directory);
    }

    void release_unclaimed() override { cache_->release_unclaimed(); }

    FetchFigures figures() const;

  private:
    enum class Form : std::uint8_t { tar, directory };

    // A cached entry, or (tar only) a file of its own.
    struct Fetched {
        EntryPtr entry;
        base::Fd file;
        std::uint64_t size = 0;
        std::uint64_t downloaded = 0;
    };

    explicit CachedFetcher(FetcherConfig config)
        : config_(std::move(config)), slots_(config_.at_once) {}

    base::Result<Fetched> fetch(
            const FetchRequest& request, Form form, const std::stop_token& stop);
    base::Result<Fetched> lead(const FetchRequest& request, Form form, const std::stop_token& stop);
    base::Result<Fetched> serve(const EntryPtr& entry, Form form, const std::stop_token& stop);
    base::Result<Fetched> keep(
            const FetchRequest& request,
            Form form,
            Download download,
            base::FdRef raw,
            const std::stop_token& stop);
    base::Result<Download> attempts(
            const FetchRequest& request,
            const Validators& known,
            base::FdRef raw,
            const std::stop_token& stop);
    base::Result<void> pause(std::size_t attempt, const std::stop_token& stop) const;
    base::Result<Cache::Made> extract_to_scratch(base::FdRef raw, const std::stop_token& stop);
    base::Result<Cache::Made> tar_to_scratch(base::FdRef raw, const std::stop_token& stop);

    const FetcherConfig config_;
    FetchSlots slots_;
    Flights flights_;
    std::unique_ptr<Cache> cache_;
    std::atomic<std::uint64_t> downloads_{0}, revalidated_{0}, shared_{0}, retries_{0}, bytes_{0};
};

}  // namespace executor
