// What may go when the disk fills up or time passes: images that no container holds, the least
// recently used first. Who asked for an image moments ago is about to hold it, so that one stays.
#include "base/fail.hpp"
#include "rootfs/images_on_disk.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <ctime>
#include <set>
#include <utility>

namespace rootfs {

namespace {

// Between ensure() and hold(): a collection must not take an image away there.
constexpr std::chrono::seconds kJustUsed{60};

}  // namespace

base::Result<StoreUse> ImagesOnDisk::use() {
    StoreUse out;
    for (const auto& layer : TRY(parts_.layers->list())) {
        if (const auto info = parts_.layers->find(layer)) out.bytes += info->bytes;
    }
    struct statvfs disk = {};
    if (::statvfs(parts_.config.directory.c_str(), &disk) != 0)
        return base::fail_errno("look at the disk of {}", parts_.config.directory);
    const auto block = static_cast<std::uint64_t>(disk.f_frsize);
    out.disk_used = (disk.f_blocks - disk.f_bfree) * block;
    // As df counts: what is reserved for root is neither used nor free.
    out.disk_size = out.disk_used + disk.f_bavail * block;
    return out;
}

// Whether `use` and `incoming` bytes more are over the limit.
bool ImagesOnDisk::over(const StoreLimit& limit, const StoreUse& use, std::uint64_t incoming) {
    if (limit.bytes != 0) return use.bytes + incoming > limit.bytes;
    return limit.percent != 0 && use.disk_used + incoming > use.disk_size / 100 * limit.percent;
}

// What a pull will at least add to the disk: the layers that are not here, as they travel.
base::Result<std::uint64_t> ImagesOnDisk::incoming_bytes(const Resolved& resolved) {
    const auto config = TRY(parse_config(resolved.config));
    const auto& layers = resolved.manifest.layers;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < layers.size() && i < config.diff_ids.size(); ++i) {
        if (!parts_.layers->find(config.diff_ids[i].get())) bytes += layers[i].size;
    }
    return bytes;
}

// Images that may go, the least recently used first.
std::vector<ImagesOnDisk::Candidate> ImagesOnDisk::candidates() const {
    std::set<std::string> held;
    for (const auto& [owner, digest] : parts_.records->holds()) held.insert(digest);
    std::vector<Candidate> out;
    for (const auto& record : parts_.records->images()) {
        const auto& digest = record.image.digest;
        if (held.contains(digest)) continue;
        out.push_back({.digest = digest, .used_at = last_use_.of(digest, record.created_at)});
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
        return a.used_at < b.used_at;
    });
    return out;
}

// False when a container came first.
base::Result<bool> ImagesOnDisk::collect_one(const std::string& digest, Collected& collected) {
    auto removed = parts_.records->remove_image(digest);
    if (!removed && removed.error().kind == base::Errc::conflict) return false;
    if (!removed) return std::move(removed).error();
    last_use_.forget(digest);
    ++collected.images;
    collected.freed_bytes += TRY(drop_unused_layers());
    return true;
}

base::Result<std::uint64_t> ImagesOnDisk::prune_unused_for(std::chrono::seconds time) {
    const std::lock_guard one_at_a_time(collecting_);
    const auto now = std::time(nullptr);
    Collected collected{.why = "asked"};
    for (const auto& candidate : candidates()) {
        if (now - candidate.used_at < time.count()) break;
        (void)TRY(collect_one(candidate.digest, collected));
    }
    collected.freed_bytes += TRY(drop_unused_layers());
    count(collected);
    return collected.freed_bytes;
}

base::Result<void> ImagesOnDisk::collect_old() {
    const auto limit = parts_.config.gc_max_age;
    if (limit.count() == 0) return base::ok;
    const std::lock_guard one_at_a_time(collecting_);
    const auto oldest = std::max<std::int64_t>(limit.count(), kJustUsed.count());
    const auto now = std::time(nullptr);
    Collected collected{.why = "age"};
    for (const auto& candidate : candidates()) {
        if (now - candidate.used_at < oldest) break;
        (void)TRY(collect_one(candidate.digest, collected));
    }
    count(collected);
    return base::ok;
}

// From the high mark down to the low one. `incoming`: what a pull is about to add.
base::Result<void> ImagesOnDisk::make_room(std::uint64_t incoming, const char* why) {
    const auto& high = parts_.config.gc_high_watermark;
    if (!high.set()) return base::ok;
    const auto& low = parts_.config.gc_low_watermark.set() ? parts_.config.gc_low_watermark : high;
    const std::lock_guard one_at_a_time(collecting_);
    if (!over(high, TRY(use()), incoming)) return base::ok;
    const auto now = std::time(nullptr);
    Collected collected{.why = why};
    for (const auto& candidate : candidates()) {
        if (now - candidate.used_at < kJustUsed.count()) break;
        (void)TRY(collect_one(candidate.digest, collected));
        if (!over(low, TRY(use()), incoming)) break;
    }
    count(collected);
    return base::ok;
}

void ImagesOnDisk::count(const Collected& collected) {
    if (collected.images == 0 && collected.freed_bytes == 0) return;
    collected_images_ += collected.images;
    collected_bytes_ += collected.freed_bytes;
    if (parts_.config.on_collected) parts_.config.on_collected(collected);
}

// Nobody waits for this; what fails now is tried again in a minute.
void ImagesOnDisk::keep_house() {
    (void)last_use_.save();
    (void)collect_old();
    (void)make_room(0, "disk");
}

StoreFigures ImagesOnDisk::figures() {
    const auto now = use();
    return {.bytes = now ? now->bytes : 0,
            .disk_used = now ? now->disk_used : 0,
            .disk_size = now ? now->disk_size : 0,
            .collected_images = collected_images_.load(),
            .collected_bytes = collected_bytes_.load()};
}

}  // namespace rootfs
