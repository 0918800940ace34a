// One entry of a layer archive, and the pure rules about names, ids, attributes and limits (IMG-04,
// IMG-21..26). Used by rootfs/unpack.
#pragma once

#include "base/result.hpp"

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rootfs {

// IMG-04
inline constexpr std::size_t kMaxPath = 4'096;
inline constexpr std::size_t kMaxComponent = 255;
inline constexpr std::size_t kMaxLinkTarget = 4'095;
inline constexpr std::size_t kMaxXattrs = 64;
inline constexpr std::size_t kMaxXattrValue = 65'536;

enum class EntryType : std::uint8_t { file, directory, symlink, hardlink, fifo, character, block };

struct Entry {
    std::string path;  // as in the archive
    EntryType type = EntryType::file;
    mode_t mode = 0;  // permission bits
    std::int64_t uid = 0;
    std::int64_t gid = 0;
    std::int64_t size = 0;
    std::int64_t device_major = 0;
    std::int64_t device_minor = 0;
    struct timespec modified = {};
    std::string target;  // of a link
    std::vector<std::pair<std::string, std::string>> xattrs;
};

// For error texts: control bytes escaped, cut to a readable length (API-10).
std::string printable(std::string_view path);

// "/./a//b/" → "a/b", "" for the root itself. Refuses "..", nothing at all, and what is too long
// (IMG-21).
base::Result<std::string> clean_path(std::string_view path);

enum class NameKind : std::uint8_t { plain, whiteout, opaque, reserved };

struct LayerName {
    NameKind kind = NameKind::plain;
    std::string directory;  // the parent, "" for the root
    std::string name;       // last component; of a whiteout: what it hides
};

// Splits a clean path and reads the whiteout conventions (IMG-23).
base::Result<LayerName> layer_name(std::string_view clean);

// Sizes, ids and counts in range (IMG-26, ID-06); the error names entry, value and limit.
base::Result<void> check_entry(const Entry& entry, std::uint32_t id_limit);

enum class XattrVerdict : std::uint8_t { keep, drop };
// IMG-25; `value` may be rewritten (a capability with root id 0 becomes the plain revision).
// IMG-23: overlay's own are refused.
base::Result<XattrVerdict> judge_xattr(EntryType type, std::string_view name, std::string& value);

}  // namespace rootfs
