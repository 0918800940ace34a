// The files of a local image: a directory, or the members of an uncompressed tar file. Used by
// rootfs/fetch/layout.cpp and docker_archive.cpp. The host path is the operator's; what is inside
// may be foreign, so names never leave it and all is bounded.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/fetch/source.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace rootfs {

struct Part {  // a stretch of a file
    base::Fd file;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

class Files {
  public:
    Files() = default;
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;
    virtual ~Files() = default;
    virtual base::Result<Part> open(const std::string& name) const = 0;  // not_found
};

base::Result<std::unique_ptr<Files>> open_directory_files(const std::string& path);
base::Result<std::unique_ptr<Files>> open_tar_files(const std::string& path);

inline constexpr std::size_t kMaxTarMembers = 10'000;
inline constexpr std::uint64_t kMaxTarHeader = 1 << 20;  // one pax or long-name record

struct TarMember {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::string link;  // symbolic links: the target
};

// Where the members of the tar file `file` lie; Errc::corrupt for what is no tar file.
base::Result<std::map<std::string, TarMember>> index_tar(base::FdRef file);

base::Result<std::string> read_part(const Part& part, std::size_t limit, std::string_view what);
// Copies a part into a nameless file while hashing it, and compares (IMG-02). `digest` empty: only
// copies.
base::Result<base::Fd> copy_part(
        const Part& part,
        const Digest& digest,
        base::FdRef scratch,
        const ByteCount& received,
        const Cancelled& cancelled);
// What the first bytes say; the file position stays.
base::Result<Packing> sniff_packing(base::FdRef file);

}  // namespace rootfs
