#include "rootfs/unpack/extract.hpp"

#include "base/fail.hpp"

#include <clocale>
#include <memory>
#include <string_view>

#include <archive.h>
#include <archive_entry.h>

namespace rootfs {

using base::Errc;
using base::Result;

namespace {

struct CloseArchive {
    void operator()(::archive* reader) const { (void)::archive_read_free(reader); }
};

using Reader = std::unique_ptr<::archive, CloseArchive>;

// libarchive calls back for bytes; our own error must not be lost behind its generic one.
struct Feed {
    TarStream* stream = nullptr;
    Result<void> error;
};

la_ssize_t feed_archive(::archive*, void* data, const void** buffer) {
    auto* feed = static_cast<Feed*>(data);
    auto block = feed->stream->next();
    if (!block) {
        feed->error = std::move(block).error();
        return -1;
    }
    *buffer = block->data();
    return static_cast<la_ssize_t>(block->size());
}

base::Error archive_failure(::archive* reader, Feed& feed) {
    if (!feed.error) return std::move(feed.error).error();
    const char* text = ::archive_error_string(reader);
    return base::fail(Errc::corrupt, "tar: {}", printable(text != nullptr ? text : "damaged"));
}

// A name that does not fit the locale keeps its bytes, which is what we want; every other doubt
// ends the layer (IMG-26).
bool harmless(::archive* reader) {
    const char* text = ::archive_error_string(reader);
    return text != nullptr &&
           std::string_view(text).find("can't be converted") != std::string_view::npos;
}

std::string text_or_empty(const char* text) {
    return text != nullptr ? text : "";
}

Result<EntryType> type_of(::archive_entry* entry) {
    if (::archive_entry_hardlink(entry) != nullptr) return EntryType::hardlink;
    switch (::archive_entry_filetype(entry)) {
        case AE_IFREG:
            return EntryType::file;
        case AE_IFDIR:
            return EntryType::directory;
        case AE_IFLNK:
            return EntryType::symlink;
        case AE_IFIFO:
            return EntryType::fifo;
        case AE_IFCHR:
            return EntryType::character;
        case AE_IFBLK:
            return EntryType::block;
        default:
            break;  // an int of libarchive, not an enum of ours
    }
    return base::fail(
            Errc::invalid, "entry {}: unknown type",
            printable(text_or_empty(::archive_entry_pathname(entry))));
}

void read_xattrs(::archive_entry* source, Entry& entry, WriteCounts& counts) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    (void)::archive_entry_xattr_reset(source);
    while (::archive_entry_xattr_next(source, &name, &value, &size) == ARCHIVE_OK) {
        if (name == nullptr) continue;
        entry.xattrs.emplace_back(
                name, std::string(static_cast<const char*>(value), value != nullptr ? size : 0));
        if (entry.xattrs.size() > kMaxXattrs) break;  // check_entry tells
    }
    if (::archive_entry_acl_types(source) != 0)
        ++counts.dropped_xattrs;  // IMG-25: ACLs are not kept
}

Result<Entry> read_entry(::archive_entry* source, WriteCounts& counts) {
    Entry entry;
    entry.path = text_or_empty(::archive_entry_pathname(source));
    entry.type = TRY(type_of(source));
    entry.mode = ::archive_entry_perm(source) & 07777;
    entry.uid = ::archive_entry_uid(source);
    entry.gid = ::archive_entry_gid(source);
    entry.size = entry.type == EntryType::file ? ::archive_entry_size(source) : 0;
    entry.device_major = static_cast<std::int64_t>(::archive_entry_rdevmajor(source));
    entry.device_minor = static_cast<std::int64_t>(::archive_entry_rdevminor(source));
    entry.modified.tv_sec = ::archive_entry_mtime(source);
    const long nanoseconds = ::archive_entry_mtime_nsec(source);
    entry.modified.tv_nsec = nanoseconds >= 0 && nanoseconds < 1'000'000'000 ? nanoseconds : 0;
    if (entry.type == EntryType::hardlink)
        entry.target = text_or_empty(::archive_entry_hardlink(source));
    if (entry.type == EntryType::symlink)
        entry.target = text_or_empty(::archive_entry_symlink(source));
    read_xattrs(source, entry, counts);
    return entry;
}

Result<std::optional<DataBlock>> next_block(::archive* reader, Feed& feed) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int status = ::archive_read_data_block(reader, &data, &size, &offset);
    if (status == ARCHIVE_EOF) return std::optional<DataBlock>{};
    if (status != ARCHIVE_OK) return archive_failure(reader, feed);
    return std::optional<DataBlock>(DataBlock{
            .bytes = std::span<const char>(static_cast<const char*>(data), size),
            .offset = offset});
}

}  // namespace

void prepare_extraction() {
    // UTF-8 in pax headers stays UTF-8; a C locale would lose names.
    (void)std::setlocale(LC_CTYPE, "C.UTF-8");
}

Result<void> extract(TarStream& stream, TreeWriter& writer) {
    Feed feed{.stream = &stream, .error = base::ok};
    const Reader reader(::archive_read_new());
    if (!reader) return base::fail(Errc::exhausted, "no memory for the archive reader");
    (void)::archive_read_support_format_tar(reader.get());
    (void)::archive_read_support_format_empty(reader.get());
    if (::archive_read_open(reader.get(), &feed, nullptr, feed_archive, nullptr) != ARCHIVE_OK) {
        return archive_failure(reader.get(), feed);
    }
    for (;;) {
        ::archive_entry* header = nullptr;
        const int status = ::archive_read_next_header(reader.get(), &header);
        if (status == ARCHIVE_EOF) break;
        if (status != ARCHIVE_OK && !(status == ARCHIVE_WARN && harmless(reader.get())))
            return archive_failure(reader.get(), feed);
        const Entry entry = TRY(read_entry(header, writer.counts()));
        TRY(writer.add(entry, [&] { return next_block(reader.get(), feed); }));
    }
    return stream.drain();
}

}  // namespace rootfs
