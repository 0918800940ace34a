// The unpacked layers, one directory per diff id, immutable and shared by all containers. Used by
// rootfs (images) and rootfs/volume. Unpacking happens in the sandboxed program rootfs-unpack
// (IMG-20); a layer exists whole or not at all.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/images.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs {

enum class Compression : std::uint8_t { none, gzip, zstd };

// A directory that is made before a layer is unpacked, and what it is like afterwards.
struct Ancestor {
    std::string name;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t mode = 0755;
};

struct UnpackRequest {
    std::string diff_id;  // expected "sha256:…" of the uncompressed stream (IMG-29); "" = whatever
                          // it is
    base::FdRef blob;  // read from its current offset; the caller has verified its digest
    Compression compression = Compression::gzip;
    std::uint64_t compressed_size = 0;  // for the ratio limit and progress; 0 = unknown
    std::uint32_t id_limit = 65'536;    // ids at or above are refused (ID-06)
    // Not at the root but below these, outermost first; `key` then names the layer, as its content
    // is not that of its diff id.
    std::vector<Ancestor> below = {};
    std::string key = {};
};

struct LayerInfo {
    std::string diff_id;
    std::uint64_t bytes = 0;  // unpacked file bytes
    std::uint64_t entries = 0;
    std::uint64_t skipped_devices = 0;  // IMG-24
    std::uint64_t dropped_xattrs = 0;   // IMG-25
    std::string seal;                   // digest of the seal; "" = unpacked by an older version
};

struct UnpackLimits {  // IMG-04
    std::uint64_t layer_bytes = std::uint64_t{16} << 30;
    std::uint64_t ratio = 200;  // beyond ratio_free_bytes
    std::uint64_t ratio_free_bytes = std::uint64_t{64} << 20;
    std::uint64_t entries = 2'000'000;
};

class LayerStore {
  public:
    // `directory`: made when missing, 0700 root. `program`: absolute path of rootfs-unpack.
    static base::Result<std::unique_ptr<LayerStore>> open(
            std::string directory, std::string program, UnpackLimits limits);
    virtual ~LayerStore() = default;

    // Idempotent: an existing layer is returned as it is. Safe from any thread; the same diff id is
    // unpacked once.
    virtual base::Result<LayerInfo> unpack(
            const UnpackRequest& request,
            const std::function<void(std::uint64_t done)>& progress,
            const std::atomic<bool>& cancelled) = 0;
    // Takes a host directory as a layer by copying it (owners, modes, xattrs, links); `key` becomes
    // its diff id.
    virtual base::Result<LayerInfo> import_directory(
            base::FdRef source, const std::string& key) = 0;
    virtual base::Result<LayerInfo> find(std::string_view diff_id) = 0;    // not_found
    virtual std::string directory_of(std::string_view diff_id) const = 0;  // the tree itself
    virtual base::Result<std::vector<std::string>> list() = 0;
    virtual base::Result<std::uint64_t> remove(std::string_view diff_id) = 0;  // bytes freed
    virtual base::Result<void> recover() = 0;  // removes half-unpacked ones

    // Reads the whole layer and compares it with its seal; changes nothing. The caller keeps the
    // layer from being removed.
    virtual base::Result<LayerCheck> verify(
            std::string_view diff_id, const std::atomic<bool>& cancelled) = 0;
    // From here on find() has no such layer and unpack() makes it anew, beside the damaged one:
    // containers that have it mounted keep what they have. Durable.
    virtual base::Result<void> mark_damaged(std::string_view diff_id) = 0;
    virtual bool is_damaged(std::string_view diff_id) const = 0;
    // Damaged layers that were replaced, by diff id; they stay until nobody can have them mounted.
    virtual base::Result<std::vector<std::string>> retired() = 0;
    virtual base::Result<void> remove_retired(std::string_view diff_id) = 0;
};

}  // namespace rootfs
