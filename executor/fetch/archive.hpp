// Archives that strangers made: recognised by their first bytes, read with bounds, written anew as
// a plain tar in which no name leaves it. Private to executor/fetch.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

struct archive;
struct archive_entry;

namespace executor {

inline constexpr std::size_t kMaxEntryName = 4'096;

struct ArchiveLimits {
    std::uint64_t bytes = 0;  // of all files and of the tar
    std::uint64_t entries = 0;
};

// A tar or a compressed form of it, entry after entry.
class ArchiveReader {
  public:
    using Read = std::function<base::Result<std::size_t>(std::span<char>)>;

    // By its first bytes: gzip'd tar, zip, tar. Anything else is Errc::invalid "unknown archive
    // format". The descriptor stays the caller's and is read from its beginning.
    static base::Result<ArchiveReader> open_file(base::FdRef file, ArchiveLimits limits);
    // A plain tar that is only read forwards.
    static base::Result<ArchiveReader> open_tar(Read read, ArchiveLimits limits);

    ArchiveReader(ArchiveReader&&) noexcept;
    ArchiveReader& operator=(ArchiveReader&&) noexcept;
    ~ArchiveReader();

    struct Entry {
        enum class Kind : std::uint8_t { file, directory, symlink, hardlink };
        Kind kind = Kind::file;
        std::string name;        // relative, no "..", no empty and no "." parts; "" is the top
        std::string target;      // of a symlink as it is, of a hard link clean like a name
        std::uint32_t mode = 0;  // permission bits
        std::uint64_t size = 0;
        std::int64_t mtime = 0;
        std::int64_t uid = 0;
        std::int64_t gid = 0;
    };

    // Nothing at the end. Devices, fifos and sockets are Errc::invalid, as are names and hard links
    // that leave the archive; a leading / is dropped.
    base::Result<std::optional<Entry>> next();
    // Content of the last entry; 0 at its end.
    base::Result<std::size_t> read(std::span<char> into);

    struct State;

  private:
    explicit ArchiveReader(std::unique_ptr<State> state);
    base::Result<Entry> convert(::archive_entry* raw);
    std::unique_ptr<State> state_;
};

// What next() does to a name: "/a/./b/" → "a/b"; Errc::invalid when it has "..".
base::Result<std::string> clean_name(std::string_view name);

// `from`, in any of the formats, as an uncompressed tar into `to`. The bytes written.
base::Result<std::uint64_t> write_tar(
        base::FdRef from, base::FdRef to, ArchiveLimits limits, const std::stop_token& stop);

}  // namespace executor
