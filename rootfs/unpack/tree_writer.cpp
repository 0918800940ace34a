#include "rootfs/unpack/tree_writer.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/xattr.hpp"
#include "rootfs/store/tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

constexpr mode_t kImplicitDirectory = 0755;

bool is_whiteout(const struct ::stat& status) {
    return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

Result<Fd> open_directory(FdRef root, const std::string& path, int flags = O_PATH) {
    return sys::open_in(
            root, path.empty() ? "." : path, flags | O_DIRECTORY | O_NOFOLLOW,
            sys::Resolve::beneath_no_links);
}

template <class Map>
void erase_below(Map& map, const std::string& path) {
    map.erase(path);
    const std::string prefix = path + "/";
    for (auto at = map.lower_bound(prefix); at != map.end();) {
        const std::string* key = nullptr;
        if constexpr (requires { at->first; }) {
            key = &at->first;
        } else {
            key = &*at;
        }
        if (key->compare(0, prefix.size(), prefix) != 0) break;
        at = map.erase(at);
    }
}

}  // namespace

Result<void> TreeWriter::add(const Entry& entry, const DataSource& data) {
    if (++counts_.entries > limits_.entries) {
        return base::fail(
                Errc::exhausted, "the layer has more than the allowed {} entries", limits_.entries);
    }
    TRY(check_entry(entry, id_limit_));
    const std::string path = TRY(clean_path(entry.path));
    if (path.empty()) return add_root(entry);
    const LayerName name = TRY(layer_name(path));
    if (name.kind == NameKind::reserved) return base::ok;
    if (name.kind == NameKind::opaque) return add_opaque(name.directory);
    auto parent = parent_of(name.directory);
    if (!parent)
        return std::move(parent).error().context(base::format("entry {}", printable(entry.path)));
    // Of a whiteout this is the path that it hides.
    const std::string shown = name.directory.empty() ? name.name : name.directory + "/" + name.name;
    const Place place{.parent = *parent, .name = name.name, .path = shown};
    auto added =
            name.kind == NameKind::whiteout ? add_whiteout(place) : add_plain(entry, place, data);
    // `data` errors name the archive, the others the entry.
    return std::move(added).context(base::format("entry {}", printable(entry.path)));
}

Result<void> TreeWriter::add_plain(const Entry& entry, const Place& place, const DataSource& data) {
    switch (entry.type) {
        case EntryType::file:
            return add_file(entry, place, data);
        case EntryType::directory:
            return add_directory(entry, place);
        case EntryType::symlink:
            return add_symlink(entry, place);
        case EntryType::hardlink:
            return add_hardlink(entry, place);
        case EntryType::fifo:
            return add_fifo(entry, place);
        case EntryType::character:
        case EntryType::block:
            return skip_device(entry);
    }
    return base::fail(Errc::internal, "unknown type");
}

// Parents are resolved beneath the root, through no link (IMG-21); most entries follow each other
// in one directory.
Result<FdRef> TreeWriter::parent_of(const std::string& directory) {
    if (directory.empty()) return root_;
    if (cached_ && directory == cached_path_) return FdRef(cached_);
    auto opened = open_directory(root_, directory);
    if (!opened) opened = make_parents(directory);
    if (!opened) return std::move(opened).error();
    cached_ = std::move(*opened);
    cached_path_ = directory;
    return FdRef(cached_);
}

Result<Fd> TreeWriter::make_parents(const std::string& directory) {
    Fd current = TRY(open_directory(root_, ""));
    std::string walked;
    for (std::size_t at = 0; at < directory.size();) {
        const auto end = std::min(directory.find('/', at), directory.size());
        const std::string name = directory.substr(at, end - at);
        at = end + 1;
        walked += walked.empty() ? name : "/" + name;
        TRY(make_parent(current, name, walked));
        current = TRY(open_directory(current, name));
    }
    return current;
}

Result<void> TreeWriter::make_parent(
        FdRef parent, const std::string& name, const std::string& path) {
    if (::mkdirat(parent.get(), name.c_str(), kImplicitDirectory) == 0) return base::ok;
    if (errno != EEXIST) return base::fail_errno("make directory {}", printable(path));
    const auto status = TRY(sys::stat_at(parent, name));
    if (is_whiteout(status)) {
        // Removed below and made anew here: the new one shows nothing of the old.
        TRY(sys::remove_at(parent, name));
        TRY(sys::make_directory_at(parent, name, kImplicitDirectory));
        opaque_.insert(path);
        return base::ok;
    }
    if (S_ISDIR(status.st_mode)) return base::ok;
    return base::fail(
            Errc::invalid, "its directory {} is {}", printable(path),
            S_ISLNK(status.st_mode) ? "a symbolic link" : "not a directory");
}

Result<void> TreeWriter::remove_what_is_there(const Place& place) {
    const auto status = TRY(sys::stat_at(place.parent, place.name));
    if (!S_ISDIR(status.st_mode)) return sys::remove_at(place.parent, place.name);
    TRY(remove_tree(place.parent, place.name));
    erase_below(times_, place.path);
    erase_below(opaque_, place.path);
    // A cached parent in the removed tree is a directory without a name now: nothing can be made in
    // it, and `place.parent`, which is above, is another one.
    if (cached_path_ == place.path || cached_path_.starts_with(place.path + "/"))
        cached_ = base::Fd();
    return base::ok;
}

Result<void> TreeWriter::make_in_place(
        const Place& place, const std::function<int()>& make, std::string_view what) {
    if (make() == 0) return base::ok;
    if (errno == EEXIST) {
        TRY(remove_what_is_there(place));
        if (make() == 0) return base::ok;
    }
    return base::fail_errno("make {}", what);
}

Result<void> TreeWriter::add_root(const Entry& entry) {
    if (entry.type != EntryType::directory)
        return base::fail(
                Errc::invalid, "entry {}: the root is not a directory", printable(entry.path));
    Fd root = TRY(open_directory(root_, "", O_RDONLY));
    TRY(set_attributes(entry, root));
    times_[""] = entry.modified;
    return base::ok;
}

Result<void> TreeWriter::add_directory(const Entry& entry, const Place& place) {
    if (::mkdirat(place.parent.get(), place.name.c_str(), entry.mode & 0777) != 0) {
        if (errno != EEXIST) return base::fail_errno("make directory");
        const auto status = TRY(sys::stat_at(place.parent, place.name));
        if (!S_ISDIR(status.st_mode)) {
            TRY(sys::remove_at(place.parent, place.name));
            TRY(sys::make_directory_at(place.parent, place.name, entry.mode & 0777));
            if (is_whiteout(status)) opaque_.insert(place.path);
        }
    }
    Fd made = TRY(open_directory(place.parent, place.name, O_RDONLY));
    TRY(set_attributes(entry, made));
    times_[place.path] = entry.modified;
    return base::ok;
}

Result<void> TreeWriter::add_file(const Entry& entry, const Place& place, const DataSource& data) {
    if (static_cast<std::uint64_t>(entry.size) >
        limits_.layer_bytes - std::min(counts_.bytes, limits_.layer_bytes)) {
        return base::fail(
                Errc::exhausted, "{} bytes on top of {}, more than the allowed {} for a layer",
                entry.size, counts_.bytes, limits_.layer_bytes);
    }
    Fd file;
    TRY(make_in_place(
            place,
            [&] {
                constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
                auto opened = sys::open_at(place.parent, place.name, kFlags, entry.mode & 0777);
                if (!opened) {
                    errno = opened.error().sys;
                    return -1;
                }
                file = std::move(*opened);
                return 0;
            },
            "file"));
    TRY(write_data(entry, file, data));
    TRY(set_attributes(entry, file));
    const std::array times{entry.modified, entry.modified};
    if (::futimens(file.get(), times.data()) != 0) return base::fail_errno("set times");
    counts_.bytes += static_cast<std::uint64_t>(entry.size);
    return base::ok;
}

Result<void> TreeWriter::write_data(const Entry& entry, FdRef file, const DataSource& data) {
    std::int64_t end = 0;
    for (;;) {
        const auto block = TRY(data());
        if (!block) break;
        auto bytes = block->bytes;
        std::int64_t offset = block->offset;
        if (offset < end || offset > entry.size ||
            static_cast<std::int64_t>(bytes.size()) > entry.size - offset) {
            return base::fail(
                    Errc::corrupt, "data at {} lies outside of its {} bytes", offset, entry.size);
        }
        while (!bytes.empty()) {
            const ssize_t n = ::pwrite(file.get(), bytes.data(), bytes.size(), offset);
            if (n < 0) {
                if (errno == EINTR) continue;
                return base::fail_errno("write {} bytes", bytes.size());
            }
            bytes = bytes.subspan(static_cast<std::size_t>(n));
            offset += n;
        }
        end = offset;
    }
    // What the archive leaves out is a hole; what it should have had and has not is an error of the
    // reader already.
    if (end < entry.size && ::ftruncate(file.get(), entry.size) != 0)
        return base::fail_errno("extend to {} bytes", entry.size);
    return base::ok;
}

// Order matters: writing and chown drop SUID bits and file capabilities (NNP-04).
Result<void> TreeWriter::set_attributes(const Entry& entry, FdRef file) {
    const auto uid = static_cast<uid_t>(entry.uid);
    const auto gid = static_cast<gid_t>(entry.gid);
    if (::fchown(file.get(), uid, gid) != 0)
        return base::fail_errno("give to {}:{}", entry.uid, entry.gid);
    if (::fchmod(file.get(), entry.mode & 07777) != 0)
        return base::fail_errno("set mode {:o}", entry.mode & 07777U);
    return set_xattrs(entry, file);
}

Result<void> TreeWriter::set_xattrs(const Entry& entry, FdRef file) {
    for (const auto& [name, original] : entry.xattrs) {
        std::string value = original;
        if (TRY(judge_xattr(entry.type, name, value)) == XattrVerdict::drop) {
            ++counts_.dropped_xattrs;
            continue;
        }
        TRY(sys::set_xattr(file, name, value));
    }
    return base::ok;
}

Result<void> TreeWriter::set_link_attributes(const Entry& entry, const Place& place) {
    const int parent = place.parent.get();
    const char* name = place.name.c_str();
    if (::fchownat(
                parent, name, static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid),
                AT_SYMLINK_NOFOLLOW) != 0) {
        return base::fail_errno("give to {}:{}", entry.uid, entry.gid);
    }
    for (const auto& [attribute, original] : entry.xattrs) {
        std::string value = original;
        (void)TRY(judge_xattr(
                entry.type, attribute,
                value));  // nothing is kept on links, but overlay's own is still refused
        ++counts_.dropped_xattrs;
    }
    const std::array times{entry.modified, entry.modified};
    if (::utimensat(parent, name, times.data(), AT_SYMLINK_NOFOLLOW) != 0)
        return base::fail_errno("set times");
    return base::ok;
}

Result<void> TreeWriter::add_symlink(const Entry& entry, const Place& place) {
    TRY(make_in_place(
            place,
            [&] {
                return ::symlinkat(entry.target.c_str(), place.parent.get(), place.name.c_str());
            },
            "symbolic link"));
    return set_link_attributes(entry, place);
}

Result<void> TreeWriter::add_fifo(const Entry& entry, const Place& place) {
    TRY(make_in_place(
            place,
            [&] {
                return ::mknodat(
                        place.parent.get(), place.name.c_str(), S_IFIFO | (entry.mode & 0777), 0);
            },
            "fifo"));
    TRY(set_link_attributes(entry, place));
    if (::fchmodat(place.parent.get(), place.name.c_str(), entry.mode & 07777, 0) != 0)
        return base::fail_errno("set mode");
    return base::ok;
}

// IMG-22: a target is a file of this layer, never a link, and reached through none.
Result<void> TreeWriter::add_hardlink(const Entry& entry, const Place& place) {
    const std::string target = TRY(clean_path(entry.target).context("hard link target"));
    if (target == place.path) return base::fail(Errc::invalid, "a hard link to itself");
    const auto slash = target.rfind('/');
    const std::string name = slash == std::string::npos ? target : target.substr(slash + 1);
    auto directory =
            open_directory(root_, slash == std::string::npos ? "" : target.substr(0, slash));
    if (!directory || target.empty()) {
        return base::fail(
                Errc::invalid, "hard link target {} is not in this layer", printable(entry.target));
    }
    auto status = sys::stat_at(*directory, name);
    if (!status)
        return base::fail(
                Errc::invalid, "hard link target {} is not in this layer", printable(entry.target));
    if (!S_ISREG(status->st_mode) && !S_ISFIFO(status->st_mode)) {
        return base::fail(
                Errc::invalid, "hard link target {} is not a file", printable(entry.target));
    }
    return make_in_place(
            place,
            [&] {
                return ::linkat(
                        directory->get(), name.c_str(), place.parent.get(), place.name.c_str(), 0);
            },
            "hard link");
}

// IMG-24; a 0:0 character device would be a whiteout that nobody asked for (IMG-23).
Result<void> TreeWriter::skip_device(const Entry& entry) {
    if (entry.type == EntryType::character && entry.device_major == 0 && entry.device_minor == 0) {
        return base::fail(Errc::invalid, "a character device 0:0 is not for images");
    }
    ++counts_.skipped_devices;
    return base::ok;
}

// A whiteout speaks about the layers below. What this layer itself brings under the name stays, and
// hides what is below wholly.
Result<void> TreeWriter::add_whiteout(const Place& place) {
    if (::mknodat(place.parent.get(), place.name.c_str(), S_IFCHR, 0) == 0) return base::ok;
    if (errno != EEXIST) return base::fail_errno("make a whiteout");
    const auto status = TRY(sys::stat_at(place.parent, place.name));
    if (S_ISDIR(status.st_mode)) opaque_.insert(place.path);
    return base::ok;
}

Result<void> TreeWriter::add_opaque(const std::string& directory) {
    TRY(parent_of(directory).context(base::format("opaque directory {}", printable(directory))));
    opaque_.insert(directory);
    return base::ok;
}

Result<void> TreeWriter::finish(const std::function<Result<void>(const std::string&)>& opaque) {
    for (auto at = times_.rbegin(); at != times_.rend(); ++at) {
        Fd directory = TRY(open_directory(root_, at->first, O_RDONLY)
                                   .context("set times of " + printable(at->first)));
        const std::array times{at->second, at->second};
        if (::futimens(directory.get(), times.data()) != 0)
            return base::fail_errno("set times of {}", printable(at->first));
    }
    for (const auto& directory : opaque_) TRY(opaque(directory));
    return base::ok;
}

}  // namespace rootfs
