// What the store remembers of images and of who uses them: one small file each, written atomically. Used by rootfs/images.cpp.
// Safe from any thread.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/images.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs {

struct ImageRecord {
    Image image;
    std::int64_t created_at = 0;   // seconds since 1970
};

class ImageRecords {
  public:
    // `directory` exists; "records" and "holds" are made below it.
    static base::Result<ImageRecords> open(base::FdRef directory);

    base::Result<void> save(const ImageRecord& record);          // durable; replaces one of the same reference
    base::Result<std::vector<ImageRecord>> list() const;         // unreadable ones are left out: they are pulled again
    base::Result<ImageRecord> find(std::string_view reference_or_digest) const;   // not_found
    base::Result<void> remove(const ImageRecord& record);

    // On the path of every create: no fsync, the containers' own records tell the truth after a power cut.
    base::Result<void> hold(std::string_view owner, std::string_view digest);
    base::Result<void> release(std::string_view owner);          // idempotent
    struct Hold {
        std::string owner;
        std::string digest;
    };
    base::Result<std::vector<Hold>> holds() const;

  private:
    ImageRecords(base::Fd records, base::Fd holds) : records_(std::move(records)), holds_(std::move(holds)) {}

    base::Fd records_;
    base::Fd holds_;
};

}  // namespace rootfs
