#include "executor/fetch/archive.hpp"

#include "base/fail.hpp"
#include "base/sys/partial.hpp"
#include "executor/fetch/download.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <archive.h>
#include <archive_entry.h>

namespace executor {

namespace {

using base::Errc;
using base::fail;

constexpr std::size_t kPiece = std::size_t{128} << 10;

struct FreeReader {
    void operator()(::archive* a) const { (void)::archive_read_free(a); }
};

base::Error unknown_format() {
    return fail(Errc::invalid, "unknown archive format");
}

enum class Format : std::uint8_t { gzip, zip, tar };

// The checksum field of a tar header is the sum of its bytes with the field itself as blanks.
bool is_tar_header(std::span<const unsigned char> block) {
    constexpr std::size_t kChecksum = 148;
    constexpr std::size_t kChecksumSize = 8;
    std::uint64_t sum = 0;
    std::uint64_t said = 0;
    bool digits = false;
    for (std::size_t i = 0; i < block.size(); ++i) {
        const bool field = i >= kChecksum && i < kChecksum + kChecksumSize;
        sum += field ? std::uint64_t{' '} : std::uint64_t{block[i]};
        if (!field || block[i] < '0' || block[i] > '7') continue;
        said = said * 8 + (block[i] - std::uint64_t{'0'});
        digits = true;
    }
    return digits && said == sum;
}

base::Result<Format> recognise(base::FdRef file) {
    std::array<unsigned char, 512> start{};
    std::size_t have = 0;
    while (have < start.size()) {
        const auto got = ::pread(
                file.get(), start.data() + have, start.size() - have, static_cast<off_t>(have));
        if (got < 0) return base::fail_errno("read the archive");
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    if (have >= 2 && start[0] == 0x1f && start[1] == 0x8b) return Format::gzip;
    if (have >= 4 && start[0] == 'P' && start[1] == 'K' &&
        ((start[2] == 3 && start[3] == 4) || (start[2] == 5 && start[3] == 6)))
        return Format::zip;
    // A tar of nothing is zeros.
    const bool zeros = std::all_of(start.begin(), start.end(), [](auto c) { return c == 0; });
    if (have == start.size() && (zeros || is_tar_header(start))) return Format::tar;
    return unknown_format();
}

// The bytes as they stand; in a locale without its characters libarchive has UTF-8 only.
std::string either(const char* bytes, const char* utf8) {
    if (bytes != nullptr) return bytes;
    return utf8 != nullptr ? utf8 : "";
}

}  // namespace

struct ArchiveReader::State {
    std::unique_ptr<::archive, FreeReader> archive;
    ArchiveLimits limits;
    Read read;  // open_tar
    std::vector<char> piece;
    std::optional<base::Error> read_error;
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    std::uint64_t left = 0;  // of the current entry

    base::Error error(std::string_view what) {
        if (read_error) return std::move(*read_error);
        const auto text = either(::archive_error_string(archive.get()), "damaged");
        if (text == "Unrecognized archive format") return unknown_format();  // behind its gzip
        return fail(Errc::corrupt, "{}: {}", what, text);
    }
};

namespace {

::la_ssize_t read_piece(::archive*, void* context, const void** out) {
    auto* state = static_cast<ArchiveReader::State*>(context);
    auto got = state->read(state->piece);
    if (!got) {
        state->read_error = std::move(got).error();
        return ARCHIVE_FATAL;
    }
    *out = state->piece.data();
    return static_cast<::la_ssize_t>(*got);
}

}  // namespace

ArchiveReader::ArchiveReader(std::unique_ptr<State> state) : state_(std::move(state)) {}

ArchiveReader::ArchiveReader(ArchiveReader&&) noexcept = default;
ArchiveReader& ArchiveReader::operator=(ArchiveReader&&) noexcept = default;
ArchiveReader::~ArchiveReader() = default;

base::Result<ArchiveReader> ArchiveReader::open_file(base::FdRef file, ArchiveLimits limits) {
    const auto format = TRY(recognise(file));
    if (::lseek(file.get(), 0, SEEK_SET) != 0) return base::fail_errno("read the archive");
    auto state = std::make_unique<State>();
    state->limits = limits;
    state->archive.reset(::archive_read_new());
    auto* raw = state->archive.get();
    if (raw == nullptr) base::panic("out of memory");
    if (format == Format::zip) {
        (void)::archive_read_support_format_zip_seekable(raw);
    } else {
        (void)::archive_read_support_format_tar(raw);
    }
    if (format == Format::gzip) (void)::archive_read_support_filter_gzip(raw);
    if (::archive_read_open_fd(raw, file.get(), kPiece) != ARCHIVE_OK)
        return state->error("read the archive");
    return ArchiveReader(std::move(state));
}

base::Result<ArchiveReader> ArchiveReader::open_tar(Read read, ArchiveLimits limits) {
    auto state = std::make_unique<State>();
    state->limits = limits;
    state->read = std::move(read);
    state->piece.resize(kPiece);
    state->archive.reset(::archive_read_new());
    auto* raw = state->archive.get();
    if (raw == nullptr) base::panic("out of memory");
    (void)::archive_read_support_format_tar(raw);
    if (::archive_read_open(raw, state.get(), nullptr, read_piece, nullptr) != ARCHIVE_OK)
        return state->error("read the tar stream");
    return ArchiveReader(std::move(state));
}

base::Result<std::optional<ArchiveReader::Entry>> ArchiveReader::next() {
    ::archive_entry* raw = nullptr;
    const int status = ::archive_read_next_header(state_->archive.get(), &raw);
    if (status == ARCHIVE_EOF) return std::optional<Entry>();
    // A warning is about what cannot be converted; names are bytes here.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return state_->error("read the archive");
    if (++state_->entries > state_->limits.entries)
        return fail(Errc::exhausted, "archive: over {} entries", state_->limits.entries);
    auto entry = TRY(convert(raw));
    // Counted as said, before a byte of it is unpacked: sparse files say more than they bring.
    if (entry.size > state_->limits.bytes - std::min(state_->bytes, state_->limits.bytes))
        return fail(Errc::exhausted, "archive: over {} bytes unpacked", state_->limits.bytes);
    state_->bytes += entry.size;
    state_->left = entry.size;
    return std::optional(std::move(entry));
}

base::Result<std::size_t> ArchiveReader::read(std::span<char> into) {
    const auto got = ::archive_read_data(state_->archive.get(), into.data(), into.size());
    if (got < 0) return state_->error("read the archive");
    const auto count = static_cast<std::size_t>(got);
    if (count > state_->left)
        return fail(Errc::corrupt, "archive: an entry is longer than it says");
    if (count == 0 && state_->left > 0 && !into.empty())
        return fail(Errc::corrupt, "archive: an entry is shorter than it says");
    state_->left -= count;
    return count;
}

base::Result<std::string> clean_name(std::string_view name) {
    if (name.size() > kMaxEntryName)
        return fail(
                Errc::invalid, "archive: a name of {} bytes, at most {}", name.size(),
                kMaxEntryName);
    std::string out;
    while (!name.empty()) {
        const auto end = std::min(name.find('/'), name.size());
        const auto part = name.substr(0, end);
        name.remove_prefix(std::min(end + 1, name.size()));
        if (part.empty() || part == ".") continue;
        if (part == "..") return fail(Errc::invalid, "archive: an entry leaves it with '..'");
        if (!out.empty()) out += '/';
        out += part;
    }
    return out;
}

namespace {

base::Result<void> convert_links(::archive_entry* raw, ArchiveReader::Entry& entry) {
    const auto hard = either(::archive_entry_hardlink(raw), ::archive_entry_hardlink_utf8(raw));
    if (!hard.empty()) {
        entry.kind = ArchiveReader::Entry::Kind::hardlink;
        entry.target = TRY(clean_name(hard));
        entry.size = 0;
        if (entry.target.empty()) return fail(Errc::invalid, "archive: a hard link to nothing");
        return base::ok;
    }
    if (::archive_entry_filetype(raw) != AE_IFLNK) return base::ok;
    entry.kind = ArchiveReader::Entry::Kind::symlink;
    entry.target = either(::archive_entry_symlink(raw), ::archive_entry_symlink_utf8(raw));
    entry.size = 0;
    if (entry.target.empty() || entry.target.size() > kMaxEntryName)
        return fail(
                Errc::invalid, "archive: a symbolic link of {} bytes, 1 to {}", entry.target.size(),
                kMaxEntryName);
    return base::ok;
}

}  // namespace

base::Result<ArchiveReader::Entry> ArchiveReader::convert(::archive_entry* raw) {
    Entry entry;
    const auto name = either(::archive_entry_pathname(raw), ::archive_entry_pathname_utf8(raw));
    if (name.empty()) return fail(Errc::invalid, "archive: an entry without a name");
    entry.name = TRY(clean_name(name));
    entry.mode = static_cast<std::uint32_t>(::archive_entry_perm(raw));
    entry.mtime = ::archive_entry_mtime_is_set(raw) != 0 ? ::archive_entry_mtime(raw) : 0;
    entry.uid = ::archive_entry_uid(raw);
    entry.gid = ::archive_entry_gid(raw);
    const auto size = ::archive_entry_size(raw);
    entry.size = size > 0 ? static_cast<std::uint64_t>(size) : 0;
    TRY(convert_links(raw, entry));
    if (entry.kind != Entry::Kind::file) {
        if (entry.name.empty()) return fail(Errc::invalid, "archive: a link without a name");
        return entry;
    }
    const auto type = ::archive_entry_filetype(raw);
    if (type == AE_IFDIR) {
        entry.kind = Entry::Kind::directory;
        entry.size = 0;
        return entry;
    }
    const auto shown = std::string_view(entry.name).substr(0, 128);
    if (type != AE_IFREG && type != 0)
        return fail(Errc::invalid, "archive: '{}' is no file, directory or link", shown);
    if (entry.name.empty()) return fail(Errc::invalid, "archive: a file without a name");
    if (::archive_entry_size_is_set(raw) == 0)
        return fail(Errc::invalid, "archive: '{}' does not say its size", shown);
    return entry;
}

}  // namespace executor
