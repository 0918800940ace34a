// The tar format (ustar, pax, GNU long names and sparse maps): headers to values and back. No file
// system here. Used by garden-copy; reading is a fuzz target, every size is bounded.
#pragma once

#include "base/result.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace garden::launch::tar {

inline constexpr std::size_t kBlock = 512;
inline constexpr std::size_t kMaxName = 4096;  // PATH_MAX: longer ones cannot be made anyway
inline constexpr std::size_t kMaxExtended = 1U << 20;  // all records of one pax header (IMG-26)
inline constexpr std::size_t kMaxSparseParts = 65536;

enum class Type : char {
    file = '0',
    hard_link = '1',
    symlink = '2',
    character = '3',
    block = '4',
    directory = '5',
    fifo = '6',
};

struct Part {  // of a sparse file: `size` bytes at `offset`
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

struct Entry {
    std::string name;
    std::string link;
    Type type = Type::file;
    std::uint32_t mode = 0644;
    std::uint64_t uid = 0;
    std::uint64_t gid = 0;
    std::uint64_t size = 0;  // bytes that follow in the archive
    std::int64_t mtime = 0;
    std::uint32_t mtime_ns = 0;
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::map<std::string, std::string> xattrs;
    bool sparse = false;
    std::uint64_t real_size = 0;  // of a sparse file
    std::vector<Part> parts;      // where its bytes go, in order
};

// Where the bytes of an archive come from: fills all of the buffer, or fewer bytes at the end only.
using Read = std::function<base::Result<std::size_t>(char* to, std::size_t size)>;

class Reader {
  public:
    explicit Reader(Read read) : read_(std::move(read)) {}

    // The next entry, empty at the end of the archive. What was left of the one before is skipped.
    base::Result<std::optional<Entry>> next();
    // The next bytes of the current entry, empty when all have been read.
    base::Result<std::string_view> data(char* buffer, std::size_t size);

  private:
    using Block = std::array<char, kBlock>;

    base::Result<bool> block(Block& to);  // false: orderly end
    base::Result<void> skip();
    base::Result<std::string> extension(std::uint64_t size);
    base::Result<void> apply(Entry& entry, const std::map<std::string, std::string>& records);
    base::Result<void> old_sparse(Entry& entry, const Block& header);
    base::Result<void> new_sparse(Entry& entry);

    Read read_;
    std::uint64_t left_ = 0;  // of the current entry's data
    std::uint64_t padding_ = 0;
};

// The header block(s) of an entry, pax records first when the old fields do not hold it.
std::string header_of(const Entry& entry);
// Zero bytes that follow `size` bytes of data.
std::size_t padding_of(std::uint64_t size);
// A relative name without "." parts: "" is the directory itself. Errc::invalid for ".." or a NUL.
base::Result<std::string> clean_name(std::string_view name);

}  // namespace garden::launch::tar
