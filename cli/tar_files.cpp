#include "cli/tar_files.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/partial.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <archive.h>
#include <archive_entry.h>

namespace cli {

namespace {

struct FreeArchive {
    void operator()(::archive* a) const { (void)::archive_free(a); }
};

struct FreeEntry {
    void operator()(::archive_entry* e) const { ::archive_entry_free(e); }
};

using Archive = std::unique_ptr<::archive, FreeArchive>;
using Entry = std::unique_ptr<::archive_entry, FreeEntry>;

base::Error archive_fail(::archive* a, const std::string& what) {
    const char* text = ::archive_error_string(a);
    return base::fail(
            base::Errc::corrupt, "{}: {}", what, text != nullptr ? text : "unknown reason");
}

base::Result<void> write_content(::archive* out, const std::string& path, std::int64_t size) {
    const auto file = TRY(base::sys::open_host(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    std::vector<char> piece(std::size_t{64} << 10);
    // The header has promised `size`: a file that grows meanwhile is cut, one that shrinks is an
    // error.
    while (size > 0) {
        const auto wanted = std::min<std::size_t>(piece.size(), static_cast<std::size_t>(size));
        const auto count = TRY(base::sys::read_some(file, std::span(piece).first(wanted))
                                       .context("read " + path))
                                   .value_or(0);
        if (count == 0)
            return base::fail(
                    base::Errc::conflict, "{}: the file became shorter while it was copied", path);
        if (::archive_write_data(out, piece.data(), count) < 0)
            return archive_fail(out, "pack " + path);
        size -= static_cast<std::int64_t>(count);
    }
    return base::ok;
}

base::Result<void> pack_one(::archive* out, const std::string& path, const std::string& name) {
    struct ::stat status {};

    if (::lstat(path.c_str(), &status) != 0) return base::fail_errno("copy {}", path);
    if (S_ISSOCK(status.st_mode)) return base::ok;  // a socket has no content to take along
    Entry entry(::archive_entry_new());
    ::archive_entry_copy_stat(entry.get(), &status);
    ::archive_entry_copy_pathname(entry.get(), name.c_str());
    if (S_ISLNK(status.st_mode)) {
        std::error_code error;
        const auto target = std::filesystem::read_symlink(path, error);
        if (error)
            return base::fail(base::Errc::internal, "read link {}: {}", path, error.message());
        ::archive_entry_copy_symlink(entry.get(), target.c_str());
        ::archive_entry_set_size(entry.get(), 0);
    }
    if (!S_ISREG(status.st_mode)) ::archive_entry_set_size(entry.get(), 0);
    if (::archive_write_header(out, entry.get()) != ARCHIVE_OK)
        return archive_fail(out, "pack " + path);
    return S_ISREG(status.st_mode) ? write_content(out, path, status.st_size) : base::ok;
}

base::Result<void> pack_tree(::archive* out, const std::string& path, const std::string& name) {
    TRY(pack_one(out, path, name));
    std::error_code error;
    if (!std::filesystem::is_directory(std::filesystem::symlink_status(path, error)))
        return base::ok;
    std::filesystem::recursive_directory_iterator walk(path, error);
    if (error)
        return base::fail(base::Errc::denied, "read directory {}: {}", path, error.message());
    const std::filesystem::recursive_directory_iterator end;
    for (; walk != end; walk.increment(error)) {
        if (error) break;
        const auto inner = walk->path().lexically_relative(path).string();
        TRY(pack_one(out, walk->path().string(), name + "/" + inner));
    }
    if (error)
        return base::fail(base::Errc::denied, "read directory {}: {}", path, error.message());
    return base::ok;
}

// What libarchive's reader calls, and where its last error waits.
struct Feed {
    const TarSource& source;
    std::vector<char> piece = std::vector<char>(std::size_t{64} << 10);
    std::optional<base::Error> error;
};

la_ssize_t read_feed(::archive* a, void* data, const void** block) {
    auto& feed = *static_cast<Feed*>(data);
    auto count = feed.source(feed.piece);
    *block = feed.piece.data();
    if (count) return static_cast<la_ssize_t>(*count);
    ::archive_set_error(a, EIO, "%s", count.error().text.c_str());
    feed.error = std::move(count).error();
    return -1;
}

base::Result<Archive> open_reader(Feed& feed) {
    Archive in(::archive_read_new());
    ::archive_read_support_format_tar(in.get());
    if (::archive_read_open(in.get(), &feed, nullptr, read_feed, nullptr) != ARCHIVE_OK) {
        if (feed.error) return std::move(*feed.error);
        return archive_fail(in.get(), "read archive");
    }
    return in;
}

// "from/x" → "to/x"; "./x" counts as it stands. Nothing when the name does not begin with `from`.
std::optional<std::string> renamed(
        std::string name, const std::string& from, const std::string& to) {
    while (name.starts_with("./")) name.erase(0, 2);
    while (name.ends_with('/')) name.pop_back();
    if (from.empty() || from == ".")
        return to.empty() ? name : (name.empty() || name == "." ? to : to + "/" + name);
    if (name == from) return to;
    if (!name.starts_with(from + "/")) return {};
    const auto rest = name.substr(from.size() + 1);
    return to.empty() ? rest : to + "/" + rest;
}

base::Result<void> copy_data(::archive* in, ::archive* out, const std::string& name) {
    for (;;) {
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int status = ::archive_read_data_block(in, &block, &size, &offset);
        if (status == ARCHIVE_EOF) return base::ok;
        if (status < ARCHIVE_WARN) return archive_fail(in, "unpack " + name);
        if (::archive_write_data_block(out, block, size, offset) < ARCHIVE_WARN)
            return archive_fail(out, "unpack " + name);
    }
}

base::Result<void> unpack_entry(
        ::archive* in,
        ::archive* out,
        ::archive_entry* entry,
        const std::string& from,
        const std::string& to) {
    const std::string name =
            ::archive_entry_pathname(entry) != nullptr ? ::archive_entry_pathname(entry) : "";
    const auto target = renamed(name, from, to);
    if (!target)
        return base::fail(base::Errc::corrupt, "archive entry '{}' is outside of '{}'", name, from);
    if (target->empty() || *target == ".") return base::ok;  // the directory itself
    const auto type = ::archive_entry_filetype(entry);
    if (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK &&
        ::archive_entry_hardlink(entry) == nullptr)
        return base::ok;  // devices, pipes and sockets of a container are not for this machine
    ::archive_entry_copy_pathname(entry, target->c_str());
    if (const char* link = ::archive_entry_hardlink(entry)) {
        const auto other = renamed(link, from, to);
        if (!other)
            return base::fail(
                    base::Errc::corrupt, "archive entry '{}' links to '{}' outside of '{}'", name,
                    link, from);
        ::archive_entry_copy_hardlink(entry, other->c_str());
    }
    ::archive_entry_set_perm(entry, ::archive_entry_perm(entry) & 0777);
    if (::archive_write_header(out, entry) < ARCHIVE_WARN)
        return archive_fail(out, "unpack " + *target);
    TRY(copy_data(in, out, *target));
    if (::archive_write_finish_entry(out) < ARCHIVE_WARN)
        return archive_fail(out, "unpack " + *target);
    return base::ok;
}

}  // namespace

base::Result<void> pack_tar(const std::string& path, const std::string& name, base::FdRef into) {
    Archive out(::archive_write_new());
    ::archive_write_set_format_pax_restricted(out.get());
    ::archive_write_set_bytes_in_last_block(out.get(), 1);
    if (::archive_write_open_fd(out.get(), into.get()) != ARCHIVE_OK)
        return archive_fail(out.get(), "pack " + path);
    TRY(pack_tree(out.get(), path, name));
    if (::archive_write_close(out.get()) != ARCHIVE_OK)
        return archive_fail(out.get(), "pack " + path);
    return base::ok;
}

base::Result<void> unpack_tar(
        const TarSource& tar,
        const std::string& directory,
        const std::string& from,
        const std::string& to) {
    Feed feed{.source = tar, .error = {}};
    const auto in = TRY(open_reader(feed));
    // libarchive's checks of links work on relative names, so we stand in the directory; the CLI
    // has one thread here.
    if (::chdir(directory.c_str()) != 0)
        return base::fail_errno("change to directory {}", directory);
    Archive out(::archive_write_disk_new());
    ::archive_write_disk_set_options(
            out.get(), ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                               ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                               ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
    for (bool any = false;; any = true) {
        ::archive_entry* entry = nullptr;
        const int status = ::archive_read_next_header(in.get(), &entry);
        if (status == ARCHIVE_EOF && any) break;
        if (status == ARCHIVE_EOF) return base::fail(base::Errc::not_found, "the archive is empty");
        if (feed.error) return std::move(*feed.error);
        if (status < ARCHIVE_WARN) return archive_fail(in.get(), "read archive");
        TRY(unpack_entry(in.get(), out.get(), entry, from, to));
        if (feed.error) return std::move(*feed.error);
    }
    if (::archive_write_close(out.get()) < ARCHIVE_WARN) return archive_fail(out.get(), "unpack");
    return base::ok;
}

base::Result<EntryKind> first_entry(const TarSource& tar) {
    Feed feed{.source = tar, .error = {}};
    const auto in = TRY(open_reader(feed));
    ::archive_entry* entry = nullptr;
    const int status = ::archive_read_next_header(in.get(), &entry);
    if (feed.error) return std::move(*feed.error);
    if (status == ARCHIVE_EOF) return EntryKind::none;
    if (status < ARCHIVE_WARN) return archive_fail(in.get(), "read archive");
    return ::archive_entry_filetype(entry) == AE_IFDIR ? EntryKind::directory : EntryKind::other;
}

base::Result<std::string> only_file(const TarSource& tar, std::size_t limit) {
    Feed feed{.source = tar, .error = {}};
    const auto in = TRY(open_reader(feed));
    ::archive_entry* entry = nullptr;
    const int status = ::archive_read_next_header(in.get(), &entry);
    if (feed.error) return std::move(*feed.error);
    if (status == ARCHIVE_EOF) return base::fail(base::Errc::not_found, "the archive is empty");
    if (status < ARCHIVE_WARN) return archive_fail(in.get(), "read archive");
    if (::archive_entry_filetype(entry) != AE_IFREG)
        return base::fail(base::Errc::invalid, "it is not a regular file");
    // What the header says of the size is the container's word; what comes is counted.
    std::string content;
    std::array<char, 64 * 1024> piece{};
    for (;;) {
        const auto count = ::archive_read_data(in.get(), piece.data(), piece.size());
        if (feed.error) return std::move(*feed.error);
        if (count < 0) return archive_fail(in.get(), "read archive");
        if (count == 0) return content;
        if (content.size() + static_cast<std::size_t>(count) > limit)
            return base::fail(
                    base::Errc::exhausted, "it is too large: the limit is {} bytes", limit);
        content.append(piece.data(), static_cast<std::size_t>(count));
    }
}

}  // namespace cli
