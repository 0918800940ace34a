#include "executor/fetch/cached_fetcher.hpp"

#include "base/defer.hpp"
#include "base/fail.hpp"
#include "base/http/message.hpp"
#include "base/sys/file.hpp"
#include "executor/fetch/archive.hpp"
#include "executor/fetch/extract.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <random>

namespace executor {

namespace {

namespace sys = base::sys;
using base::Errc;
using base::fail;

std::string lower(std::string_view text) {
    std::string out(text);
    for (auto& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

// Whether bytes with these digests are what the recipe wants; nothing: they do not say.
std::optional<bool> matches(
        const FetchRequest& request, const std::map<std::string, std::string>& digests) {
    if (request.checksum_algorithm.empty()) return true;
    const auto found = digests.find(lower(request.checksum_algorithm));
    if (found == digests.end()) return std::nullopt;
    return found->second == lower(request.checksum_value);
}

base::Result<void> check_request(const FetchRequest& request) {
    const auto algorithm = lower(request.checksum_algorithm);
    if (!algorithm.empty() && algorithm != "md5" && algorithm != "sha1" && algorithm != "sha256")
        return fail(
                Errc::invalid, "checksum algorithm '{}': expected md5, sha1 or sha256",
                algorithm.substr(0, 32));
    if (algorithm.empty() != request.checksum_value.empty())
        return fail(Errc::invalid, "checksum: algorithm and value come together or not at all");
    return base::ok;
}

// A second try finds the same.
bool is_final(const base::Error& error) {
    return error.kind == Errc::cancelled || error.kind == Errc::exhausted ||
           error.kind == Errc::invalid;
}

}  // namespace

base::Result<std::unique_ptr<CachedFetcher>> CachedFetcher::make(FetcherConfig config) {
    std::unique_ptr<CachedFetcher> fetcher(new CachedFetcher(std::move(config)));
    fetcher->cache_ = TRY(Cache::open(fetcher->config_));
    return fetcher;
}

FetchFigures CachedFetcher::figures() const {
    return {.cache = cache_->figures(),
            .downloads = downloads_,
            .revalidated = revalidated_,
            .shared = shared_,
            .retries = retries_,
            .bytes = bytes_};
}

base::Result<FetchedTar> CachedFetcher::tar(const FetchRequest& request, std::stop_token stop) {
    auto fetched = TRY(fetch(request, Form::tar, stop));
    FetchedTar out{
            .file = std::move(fetched.file),
            .size = fetched.size,
            .downloaded = fetched.downloaded,
            .from_cache = fetched.downloaded == 0};
    if (!fetched.entry) return out;
    out.file = TRY(fetched.entry->open_tar());
    out.hold = std::move(fetched.entry);
    return out;
}

base::Result<FetchedDirectory> CachedFetcher::directory(
        const FetchRequest& request, std::stop_token stop) {
    if (request.cache_key.empty())
        return fail(Errc::invalid, "not cacheable directory: it has no cache key");
    auto fetched = TRY(fetch(request, Form::directory, stop));
    return FetchedDirectory{
            .path = fetched.entry->directory_path(),
            .size = fetched.size,
            .downloaded = fetched.downloaded,
            .from_cache = fetched.downloaded == 0,
            .hold = std::move(fetched.entry)};
}

base::Result<CachedFetcher::Fetched> CachedFetcher::fetch(
        const FetchRequest& request, Form form, const std::stop_token& stop) {
    TRY(check_request(request));
    if (request.cache_key.empty()) return lead(request, form, stop);
    const auto what = base::format(
            "{} {} {} {}", form == Form::tar ? "tar" : "directory", request.checksum_algorithm,
            request.checksum_value, request.url);
    for (;;) {
        auto turn = TRY(flights_.enter(request.cache_key, what, stop));
        if (turn) {
            auto fetched = lead(request, form, stop);
            if (fetched && fetched->entry) turn->succeeded();
            return fetched;
        }
        const auto entry = cache_->find(request.cache_key);
        // Gone again, or another version already: then in its own right.
        if (!entry) continue;
        const auto& record = entry->record;
        const auto& size = form == Form::tar ? record.tar_size : record.directory_size;
        if (!size || !matches(request, record.digests).value_or(false)) continue;
        ++shared_;
        return Fetched{.entry = entry, .file = {}, .size = *size, .downloaded = 0};
    }
}

// The only one that works on this key now.
base::Result<CachedFetcher::Fetched> CachedFetcher::lead(
        const FetchRequest& request, Form form, const std::stop_token& stop) {
    EntryPtr entry;
    if (!request.cache_key.empty()) entry = cache_->find(request.cache_key);
    // A directory can be made from the tar; the tar of a directory was not kept. A version that
    // cannot be right is asked for anew, without conditions.
    if (entry && ((form == Form::tar && !entry->record.tar_size) ||
                  !matches(request, entry->record.digests).value_or(false)))
        entry.reset();
    const auto raw = TRY(cache_->scratch_file().context("make room for a download"));
    auto got = TRY(attempts(request, entry ? entry->record.validators : Validators{}, raw, stop));
    if (got.not_modified) {
        ++revalidated_;
        return serve(entry, form, stop);
    }
    ++downloads_;
    bytes_ += got.size;
    if (!matches(request, got.digests).value_or(false))
        return fail(
                Errc::corrupt, "checksum mismatch: {} is {}, expected {}",
                lower(request.checksum_algorithm), got.digests[lower(request.checksum_algorithm)],
                lower(request.checksum_value).substr(0, 128));
    return keep(request, form, std::move(got), raw, stop);
}

base::Result<CachedFetcher::Fetched> CachedFetcher::serve(
        const EntryPtr& entry, Form form, const std::stop_token& stop) {
    if (form == Form::directory && !entry->record.directory_size) {
        const auto tar = TRY(entry->open_tar());
        auto made = TRY(extract_to_scratch(tar, stop));
        TRY(cache_->add_directory(entry, made.scratch_name, made.size));
    }
    const auto& record = entry->record;
    const auto size = form == Form::tar ? record.tar_size : record.directory_size;
    return Fetched{.entry = entry, .file = {}, .size = size.value_or(0), .downloaded = 0};
}

base::Result<CachedFetcher::Fetched> CachedFetcher::keep(
        const FetchRequest& request,
        Form form,
        Download got,
        base::FdRef raw,
        const std::stop_token& stop) {
    const bool can_keep = !request.cache_key.empty() && !got.validators.empty();
    if (form == Form::directory && !can_keep)
        return fail(
                Errc::invalid,
                "not cacheable directory: the server sends neither ETag nor Last-Modified");
    Fetched out{
            .entry = {}, .file = {}, .size = 0, .downloaded = std::max<std::uint64_t>(got.size, 1)};
    if (!can_keep) {
        if (!request.cache_key.empty()) cache_->drop(request.cache_key);
        out.file = TRY(cache_->scratch_file());
        out.size = TRY(write_tar(
                raw, out.file,
                {.bytes = config_.unpacked_bytes, .entries = config_.archive_entries}, stop));
        if (::lseek(out.file.get(), 0, SEEK_SET) != 0) return base::fail_errno("rewind the tar");
        return out;
    }
    auto made = form == Form::tar ? tar_to_scratch(raw, stop) : extract_to_scratch(raw, stop);
    auto whole = TRY(std::move(made));
    whole.validators = std::move(got.validators);
    whole.digests = std::move(got.digests);
    out.size = whole.size;
    out.entry = TRY(cache_->insert(request.cache_key, std::move(whole)));
    return out;
}

base::Result<Cache::Made> CachedFetcher::tar_to_scratch(
        base::FdRef raw, const std::stop_token& stop) {
    const auto& scratch = cache_->home().scratch;
    Cache::Made made{.scratch_name = cache_->scratch_name() + ".tar", .directory = false};
    const auto file = TRY(sys::open_at(
            scratch, made.scratch_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    base::Defer undo([&] { (void)sys::remove_at(scratch, made.scratch_name); });
    made.size = TRY(write_tar(
            raw, file, {.bytes = config_.unpacked_bytes, .entries = config_.archive_entries},
            stop));
    // Its record may be on disk before it: a crash of the machine must not leave a hollow tar.
    if (::fdatasync(file.get()) != 0) return base::fail_errno("write the tar");
    undo.dismiss();
    return made;
}

base::Result<Cache::Made> CachedFetcher::extract_to_scratch(
        base::FdRef raw, const std::stop_token& stop) {
    const auto& scratch = cache_->home().scratch;
    Cache::Made made{.scratch_name = cache_->scratch_name() + ".d", .directory = true};
    TRY(sys::make_directory_at(scratch, made.scratch_name, 0755));
    base::Defer undo([&] { (void)sys::remove_tree_at(scratch, made.scratch_name); });
    const auto top =
            TRY(sys::open_at(scratch, made.scratch_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    made.size = TRY(extract(
            raw, top, {.bytes = config_.unpacked_bytes, .entries = config_.archive_entries}, stop));
    undo.dismiss();
    return made;
}

base::Result<Download> CachedFetcher::attempts(
        const FetchRequest& request,
        const Validators& known,
        base::FdRef raw,
        const std::stop_token& stop) {
    const auto url = TRY(parse_url(request.url));
    const auto algorithm = lower(request.checksum_algorithm);
    for (std::size_t attempt = 1;; ++attempt) {
        base::Result<Download> got = stopped("the download");
        {
            const auto slot = TRY(slots_.take(stop));
            got = download(config_, url, known, algorithm, raw, stop);
        }
        if (got || attempt >= config_.download_attempts || is_final(got.error())) return got;
        ++retries_;
        TRY(pause(attempt, stop));
    }
}

// 0.5 s, 1 s, 2 s, … up to 5 s, and a little more by chance so that cells do not keep step.
base::Result<void> CachedFetcher::pause(std::size_t attempt, const std::stop_token& stop) const {
    auto time = config_.first_pause;
    for (std::size_t i = 1; i < attempt && time < config_.longest_pause; ++i) time *= 2;
    time = std::min(time, config_.longest_pause);
    std::random_device random;
    time += std::chrono::milliseconds(
            std::uniform_int_distribution<std::int64_t>(0, config_.jitter.count())(random));
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    (void)never.wait_for(lock, stop, time, [] { return false; });
    if (stop.stop_requested()) return stopped("the download");
    return base::ok;
}

}  // namespace executor
