#include "rootfs/pull.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/fetch/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <thread>

namespace rootfs {

namespace {

struct LayerTask {
    Descriptor blob;
    Digest diff_id;

    // How progress names it.
    const std::string& name() const {
        return blob.digest.empty() ? diff_id.get() : blob.digest.get();
    }
};

// An image may name one layer twice. Its topmost place decides everything that a lower one could
// say, and overlay refuses twins.
std::vector<LayerTask> distinct_layers(
        const Manifest& manifest, const std::vector<Digest>& diff_ids) {
    std::vector<LayerTask> tasks;
    std::set<std::string> seen;
    for (std::size_t i = diff_ids.size(); i-- > 0;) {
        if (seen.insert(diff_ids[i].get()).second) {
            tasks.push_back(LayerTask{.blob = manifest.layers[i], .diff_id = diff_ids[i]});
        }
    }
    std::reverse(tasks.begin(), tasks.end());
    return tasks;
}

base::Result<Compression> compression_of(Packing packing, base::FdRef blob) {
    if (packing == Packing::unknown) packing = TRY(sniff_packing(blob));
    switch (packing) {
        case Packing::none:
            return Compression::none;
        case Packing::gzip:
            return Compression::gzip;
        case Packing::zstd:
            return Compression::zstd;
        case Packing::unknown:
            break;
    }
    return base::fail(base::Errc::internal, "a layer's packing was not found out");
}

class Puller {
  public:
    Puller(const PullContext& context,
           ImageSource& source,
           Report& report,
           std::atomic<bool>& cancel)
        : context_(context), source_(source), report_(report), cancel_(cancel) {}

    base::Result<std::uint64_t> run(const std::vector<LayerTask>& tasks) {
        const auto workers = std::clamp<std::size_t>(
                context_.parallel, 1, std::max<std::size_t>(tasks.size(), 1));
        std::vector<std::thread> threads;
        for (std::size_t i = 1; i < workers; ++i)
            threads.emplace_back([this, &tasks] { work(tasks); });
        work(tasks);
        for (auto& thread : threads) thread.join();
        if (first_) return std::move(*first_);
        if (bytes_ > kMaxImageBytes) {
            return base::fail(
                    base::Errc::exhausted, "the image has {} bytes, the limit is {}", bytes_.load(),
                    kMaxImageBytes);
        }
        return bytes_.load();
    }

  private:
    void work(const std::vector<LayerTask>& tasks) {
        for (auto i = next_.fetch_add(1); i < tasks.size() && !cancel_.load();
             i = next_.fetch_add(1)) {
            auto info = one(tasks[i]);
            if (info) {
                bytes_ += info->bytes;
                continue;
            }
            const std::lock_guard lock(mutex_);
            // What the first failure stops ends with "cancelled": the cause is the one to tell.
            if (!first_) first_ = std::move(info.error());
            cancel_.store(true);
        }
        const std::lock_guard lock(mutex_);
        if (cancel_.load() && !first_) first_ = cancelled_error();
    }

    base::Result<LayerInfo> one(const LayerTask& task) {
        const auto pass = TRY(context_.gate.enter(task.diff_id.get(), cancel_));
        const auto& name = task.name();
        auto known = context_.store.find(task.diff_id.get());
        if (known) {
            report_.tell(
                    {.step = Progress::Step::done,
                     .layer = name,
                     .current = task.blob.size,
                     .total = task.blob.size});
            return known;
        }
        if (known.error().kind != base::Errc::not_found) return known;
        const auto total = task.blob.size;
        const auto blob = TRY(source_.layer(
                task.blob, context_.scratch,
                [&](std::uint64_t bytes) {
                    report_.tell(
                            {.step = Progress::Step::downloading,
                             .layer = name,
                             .current = bytes,
                             .total = total});
                },
                cancel_));
        const UnpackRequest request{
                .diff_id = task.diff_id.get(),
                .blob = blob,
                .compression = TRY(compression_of(task.blob.packing, blob)),
                .compressed_size = total};
        auto info = TRY(context_.store
                                .unpack(
                                        request,
                                        [&](std::uint64_t bytes) {
                                            report_.tell(
                                                    {.step = Progress::Step::unpacking,
                                                     .layer = name,
                                                     .current = bytes,
                                                     .total = total});
                                        },
                                        cancel_)
                                .context("layer " + name));
        report_.tell(
                {.step = Progress::Step::done, .layer = name, .current = total, .total = total});
        return info;
    }

    const PullContext& context_;
    ImageSource& source_;
    Report& report_;
    std::atomic<bool>& cancel_;
    std::atomic<std::size_t> next_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::mutex mutex_;
    std::optional<base::Error> first_;
};

}  // namespace

void Pins::add(const std::string& diff_id) {
    const std::lock_guard lock(mutex_);
    ++count_[diff_id];
}

void Pins::drop(const std::string& diff_id) {
    const std::lock_guard lock(mutex_);
    const auto found = count_.find(diff_id);
    if (found != count_.end() && --found->second == 0) count_.erase(found);
}

bool Pins::has(const std::string& diff_id) const {
    const std::lock_guard lock(mutex_);
    return count_.contains(diff_id);
}

base::Result<Image> pull_layers(
        const PullContext& context,
        ImageSource& source,
        const Resolved& resolved,
        PinSet& pins,
        Report& report,
        std::atomic<bool>& cancel) {
    auto config = TRY(parse_config(resolved.config));
    TRY(check_pair(resolved.manifest, config, this_platform()));
    const auto tasks = distinct_layers(resolved.manifest, config.diff_ids);
    Image image{.digest = resolved.digest.get(), .config = std::move(config.config)};
    for (const auto& task : tasks) {
        pins.add(task.diff_id.get());
        image.layers.push_back(task.diff_id.get());
    }
    image.size = TRY(Puller(context, source, report, cancel).run(tasks));
    return image;
}

base::Result<Image> pull_tar(
        const PullContext& context,
        const std::string& path,
        PinSet& pins,
        Report& report,
        std::atomic<bool>& cancel) {
    const auto file = TRY(base::sys::open_host(path, O_RDONLY | O_NONBLOCK));
    const auto status = TRY(base::sys::stat_fd(file));
    if (!S_ISREG(status.st_mode))
        return base::fail(base::Errc::invalid, "{} is neither a tar file nor a directory", path);
    if (status.st_size == 0) return base::fail(base::Errc::corrupt, "{} is empty", path);
    const auto total = static_cast<std::uint64_t>(status.st_size);
    const UnpackRequest request{
            .diff_id = "",
            .blob = file,
            .compression = TRY(compression_of(Packing::unknown, file)),
            .compressed_size = total};
    const auto info = TRY(context.store.unpack(
            request,
            [&](std::uint64_t bytes) {
                report.tell(
                        {.step = Progress::Step::unpacking,
                         .layer = path,
                         .current = bytes,
                         .total = total});
            },
            cancel));
    pins.add(info.diff_id);
    // Between unpacking and pinning somebody may have pruned.
    (void)TRY(context.store.find(info.diff_id));
    return Image{.digest = info.diff_id, .layers = {info.diff_id}, .size = info.bytes};
}

}  // namespace rootfs
