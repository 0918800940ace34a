// The images of one store directory: what the facade keeps open and how its two halves share it.
// Used by images.cpp (from a reference to an image) and images_catalogue.cpp (what is here, what
// may go).
#pragma once

#include "rootfs/fetch/directory_keys.hpp"
#include "rootfs/fetch/registries.hpp"
#include "rootfs/flights.hpp"
#include "rootfs/housekeeper.hpp"
#include "rootfs/image/last_use.hpp"
#include "rootfs/image/records.hpp"
#include "rootfs/image/reference.hpp"
#include "rootfs/images.hpp"
#include "rootfs/pull.hpp"
#include "rootfs/store/layers.hpp"
#include "rootfs/trust/policy.hpp"

#include <atomic>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rootfs {

struct StoreUse {
    std::uint64_t bytes = 0;  // of unpacked layers
    std::uint64_t disk_used = 0;
    std::uint64_t disk_size = 0;
};

class ImagesOnDisk final : public Images {
  public:
    struct Parts {
        ImagesConfig config;
        base::Fd directory;
        base::Fd scratch;
        std::string access_key;
        std::unique_ptr<ImageRecords> records;
        std::unique_ptr<LayerStore> layers;
        std::unique_ptr<Registries> registries;
        std::optional<trust::Policy> policy;
    };

    explicit ImagesOnDisk(Parts parts)
        : parts_(std::move(parts)),
          last_use_(parts_.directory),
          flights_(parts_.config.pull_timeout),
          housekeeper_(parts_.config.gc_interval, [this] { keep_house(); }) {}

    ~ImagesOnDisk() override { (void)last_use_.save(); }

    ImagesOnDisk(const ImagesOnDisk&) = delete;
    ImagesOnDisk& operator=(const ImagesOnDisk&) = delete;

    base::Result<Image> ensure(
            const ImageRequest& request,
            const std::function<void(const Progress&)>& progress,
            const std::atomic<bool>& cancelled) override {
        if (progress) progress({.step = Progress::Step::resolving});
        const Caller caller{.request = request, .progress = progress, .cancelled = cancelled};
        auto image = find_or_pull(caller);
        // The address of a layer on top may carry a signature.
        const auto shown = request.uri.starts_with(kLayeredScheme)
                                   ? request.uri.substr(0, request.uri.find('?'))
                                   : request.uri;
        if (!image) return std::move(image).context("image " + shown);
        image->reference = shown;
        if (image->raw_directory.empty()) last_use_.touch(image->digest, std::time(nullptr));
        if (progress)
            progress({.step = Progress::Step::done, .current = image->size, .total = image->size});
        return image;
    }

    base::Result<std::vector<ImageRow>> list() override;
    base::Result<Image> inspect(std::string_view reference_or_digest) override;
    base::Result<std::vector<TrustDecision>> decisions(
            std::string_view reference_or_digest) override;
    base::Result<void> remove(std::string_view reference_or_digest) override;
    base::Result<std::uint64_t> prune() override;
    base::Result<std::uint64_t> prune_unused_for(std::chrono::seconds time) override;
    base::Result<VerifyReport> verify(
            std::string_view reference_or_digest, const std::atomic<bool>& cancelled) override;
    StoreFigures figures() override;
    base::Result<void> recover() override;

    base::Result<void> hold(const Image& image, std::string_view owner) override {
        return parts_.records->hold(owner, image);
    }

    base::Result<void> release(std::string_view owner) override {
        // A long life ends: the image counts as used until now.
        if (const auto digest = parts_.records->held_by(owner); !digest.empty())
            last_use_.touch(digest, std::time(nullptr));
        return parts_.records->release(owner);
    }

    base::Result<std::vector<std::string>> owners() override {
        std::vector<std::string> out;
        for (auto& [owner, digest] : parts_.records->holds()) out.push_back(owner);
        return out;
    }

    std::string layer_directory(std::string_view diff_id) const override {
        return parts_.layers->directory_of(diff_id);
    }

  private:
    struct Caller {
        const ImageRequest& request;
        const std::function<void(const Progress&)>& progress;
        const std::atomic<bool>& cancelled;
    };

    // What a reference names in the records.
    struct Named {
        std::string digest;
        std::string reference;  // canonical; "" when asked by digest
    };

    base::Result<Image> find_or_pull(const Caller& caller);
    base::Result<Image> from_registry(const Caller& caller, const Reference& reference);
    base::Result<Image> pull_from_registry(
            const RegistryTarget& target,
            const ImageRequest& request,
            Report& report,
            std::atomic<bool>& cancel);
    base::Result<std::optional<Image>> still_current(
            const RegistryTarget& target,
            const Credentials& credentials,
            const std::string& access,
            Report& report,
            const Cancelled& cancelled);
    base::Result<Image> from_archive(const Caller& caller, const Reference& reference);
    base::Result<Image> from_path(const Caller& caller, const Reference& reference);
    base::Result<Image> from_directory(
            const Caller& caller, const std::string& path, base::Fd directory);
    base::Result<Image> from_raw(const Reference& reference) const;
    // images_layered.cpp
    base::Result<Image> from_layered(const Caller& caller, const Reference& reference);
    base::Result<LayerInfo> fetch_on_top(
            const Reference& reference,
            const std::vector<Ancestor>& ancestors,
            const std::string& key,
            Report& report,
            std::atomic<bool>& cancel);
    base::Result<Reference> preloaded(const std::string& name) const;

    // The image policy (images_trust.cpp).
    bool trusted(const ReferenceRecord& known, std::string_view digest) const;
    bool decides_alone(const std::string& name) const;
    base::Result<void> refuse_early(const std::string& name);
    base::Result<TrustDecision> judge_registry(
            const RegistryTarget& target,
            const RegistryPull& pull,
            const Credentials& credentials,
            const Cancelled& cancelled);
    base::Result<TrustDecision> judge_local(const std::string& name, const std::string& digest);
    base::Result<TrustDecision> settle(TrustDecision decision);
    base::Result<Image> known_local(const ReferenceRecord& known, Image image);

    base::Result<Image> record(Image image, ReferenceRecord reference);
    base::Result<void> name_again(ReferenceRecord reference);
    std::string access_of(const Credentials& credentials) const;
    base::Result<Named> look_up(std::string_view text) const;
    base::Result<std::uint64_t> drop_unused_layers();
    base::Result<void> drop_retired_layers();
    std::optional<Image> usable(std::string_view digest) const;
    base::Result<std::map<std::string, std::vector<std::string>>> layers_of(
            std::string_view reference_or_digest) const;

    // Collection (images_collect.cpp).
    struct Candidate {
        std::string digest;
        std::int64_t used_at = 0;
    };

    base::Result<StoreUse> use();
    static bool over(const StoreLimit& limit, const StoreUse& use, std::uint64_t incoming);
    base::Result<std::uint64_t> incoming_bytes(const Resolved& resolved);
    std::vector<Candidate> candidates() const;
    base::Result<bool> collect_one(const std::string& digest, Collected& collected);
    base::Result<void> collect_old();
    base::Result<void> make_room(std::uint64_t incoming, const char* why);
    void count(const Collected& collected);
    void keep_house();

    PullContext context() {
        return {.store = *parts_.layers,
                .pins = pins_,
                .gate = gate_,
                .scratch = parts_.scratch,
                .parallel = parts_.config.parallel_downloads};
    }

    Parts parts_;
    Pins pins_;
    KeyedGate gate_;
    LastUse last_use_;
    std::mutex collecting_;
    std::atomic<std::uint64_t> collected_images_{0};
    std::atomic<std::uint64_t> collected_bytes_{0};
    DirectoryKeys keys_;
    Flights flights_;  // these two last: their threads use all of the above
    Housekeeper housekeeper_;
};

}  // namespace rootfs
