// Tar archives of local files for `cp`: packing into a descriptor, unpacking foreign archives
// without leaving a directory.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace cli {

using TarSource = std::function<base::Result<std::size_t>(std::span<char>)>;  // 0 = the end

// `path` (file, link or tree; links are not followed) under the name `name`; "." packs a
// directory's content.
base::Result<void> pack_tar(const std::string& path, const std::string& name, base::FdRef into);

// Unpacks below `directory`. The first component of every name, `from`, becomes `to` ("" drops it).
// The archive comes from a container and is hostile: absolute names, "..", links on the way,
// devices and set-id bits do not get through.
base::Result<void> unpack_tar(
        const TarSource& tar,
        const std::string& directory,
        const std::string& from,
        const std::string& to);

enum class EntryKind : std::uint8_t { none, directory, other };
// What the first entry of an archive is.
base::Result<EntryKind> first_entry(const TarSource& tar);

// The content of an archive's first entry, a regular file of at most `limit` bytes. Errc::exhausted
// for a longer one, not_found for an empty archive.
base::Result<std::string> only_file(const TarSource& tar, std::size_t limit);

}  // namespace cli
