// The facade: which source a reference means, what is here already, and what may go. The work is in
// pull, flights and records; the catalogue is in images_catalogue.cpp.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/fetch/layout.hpp"
#include "rootfs/images_on_disk.hpp"

#include <fcntl.h>
#include <sys/random.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace rootfs {

namespace {

constexpr std::size_t kAccessKey = 32;

// The key that makes remembered credentials useless to who copies the records alone.
base::Result<std::string> access_key(base::FdRef directory) {
    auto known = base::sys::read_file_at(directory, "access-key", kAccessKey);
    if (known && known->size() == kAccessKey) return known;
    std::string key(kAccessKey, '\0');
    if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
        return base::fail_errno("get random bytes");
    TRY(base::sys::write_atomic_at(directory, "access-key", key, 0600, base::sys::Durable::yes));
    return key;
}

}  // namespace

// An image and then its name, each durable: a kill in between leaves an image that can only be
// pruned.
base::Result<Image> ImagesOnDisk::record(Image image, ReferenceRecord reference) {
    reference.digest = image.digest;
    reference.resolved_at = std::time(nullptr);
    image.reference = reference.asked;
    const auto before = parts_.records->reference(reference.name);
    TRY(parts_.records->save(ImageRecord{.image = image, .created_at = reference.resolved_at}));
    const bool local = !reference.stamp.empty();
    TRY(parts_.records->save(reference));
    // The old content of a local path can never be asked for again.
    if (local && before && before->digest != image.digest &&
        parts_.records->remove_image(before->digest)) {
        (void)drop_unused_layers();  // only space is lost when it fails: prune() tries again
    }
    return image;
}

base::Result<void> ImagesOnDisk::name_again(ReferenceRecord reference) {
    reference.resolved_at = std::time(nullptr);
    return parts_.records->save(reference);
}

std::string ImagesOnDisk::access_of(const Credentials& credentials) const {
    if (credentials.empty()) return "anonymous";
    return keyed_hash(parts_.access_key, credentials.username + '\0' + credentials.password);
}

base::Result<Reference> ImagesOnDisk::preloaded(const std::string& name) const {
    std::string known;
    for (const auto& [have, uri] : parts_.config.preloaded) {
        if (have == name) {
            auto reference = TRY(parse_reference(uri));
            if (reference.source != Source::preloaded) return reference;
            return base::fail(
                    base::Errc::invalid, "preloaded name {} stands for another preloaded name",
                    name);
        }
        known += " " + have;
    }
    return base::fail(
            base::Errc::not_found, "no preloaded root file system '{}'; there are:{}", name,
            known.empty() ? " none" : known);
}

base::Result<Image> ImagesOnDisk::find_or_pull(const Caller& caller) {
    auto reference = TRY(parse_reference(caller.request.uri));
    if (reference.source == Source::preloaded) reference = TRY(preloaded(reference.name));
    // Before anything of a file is read that may not be used anyway.
    if (reference.source != Source::registry && parts_.policy && parts_.policy->local().rejects())
        (void)TRY(judge_local(reference.path, ""));
    switch (reference.source) {
        case Source::registry:
            return from_registry(caller, reference);
        case Source::oci_layout:
        case Source::oci_archive:
        case Source::docker_archive:
            return from_archive(caller, reference);
        case Source::local:
            return from_path(caller, reference);
        case Source::raw:
            return from_raw(reference);
        case Source::layered:
            return from_layered(caller, reference);
        case Source::preloaded:
            break;
    }
    return base::fail(base::Errc::internal, "a reference without a source");
}

base::Result<Image> ImagesOnDisk::from_raw(const Reference& reference) const {
    // Symbolic links on the way are the operator's own.
    (void)TRY(base::sys::open_host(reference.path, O_PATH | O_DIRECTORY));
    return Image{.digest = sha256("raw " + reference.path).get(), .raw_directory = reference.path};
}

base::Result<Image> ImagesOnDisk::from_registry(const Caller& caller, const Reference& reference) {
    if (parts_.config.require_digest && reference.digest.empty()) {
        return base::fail(
                base::Errc::denied,
                "references must name a digest here (require_digest)");  // IMG-06
    }
    const auto target = TRY(parts_.registries->target(reference));
    TRY(refuse_early(target.name));
    const auto access =
            access_of({.username = caller.request.username, .password = caller.request.password});
    // A digest cannot change its meaning: who was let in once needs no registry.
    if (const auto known = parts_.records->reference(target.name);
        known && !reference.digest.empty()) {
        const bool let_in = std::find(known->access.begin(), known->access.end(), access) !=
                            known->access.end();
        auto image = usable(known->digest);
        if (let_in && image && trusted(*known, known->digest)) return std::move(*image);
    }
    return flights_.join(
            target.name + " " + access,
            [this, target, request = caller.request](Report& report, std::atomic<bool>& cancel) {
                return pull_from_registry(target, request, report, cancel);
            },
            caller.progress, caller.cancelled);
}

// The copy that is here, if the registry says that it is what the reference names, or does not
// answer at all.
base::Result<std::optional<Image>> ImagesOnDisk::still_current(
        const RegistryTarget& target,
        const Credentials& credentials,
        const std::string& access,
        Report& report,
        const Cancelled& cancelled) {
    auto known = parts_.records->reference(target.name);
    if (!known) return std::optional<Image>{};
    const auto have = usable(known->digest);
    const bool let_in =
            std::find(known->access.begin(), known->access.end(), access) != known->access.end();
    if (!have) return std::optional<Image>{};
    base::Result<Digest> now =
            base::fail(base::Errc::unavailable, "the registry did not answer a moment ago");
    if (!let_in || !parts_.registries->seems_down(target.home)) {
        now = parts_.registries->current(target, credentials, let_in, cancelled);
        if (!now && is_out_of_reach(now.error())) parts_.registries->note_down(target.home);
    }
    if (!now) {
        // Without its registry a copy stays what it was decided to be, and nothing more (IMG-44).
        const bool usable = trusted(*known, known->digest) || decides_alone(target.name);
        if (!is_out_of_reach(now.error()) || !let_in || !usable) return std::move(now).error();
        report.tell(
                {.step = Progress::Step::resolving,
                 .note = base::format(
                         "{}; using the copy {} that is here", now.error().text, known->digest)});
        return have;
    }
    const auto image = usable(now->get());
    if (!image || !trusted(*known, now->get())) return std::optional<Image>{};
    if (known->digest != now->get() || !let_in) {
        if (known->digest != now->get()) known->trust.reset();  // it spoke of the other digest
        known->digest = now->get();
        if (!let_in) known->access.push_back(access);
        if (known->access.size() > kMaxAccess) known->access.erase(known->access.begin());
        TRY(name_again(*known));
    }
    return image;
}

base::Result<Image> ImagesOnDisk::pull_from_registry(
        const RegistryTarget& target,
        const ImageRequest& request,
        Report& report,
        std::atomic<bool>& cancel) {
    const Credentials credentials{.username = request.username, .password = request.password};
    const auto access = access_of(credentials);
    if (auto image = TRY(still_current(target, credentials, access, report, cancel)))
        return std::move(*image);
    auto pull = TRY(parts_.registries->resolve(target, credentials, cancel));
    report.tell({.step = Progress::Step::verifying});
    auto decision = TRY(judge_registry(target, pull, credentials, cancel));  // before any layer
    ReferenceRecord reference{
            .name = target.name,
            .asked = request.uri,
            .access = {access},
            .trust = std::move(decision)};
    if (const auto known = parts_.records->reference(target.name)) {
        // Who was let in to the old content of a tag is let in again only by the registry.
        if (known->digest == pull.resolved.digest.get()) reference.access = known->access;
        if (std::find(reference.access.begin(), reference.access.end(), access) ==
            reference.access.end()) {
            reference.access.push_back(access);
        }
    }
    const auto incoming = TRY(incoming_bytes(pull.resolved));
    TRY(make_room(incoming, "pull"));
    PinSet pins(pins_);
    auto image = TRY(pull_layers(context(), *pull.source, pull.resolved, pins, report, cancel));
    return record(std::move(image), std::move(reference));
}

base::Result<Image> ImagesOnDisk::from_archive(const Caller& caller, const Reference& reference) {
    std::shared_ptr<ImageSource> source;
    std::string name;
    switch (reference.source) {
        case Source::oci_layout:
            source = std::make_shared<LayoutSource>(
                    TRY(open_directory_files(reference.path)), reference.tag);
            name = "oci:";
            break;
        case Source::oci_archive:
            source = std::make_shared<LayoutSource>(
                    TRY(open_tar_files(reference.path)), reference.tag);
            name = "oci-archive:";
            break;
        case Source::docker_archive:
            source = std::make_shared<DockerArchiveSource>(
                    TRY(open_tar_files(reference.path)), reference.tag);
            name = "docker-archive:";
            break;
        case Source::registry:
        case Source::local:
        case Source::preloaded:
        case Source::raw:
        case Source::layered:
            return base::fail(base::Errc::internal, "not an archive");
    }
    name += reference.path + (reference.tag.empty() ? "" : ":" + reference.tag);
    const auto resolved = TRY(source->resolve(caller.cancelled));
    const auto& digest = resolved.digest.get();
    const auto known = parts_.records->reference(name);
    if (known && known->digest == digest) {
        if (auto image = usable(digest)) return known_local(*known, std::move(*image));
    }
    return flights_.join(
            name + " " + digest,
            [this, source, resolved, name, asked = caller.request.uri](
                    Report& report, std::atomic<bool>& cancel) -> base::Result<Image> {
                PinSet pins(pins_);
                auto decision = TRY(judge_local(name, resolved.digest.get()));
                const auto incoming = TRY(incoming_bytes(resolved));
                TRY(make_room(incoming, "pull"));
                auto image = TRY(pull_layers(context(), *source, resolved, pins, report, cancel));
                return record(
                        std::move(image), {.name = name,
                                           .asked = asked,
                                           .stamp = resolved.digest.get(),
                                           .trust = std::move(decision)});
            },
            caller.progress, caller.cancelled);
}

base::Result<Image> ImagesOnDisk::from_path(const Caller& caller, const Reference& reference) {
    auto file = TRY(base::sys::open_host(reference.path, O_RDONLY | O_NONBLOCK));
    const auto status = TRY(base::sys::stat_fd(file));
    if (S_ISDIR(status.st_mode)) return from_directory(caller, reference.path, std::move(file));
    // The file is read again when anything about it has changed (garden-api 5.1).
    const auto stamp = base::format(
            "{}.{}.{}.{}.{}.{}.{}", status.st_dev, status.st_ino, status.st_size,
            status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
            status.st_ctim.tv_nsec);
    if (const auto known = parts_.records->reference(reference.path);
        known && known->stamp == stamp) {
        if (auto image = usable(known->digest)) return known_local(*known, std::move(*image));
    }
    return flights_.join(
            reference.path + " " + stamp,
            [this, path = reference.path, stamp, asked = caller.request.uri](
                    Report& report, std::atomic<bool>& cancel) -> base::Result<Image> {
                PinSet pins(pins_);
                auto image = TRY(pull_tar(context(), path, pins, report, cancel));
                auto decision = TRY(judge_local(path, image.digest));
                return record(
                        std::move(image), {.name = path,
                                           .asked = asked,
                                           .stamp = stamp,
                                           .trust = std::move(decision)});
            },
            caller.progress, caller.cancelled);
}

base::Result<Image> ImagesOnDisk::from_directory(
        const Caller& caller, const std::string& path, base::Fd directory) {
    const auto key = TRY(keys_.key(directory)).get();
    const auto known = parts_.records->reference(path);
    if (known && known->digest == key) {
        if (auto image = usable(key)) return known_local(*known, std::move(*image));
    }
    auto shared =
            std::make_shared<base::Fd>(std::move(directory));  // the flight may outlive this caller
    return flights_.join(
            path + " " + key,
            [this, shared, path, key, asked = caller.request.uri](
                    Report&, std::atomic<bool>&) -> base::Result<Image> {
                PinSet pins(pins_);
                pins.add(key);
                const auto layer = TRY(parts_.layers->import_directory(*shared, key));
                Image image{.digest = key, .layers = {key}, .size = layer.bytes};
                auto decision = TRY(judge_local(path, key));
                return record(
                        std::move(image),
                        {.name = path, .asked = asked, .stamp = key, .trust = std::move(decision)});
            },
            caller.progress, caller.cancelled);
}

base::Result<void> check_images_config(const ImagesConfig& config) {
    if (!config.policy_file.empty())
        (void)TRY(trust::Policy::load(config.policy_file).context("image policy"));
    const auto& high = config.gc_high_watermark;
    const auto& low = config.gc_low_watermark;
    if (!low.set()) return base::ok;
    const bool ordered = high.bytes != 0 ? low.bytes != 0 && low.bytes <= high.bytes
                                         : low.percent != 0 && low.percent <= high.percent;
    if (ordered) return base::ok;
    return base::fail(
            base::Errc::invalid,
            "the low watermark must be of the same kind as the high one and not above it");
}

base::Result<std::unique_ptr<Images>> Images::open(ImagesConfig config) {
    TRY(check_images_config(config));
    TRY(base::sys::ensure_directory(config.directory, 0700));
    auto directory = TRY(base::sys::open_host(config.directory, O_RDONLY | O_DIRECTORY));
    auto made = base::sys::make_directory_at(directory, "incoming", 0700);
    if (!made && made.error().kind != base::Errc::already_exists) return std::move(made).error();
    ImagesOnDisk::Parts parts;
    parts.scratch =
            TRY(base::sys::open_at(directory, "incoming", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    parts.access_key = TRY(access_key(directory));
    parts.records = TRY(ImageRecords::open(directory));
    parts.layers = TRY(LayerStore::open(config.directory + "/layers", config.unpack_program, {}));
    parts.registries = TRY(Registries::open(config));
    if (!config.policy_file.empty())
        parts.policy = TRY(trust::Policy::load(config.policy_file).context("image policy"));
    parts.directory = std::move(directory);
    parts.config = std::move(config);
    return std::unique_ptr<Images>(std::make_unique<ImagesOnDisk>(std::move(parts)));
}

}  // namespace rootfs
