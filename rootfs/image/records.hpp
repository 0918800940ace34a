// What the store remembers: images by digest, references that name them, and who holds them. Used
// by rootfs/images.cpp. One small file each, read once at open, then answered from memory. Safe
// from any thread.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/images.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs {

struct ImageRecord {  // images/<hash of digest>.json; written when every layer is in its place
    Image image;
    std::int64_t created_at = 0;  // seconds since 1970
};

struct ReferenceRecord {  // references/<hash of name>.json
    std::string name;     // one spelling for all ways to ask for it
    std::string asked;    // as somebody wrote it
    std::string digest;
    std::string stamp;  // local files: what stat said when the content was read
    std::vector<std::string>
            access;  // registries: keyed hashes of the credentials that were accepted
    std::int64_t resolved_at = 0;
    std::optional<TrustDecision> trust;  // why the digest may be used under this name (IMG-44)
};

inline constexpr std::size_t kMaxAccess = 32;  // per reference; the oldest goes

class ImageRecords {
  public:
    // `directory` exists; "images", "references" and "holds" are made below it. Unreadable records
    // are left out: pulled again.
    static base::Result<std::unique_ptr<ImageRecords>> open(base::FdRef directory);

    std::optional<ImageRecord> image(std::string_view digest) const;
    std::optional<ReferenceRecord> reference(std::string_view name) const;
    std::vector<ImageRecord> images() const;
    std::vector<ReferenceRecord> references() const;
    bool uses_layer(std::string_view diff_id) const;

    base::Result<void> save(const ImageRecord& record);      // durable
    base::Result<void> save(const ReferenceRecord& record);  // durable; the image was saved before
    // conflict while held. The image's references go with it.
    base::Result<void> remove_image(const std::string& digest);
    base::Result<void> remove_reference(const std::string& name);

    // On the path of every create: one symbolic link, no fsync; not_found when the image was
    // removed meanwhile.
    base::Result<void> hold(std::string_view owner, const Image& image);
    base::Result<void> release(std::string_view owner);  // idempotent
    std::map<std::string, std::string> holds() const;    // owner -> digest
    std::string held_by(std::string_view owner) const;   // digest; "" = nothing
    // Some container holds an image whose record is lost: its layers are unknown, so none may be
    // removed.
    bool has_unknown_holds() const;
    base::Result<void> sweep();  // what an interrupted write left

  private:
    ImageRecords(base::Fd images, base::Fd references, base::Fd holds)
        : images_directory_(std::move(images)),
          references_directory_(std::move(references)),
          holds_directory_(std::move(holds)) {}

    base::Result<void> load();

    base::Fd images_directory_;
    base::Fd references_directory_;
    base::Fd holds_directory_;
    std::mutex write_mutex_;  // fsync must not keep hold() waiting
    mutable std::mutex mutex_;
    std::map<std::string, ImageRecord, std::less<>> images_;
    std::map<std::string, ReferenceRecord, std::less<>> references_;
    std::map<std::string, std::string, std::less<>> holds_;
};

}  // namespace rootfs
