#include "executor/fetch/extract.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "executor/fetch/download.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

namespace executor {

namespace {

namespace sys = base::sys;
using base::Errc;
using Entry = ArchiveReader::Entry;

constexpr std::uint64_t kBlock = 4'096;
// For every directory, whatever the archive says: readable for all, and ours to write into.
constexpr mode_t kDirectoryMode = 0755;

mode_t readable(std::uint32_t mode) {
    mode_t out = (mode & 0777U) | 0444U;
    if ((mode & 0111U) != 0) out |= 0111U;
    return out & ~mode_t{022};
}

class Extraction {
  public:
    Extraction(ArchiveReader& reader, base::FdRef top, const std::stop_token& stop)
        : reader_(reader), top_(top), stop_(stop) {}

    base::Result<void> add(const Entry& entry) {
        if (entry.name.empty()) return base::ok;  // the top itself
        const auto slash = entry.name.rfind('/');
        const bool nested = slash != std::string::npos;
        const auto name = nested ? entry.name.substr(slash + 1) : entry.name;
        auto parent = TRY(directory(nested ? entry.name.substr(0, slash) : std::string()));
        used_ += kBlock;
        switch (entry.kind) {
            case Entry::Kind::directory:
                return make_directory(entry);
            case Entry::Kind::file:
                return make_file(entry, parent, name);
            case Entry::Kind::symlink:
                return make_symlink(entry, parent, name);
            case Entry::Kind::hardlink:
                return make_hardlink(entry, parent, name);
        }
        base::panic("entry kind");
    }

    std::uint64_t used() const { return used_; }

  private:
    // A component that is a link, or a file, ends it here: nothing of an archive is followed.
    base::Result<base::Fd> directory(const std::string& path) {
        if (path.empty()) return sys::duplicate(top_);
        return sys::make_directories_in(top_, path, kDirectoryMode)
                .context("archive: make directory '" + path.substr(0, 128) + "'");
    }

    base::Result<void> make_directory(const Entry& entry) {
        (void)TRY(directory(entry.name));
        return base::ok;
    }

    // A later entry of the same name wins, as with tar. A directory is not replaced.
    base::Result<void> make_room(base::FdRef parent, const std::string& name) {
        return sys::remove_at(parent, name).context("archive: replace an entry");
    }

    base::Result<void> make_file(const Entry& entry, base::FdRef parent, const std::string& name) {
        TRY(make_room(parent, name));
        const auto file =
                TRY(sys::open_at(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        std::vector<char> piece(std::size_t{128} << 10);
        for (auto left = entry.size; left > 0;) {
            if (stop_.stop_requested()) return stopped("unpacking");
            const auto count = TRY(reader_.read(piece));
            TRY(sys::write_all(file, std::string_view(piece.data(), count))
                        .context("unpack a file"));
            left -= count;
        }
        used_ += (entry.size + kBlock - 1) / kBlock * kBlock;
        if (::fchmod(file.get(), readable(entry.mode)) != 0)
            return base::fail_errno("set the mode of an unpacked file");
        const ::timespec times[2] = {
                {.tv_sec = entry.mtime, .tv_nsec = 0}, {.tv_sec = entry.mtime, .tv_nsec = 0}};
        (void)::futimens(file.get(), times);  // a time that this file system cannot hold
        return base::ok;
    }

    base::Result<void> make_symlink(
            const Entry& entry, base::FdRef parent, const std::string& name) {
        TRY(make_room(parent, name));
        // Whatever it points to is resolved inside a container, or nowhere.
        if (::symlinkat(entry.target.c_str(), parent.get(), name.c_str()) != 0)
            return base::fail_errno("archive: make a symbolic link");
        return base::ok;
    }

    base::Result<void> make_hardlink(
            const Entry& entry, base::FdRef parent, const std::string& name) {
        const auto slash = entry.target.rfind('/');
        const bool nested = slash != std::string::npos;
        const auto from = nested ? entry.target.substr(slash + 1) : entry.target;
        base::Fd opened;
        if (nested)
            opened = TRY(sys::open_in(
                                 top_, entry.target.substr(0, slash), O_PATH | O_DIRECTORY,
                                 sys::Resolve::beneath_no_links)
                                 .context("archive: follow a hard link"));
        const base::FdRef there = nested ? base::FdRef(opened) : top_;
        if (entry.target == entry.name) return base::ok;
        TRY(make_room(parent, name));
        // Without AT_SYMLINK_FOLLOW: a link to a link stays in the archive.
        if (::linkat(there.get(), from.c_str(), parent.get(), name.c_str(), 0) != 0)
            return base::fail_errno("archive: make a hard link");
        return base::ok;
    }

    ArchiveReader& reader_;
    base::FdRef top_;
    const std::stop_token& stop_;
    std::uint64_t used_ = kBlock;
};

}  // namespace

base::Result<std::uint64_t> extract(
        base::FdRef archive, base::FdRef top, ArchiveLimits limits, const std::stop_token& stop) {
    auto reader = TRY(ArchiveReader::open_file(archive, limits));
    Extraction extraction(reader, top, stop);
    for (;;) {
        if (stop.stop_requested()) return stopped("unpacking");
        const auto entry = TRY(reader.next());
        if (!entry) return extraction.used();
        TRY(extraction.add(*entry));
    }
}

}  // namespace executor
