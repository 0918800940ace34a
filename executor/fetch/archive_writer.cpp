// The second half of archive.hpp: what was read, written as one plain tar.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "executor/fetch/archive.hpp"
#include "executor/fetch/download.hpp"

#include <memory>
#include <vector>

#include <archive.h>
#include <archive_entry.h>

namespace executor {

namespace {

struct FreeWriter {
    void operator()(::archive* a) const { (void)::archive_write_free(a); }
};

struct FreeEntry {
    void operator()(::archive_entry* e) const { ::archive_entry_free(e); }
};

// Where libarchive's output goes; outlives the archive.
struct Sink {
    base::FdRef file;
    std::uint64_t limit = 0;
    std::uint64_t written = 0;
    std::optional<base::Error> error;
};

::la_ssize_t write_piece(::archive*, void* context, const void* data, std::size_t size) {
    auto* sink = static_cast<Sink*>(context);
    if (size > sink->limit - sink->written) {
        sink->error =
                base::fail(base::Errc::exhausted, "archive: over {} bytes unpacked", sink->limit);
        return -1;
    }
    auto done = base::sys::write_all(sink->file, {static_cast<const char*>(data), size});
    if (!done) {
        sink->error = std::move(done).error().context("write the tar");
        return -1;
    }
    sink->written += size;
    return static_cast<::la_ssize_t>(size);
}

class TarWriter {
  public:
    explicit TarWriter(Sink& sink) : sink_(sink), archive_(::archive_write_new()) {
        // GNU's tar: names and links are bytes of any length, without a character set.
        if (!archive_ || ::archive_write_set_format_gnutar(archive_.get()) != ARCHIVE_OK ||
            ::archive_write_open(archive_.get(), &sink, nullptr, write_piece, nullptr) !=
                    ARCHIVE_OK)
            base::panic("cannot write tar archives");
    }

    base::Result<void> header(const ArchiveReader::Entry& entry) {
        using Kind = ArchiveReader::Entry::Kind;
        const std::unique_ptr<::archive_entry, FreeEntry> out(::archive_entry_new());
        auto* raw = out.get();
        const auto name = entry.name.empty() ? std::string("./") : entry.name;
        ::archive_entry_copy_pathname(raw, name.c_str());
        const bool directory = entry.kind == Kind::directory;
        ::archive_entry_set_filetype(
                raw, directory ? AE_IFDIR : (entry.kind == Kind::symlink ? AE_IFLNK : AE_IFREG));
        ::archive_entry_set_perm(raw, entry.mode);
        ::archive_entry_set_size(raw, static_cast<std::int64_t>(entry.size));
        ::archive_entry_set_mtime(raw, entry.mtime, 0);
        ::archive_entry_set_uid(raw, entry.uid);
        ::archive_entry_set_gid(raw, entry.gid);
        if (entry.kind == Kind::symlink) ::archive_entry_copy_symlink(raw, entry.target.c_str());
        if (entry.kind == Kind::hardlink) ::archive_entry_copy_hardlink(raw, entry.target.c_str());
        return check(::archive_write_header(archive_.get(), raw));
    }

    base::Result<void> data(std::string_view bytes) {
        const auto count = ::archive_write_data(archive_.get(), bytes.data(), bytes.size());
        return check(count < 0 ? static_cast<int>(count) : ARCHIVE_OK);
    }

    base::Result<void> close() { return check(::archive_write_close(archive_.get())); }

  private:
    base::Result<void> check(int status) {
        if (sink_.error) return std::move(*sink_.error);
        if (status == ARCHIVE_OK || status == ARCHIVE_WARN) return base::ok;
        const char* text = ::archive_error_string(archive_.get());
        return base::fail(
                base::Errc::corrupt, "write the tar: {}", text != nullptr ? text : "refused");
    }

    Sink& sink_;
    std::unique_ptr<::archive, FreeWriter> archive_;
};

}  // namespace

base::Result<std::uint64_t> write_tar(
        base::FdRef from, base::FdRef to, ArchiveLimits limits, const std::stop_token& stop) {
    auto reader = TRY(ArchiveReader::open_file(from, limits));
    // Headers and padding of the entries come on top of their bytes.
    constexpr std::uint64_t kPerEntry = 3 * 512 + 2 * kMaxEntryName;
    Sink sink{.file = to, .limit = limits.bytes + limits.entries * kPerEntry, .error = {}};
    TarWriter writer(sink);
    std::vector<char> piece(std::size_t{128} << 10);
    for (;;) {
        if (stop.stop_requested()) return stopped("unpacking");
        const auto entry = TRY(reader.next());
        if (!entry) break;
        TRY(writer.header(*entry));
        for (auto left = entry->size; left > 0;) {
            if (stop.stop_requested()) return stopped("unpacking");
            const auto count = TRY(reader.read(piece));
            TRY(writer.data(std::string_view(piece.data(), count)));
            left -= count;
        }
    }
    TRY(writer.close());
    return sink.written;
}

}  // namespace executor
