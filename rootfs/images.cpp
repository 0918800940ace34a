// The facade over reference, store and records. Sources so far: directories and raw directories; the others say so.
#include "rootfs/images.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/image/records.hpp"
#include "rootfs/image/reference.hpp"
#include "rootfs/store/layers.hpp"

#include <fcntl.h>

#include <algorithm>
#include <ctime>
#include <mutex>
#include <set>

namespace rootfs {

namespace {

class ImagesOnDisk final : public Images {
  public:
    ImagesOnDisk(ImagesConfig config, ImageRecords records, std::unique_ptr<LayerStore> layers)
        : config_(std::move(config)), records_(std::move(records)), layers_(std::move(layers)) {}

    base::Result<Image> ensure(
            const ImageRequest& request, const std::function<void(const Progress&)>& progress,
            const std::atomic<bool>&) override {
        if (progress) progress({.step = Progress::Step::resolving, .layer = "", .current = 0, .total = 0});
        auto reference = TRY(parse_reference(request.uri));
        if (reference.source == Source::preloaded) reference = TRY(preloaded(reference.name));
        auto image = TRY(from_disk(request.uri, reference));
        if (progress) progress({.step = Progress::Step::done, .layer = "", .current = image.size, .total = image.size});
        return image;
    }

    base::Result<std::vector<ImageRow>> list() override {
        const auto holds = TRY(records_.holds());
        std::vector<ImageRow> rows;
        for (const auto& record : TRY(records_.list())) {
            const auto uses = std::count_if(
                    holds.begin(), holds.end(), [&](const auto& hold) { return hold.digest == record.image.digest; });
            rows.push_back(
                    {.reference = record.image.reference,
                     .digest = record.image.digest,
                     .size = record.image.size,
                     .created_at = record.created_at,
                     .used_by = static_cast<std::uint32_t>(uses),
                     .layers = record.image.layers.size()});
        }
        return rows;
    }

    base::Result<Image> inspect(std::string_view reference_or_digest) override {
        return TRY(records_.find(reference_or_digest)).image;
    }

    base::Result<void> remove(std::string_view reference_or_digest) override {
        const std::lock_guard lock(mutex_);
        const auto record = TRY(records_.find(reference_or_digest));
        for (const auto& hold : TRY(records_.holds())) {
            if (hold.digest == record.image.digest) {
                return base::fail(base::Errc::conflict, "image {} is used by container {}", reference_or_digest, hold.owner);
            }
        }
        TRY(records_.remove(record));
        TRY(drop_unused_layers());
        return base::ok;
    }

    base::Result<std::uint64_t> prune() override {
        const std::lock_guard lock(mutex_);
        std::set<std::string> used;
        for (auto& hold : TRY(records_.holds())) used.insert(std::move(hold.digest));
        for (const auto& record : TRY(records_.list())) {
            if (!used.contains(record.image.digest)) TRY(records_.remove(record));
        }
        return drop_unused_layers();
    }

    base::Result<void> hold(const Image& image, std::string_view owner) override { return records_.hold(owner, image.digest); }
    base::Result<void> release(std::string_view owner) override { return records_.release(owner); }

    base::Result<std::vector<std::string>> owners() override {
        std::vector<std::string> owners;
        for (auto& hold : TRY(records_.holds())) owners.push_back(std::move(hold.owner));
        return owners;
    }

    base::Result<void> recover() override { return layers_->recover(); }
    std::string layer_directory(std::string_view diff_id) const override { return layers_->directory_of(diff_id); }

  private:
    base::Result<Reference> preloaded(const std::string& name) {
        for (const auto& [known, uri] : config_.preloaded) {
            if (known == name) return parse_reference(uri);
        }
        return base::fail(base::Errc::not_found, "preloaded:{}: no such name in the daemon's configuration", name);
    }

    base::Result<Image> from_disk(const std::string& uri, const Reference& reference) {
        if (reference.source != Source::local && reference.source != Source::raw) {
            return base::fail(base::Errc::unsupported, "image {}: this kind of source is not supported yet", uri);
        }
        auto directory = TRY(base::sys::open_host(reference.path, O_RDONLY | O_CLOEXEC));
        const auto status = TRY(base::sys::stat_fd(directory));
        if (!S_ISDIR(status.st_mode)) {
            return base::fail(base::Errc::unsupported, "image {}: archives are not supported yet", uri);
        }
        ImageRecord record{.image = {.reference = uri, .digest = "", .layers = {}, .config = {}, .size = 0, .raw_directory = ""},
                           .created_at = std::time(nullptr)};
        if (reference.source == Source::raw) {
            record.image.digest = sha256(uri).get();
            record.image.raw_directory = reference.path;
            return record.image;   // nothing of it is in the store
        }
        // A directory is known by its path and its change time, as a tar file would be (garden-api 5.1).
        const auto key = sha256(base::format(
                "{}\n{}.{}", reference.path, status.st_ctim.tv_sec, status.st_ctim.tv_nsec)).get();
        const std::lock_guard lock(mutex_);   // removing looks at the same records
        auto known = records_.find(uri);
        if (known && known->image.digest == key && layers_->find(key)) return known->image;
        const auto layer = TRY(layers_->import_directory(directory, key));
        record.image.digest = key;
        record.image.layers = {key};
        record.image.size = layer.bytes;
        TRY(records_.save(record));
        return record.image;
    }

    // Layers that no image names and no container holds. Bytes freed.
    base::Result<std::uint64_t> drop_unused_layers() {
        std::set<std::string> used;
        for (const auto& record : TRY(records_.list())) used.insert(record.image.layers.begin(), record.image.layers.end());
        for (auto& hold : TRY(records_.holds())) used.insert(std::move(hold.digest));
        std::uint64_t freed = 0;
        for (const auto& layer : TRY(layers_->list())) {
            if (!used.contains(layer)) freed += TRY(layers_->remove(layer));
        }
        return freed;
    }

    ImagesConfig config_;
    ImageRecords records_;
    std::unique_ptr<LayerStore> layers_;
    std::mutex mutex_;
};

}  // namespace

base::Result<std::unique_ptr<Images>> Images::open(ImagesConfig config) {
    TRY(base::sys::ensure_directory(config.directory, 0700));
    auto directory = TRY(base::sys::open_host(config.directory, O_RDONLY | O_DIRECTORY));
    auto records = TRY(ImageRecords::open(directory));
    auto layers = TRY(LayerStore::open(config.directory + "/layers", config.unpack_program, {}));
    return std::unique_ptr<Images>(
            std::make_unique<ImagesOnDisk>(std::move(config), std::move(records), std::move(layers)));
}

}  // namespace rootfs
