#include "rootfs/image/records.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "rootfs/image/digest.hpp"
#include "rootfs/image/json.hpp"
#include "rootfs/image/records_json.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace rootfs {

namespace {

constexpr std::size_t kRecordBytes = 16 << 20;  // the config of an image is at most 8 MiB (IMG-04)
constexpr std::size_t kMaxOwner = 1024;

base::Result<base::Fd> subdirectory(base::FdRef parent, const char* name) {
    auto made = base::sys::make_directory_at(parent, name, 0700);
    if (!made && made.error().kind != base::Errc::already_exists) return std::move(made).error();
    return base::sys::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// References have slashes and owners may be long: a hash is a good file name.
std::string file_name(std::string_view name) {
    return std::string(hex_of(sha256(name)));
}

}  // namespace

base::Result<std::unique_ptr<ImageRecords>> ImageRecords::open(base::FdRef directory) {
    auto images = TRY(subdirectory(directory, "images"));
    auto references = TRY(subdirectory(directory, "references"));
    auto holds = TRY(subdirectory(directory, "holds"));
    std::unique_ptr<ImageRecords> records(
            new ImageRecords(std::move(images), std::move(references), std::move(holds)));
    TRY(records->load());
    return records;
}

base::Result<void> ImageRecords::load() {
    for (const auto& name : TRY(base::sys::list_directory(images_directory_))) {
        if (name.starts_with('.')) continue;
        const auto text = base::sys::read_file_at(images_directory_, name, kRecordBytes);
        if (!text) continue;
        auto record = parse_image_record(*text);
        if (record) images_[record->image.digest] = std::move(*record);
    }
    for (const auto& name : TRY(base::sys::list_directory(references_directory_))) {
        if (name.starts_with('.')) continue;
        const auto text = base::sys::read_file_at(references_directory_, name, kRecordBytes);
        if (!text) continue;
        auto record = parse_reference_record(*text);
        if (record && images_.contains(record->digest))
            references_[record->name] = std::move(*record);
    }
    for (const auto& name : TRY(base::sys::list_directory(holds_directory_))) {
        const auto target = base::sys::read_link_at(holds_directory_, name);
        if (!target) continue;
        const auto space = target->find(' ');
        if (space == std::string::npos) continue;
        holds_[target->substr(space + 1)] = target->substr(0, space);
    }
    return base::ok;
}

std::optional<ImageRecord> ImageRecords::image(std::string_view digest) const {
    const std::lock_guard lock(mutex_);
    const auto found = images_.find(digest);
    return found == images_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<ReferenceRecord> ImageRecords::reference(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto found = references_.find(name);
    return found == references_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<ImageRecord> ImageRecords::images() const {
    const std::lock_guard lock(mutex_);
    std::vector<ImageRecord> out;
    for (const auto& [digest, record] : images_) out.push_back(record);
    return out;
}

std::vector<ReferenceRecord> ImageRecords::references() const {
    const std::lock_guard lock(mutex_);
    std::vector<ReferenceRecord> out;
    for (const auto& [name, record] : references_) out.push_back(record);
    return out;
}

bool ImageRecords::uses_layer(std::string_view diff_id) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(images_.begin(), images_.end(), [diff_id](const auto& entry) {
        const auto& layers = entry.second.image.layers;
        return std::find(layers.begin(), layers.end(), diff_id) != layers.end();
    });
}

base::Result<void> ImageRecords::save(const ImageRecord& record) {
    const std::lock_guard writing(write_mutex_);
    TRY(base::sys::write_atomic_at(
            images_directory_, file_name(record.image.digest), to_text(record), 0600,
            base::sys::Durable::yes));
    const std::lock_guard lock(mutex_);
    images_[record.image.digest] = record;
    return base::ok;
}

base::Result<void> ImageRecords::save(const ReferenceRecord& record) {
    const std::lock_guard writing(write_mutex_);
    TRY(base::sys::write_atomic_at(
            references_directory_, file_name(record.name), to_text(record), 0600,
            base::sys::Durable::yes));
    const std::lock_guard lock(mutex_);
    references_[record.name] = record;
    return base::ok;
}

base::Result<void> ImageRecords::remove_image(const std::string& digest) {
    const std::lock_guard writing(write_mutex_);
    const std::lock_guard lock(mutex_);
    for (const auto& [owner, held] : holds_) {
        if (held == digest) {
            return base::fail(
                    base::Errc::conflict, "image {} is used by container {}", digest, owner);
        }
    }
    // References first: one without its image is dropped at the next start, an image without
    // references is only prunable.
    for (auto at = references_.begin(); at != references_.end();) {
        if (at->second.digest != digest) {
            ++at;
            continue;
        }
        TRY(base::sys::remove_at(references_directory_, file_name(at->first)));
        at = references_.erase(at);
    }
    TRY(base::sys::remove_at(images_directory_, file_name(digest)));
    images_.erase(digest);
    return base::ok;
}

base::Result<void> ImageRecords::remove_reference(const std::string& name) {
    const std::lock_guard writing(write_mutex_);
    const std::lock_guard lock(mutex_);
    TRY(base::sys::remove_at(references_directory_, file_name(name)));
    references_.erase(name);
    return base::ok;
}

base::Result<void> ImageRecords::hold(std::string_view owner, const Image& image) {
    if (owner.empty() || owner.size() > kMaxOwner) {
        return base::fail(
                base::Errc::invalid, "owner of an image: {} characters, allowed are 1 to {}",
                owner.size(), kMaxOwner);
    }
    const auto name = file_name(owner);
    // The link's target is the record: it appears with the name, so that it cannot be half-written.
    const auto target = base::format("{} {}", image.digest, owner);
    const std::lock_guard lock(mutex_);
    if (image.raw_directory.empty() && !images_.contains(image.digest)) {
        return base::fail(
                base::Errc::not_found, "image {} was removed meanwhile (hint: try again)",
                image.digest);
    }
    const auto found = holds_.find(owner);
    if (found != holds_.end() && found->second == image.digest) return base::ok;
    if (found != holds_.end()) TRY(base::sys::remove_at(holds_directory_, name));
    if (::symlinkat(target.c_str(), holds_directory_.get(), name.c_str()) != 0) {
        return base::fail_errno("note that {} uses image {}", owner, image.digest);
    }
    holds_[std::string(owner)] = image.digest;
    return base::ok;
}

base::Result<void> ImageRecords::release(std::string_view owner) {
    const std::lock_guard lock(mutex_);
    const auto found = holds_.find(owner);
    if (found == holds_.end()) return base::ok;
    TRY(base::sys::remove_at(holds_directory_, file_name(owner)));
    holds_.erase(found);
    return base::ok;
}

std::map<std::string, std::string> ImageRecords::holds() const {
    const std::lock_guard lock(mutex_);
    return {holds_.begin(), holds_.end()};
}

std::string ImageRecords::held_by(std::string_view owner) const {
    const std::lock_guard lock(mutex_);
    const auto found = holds_.find(owner);
    return found == holds_.end() ? std::string() : found->second;
}

bool ImageRecords::has_unknown_holds() const {
    const std::lock_guard lock(mutex_);
    return std::any_of(holds_.begin(), holds_.end(), [this](const auto& hold) {
        return hold.second.starts_with("sha") && !images_.contains(hold.second);
    });
}

base::Result<void> ImageRecords::sweep() {
    const std::lock_guard writing(write_mutex_);
    const std::lock_guard lock(mutex_);
    std::set<std::string> images;
    std::set<std::string> references;
    for (const auto& [digest, record] : images_) images.insert(file_name(digest));
    for (const auto& [name, record] : references_) references.insert(file_name(name));
    for (const auto& name : TRY(base::sys::list_directory(images_directory_))) {
        if (!images.contains(name)) TRY(base::sys::remove_at(images_directory_, name));
    }
    for (const auto& name : TRY(base::sys::list_directory(references_directory_))) {
        if (!references.contains(name)) TRY(base::sys::remove_at(references_directory_, name));
    }
    return base::ok;
}

}  // namespace rootfs
