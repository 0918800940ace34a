// Writes the entries of one layer below a directory descriptor and nowhere else (IMG-21..25). Used
// by rootfs/unpack/extract. Overlay's form is made on the way: whiteouts become 0:0 nodes, opaque
// directories are listed for the engine (IMG-23).
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/store/layers.hpp"
#include "rootfs/unpack/entry.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace rootfs {

struct DataBlock {
    std::span<const char> bytes;
    std::int64_t offset = 0;  // gaps are holes
};

// The next block of the current file; nothing at its end.
using DataSource = std::function<base::Result<std::optional<DataBlock>>()>;

struct WriteCounts {
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
    std::uint64_t skipped_devices = 0;
    std::uint64_t dropped_xattrs = 0;
};

class TreeWriter {
  public:
    TreeWriter(base::FdRef root, UnpackLimits limits, std::uint32_t id_limit)
        : root_(root), limits_(limits), id_limit_(id_limit) {}

    base::Result<void> add(const Entry& entry, const DataSource& data);
    // Directory times last, as every entry in a directory changes them. Then the opaque
    // directories, each once.
    base::Result<void> finish(const std::function<base::Result<void>(const std::string&)>& opaque);

    WriteCounts& counts() { return counts_; }

  private:
    struct Place {
        base::FdRef parent;
        const std::string& name;
        const std::string& path;
    };

    base::Result<void> add_plain(const Entry& entry, const Place& place, const DataSource& data);
    base::Result<void> add_directory(const Entry& entry, const Place& place);
    base::Result<void> add_root(const Entry& entry);
    base::Result<void> add_file(const Entry& entry, const Place& place, const DataSource& data);
    base::Result<void> add_symlink(const Entry& entry, const Place& place);
    base::Result<void> add_hardlink(const Entry& entry, const Place& place);
    base::Result<void> add_fifo(const Entry& entry, const Place& place);
    base::Result<void> skip_device(const Entry& entry);
    base::Result<void> add_whiteout(const Place& place);
    base::Result<void> add_opaque(const std::string& directory);

    base::Result<void> write_data(const Entry& entry, base::FdRef file, const DataSource& data);
    base::Result<void> set_attributes(
            const Entry& entry, base::FdRef file);  // owner, mode, xattrs: in this order
    base::Result<void> set_xattrs(const Entry& entry, base::FdRef file);
    base::Result<void> set_link_attributes(const Entry& entry, const Place& place);
    // Runs `make`; when something is in the way, removes that first and runs it again (IMG-22).
    base::Result<void> make_in_place(
            const Place& place, const std::function<int()>& make, std::string_view what);
    base::Result<void> remove_what_is_there(const Place& place);

    base::Result<base::FdRef> parent_of(const std::string& directory);
    base::Result<base::Fd> make_parents(const std::string& directory);
    base::Result<void> make_parent(
            base::FdRef parent, const std::string& name, const std::string& path);

    base::FdRef root_;
    UnpackLimits limits_;
    std::uint32_t id_limit_;
    WriteCounts counts_;
    std::string cached_path_;
    base::Fd cached_;
    std::map<std::string, struct timespec> times_;
    std::set<std::string> opaque_;
};

}  // namespace rootfs
