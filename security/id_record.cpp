#include "security/id_record.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

namespace security {

namespace {

constexpr std::uint32_t kMagic = 0x31524449;  // "IDR1"
constexpr const char* kFileName = "ranges";

struct Header {
    std::uint32_t magic = 0;
    std::uint32_t length = 0;
    std::uint64_t checksum = 0;  // of slot number, length and owner
};

static_assert(sizeof(Header) + kMaxIdOwner <= kIdSlotBytes);
static_assert(std::endian::native == std::endian::little, "the record is little-endian");

using Sector = std::array<char, kIdSlotBytes>;

// FNV-1a: against torn and misplaced sectors, not against an enemy; the directory is ours alone.
std::uint64_t checksum(std::uint32_t slot, std::string_view owner) {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto mix = [&](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
    for (unsigned shift = 0; shift < 32; shift += 8) mix(static_cast<std::uint8_t>(slot >> shift));
    for (const char c : owner) mix(static_cast<std::uint8_t>(c));
    return hash;
}

constexpr Sector kFree = {};
constexpr off_t kSector = static_cast<off_t>(kIdSlotBytes);
constexpr off_t kFileSize = off_t{kIdSlots} * kSector;
constexpr std::size_t kChunk = std::size_t{1} << 20;

// Zeroes, not only space: turning unwritten space into written space would be a journal commit with
// every allocation.
base::Result<void> fill(base::FdRef file, std::uint32_t first, std::uint32_t last) {
    const std::vector<char> zeroes(kChunk);
    const off_t end = (off_t{last} + 1) * kSector;
    for (off_t at = off_t{first} * kSector; at < end;) {
        const auto wanted =
                static_cast<std::size_t>(std::min<off_t>(end - at, static_cast<off_t>(kChunk)));
        const ssize_t n = ::pwrite(file.get(), zeroes.data(), wanted, at);
        if (n <= 0) return base::fail_errno("fill the record of id ranges");
        at += n;
    }
    if (::fdatasync(file.get()) != 0 || ::ftruncate(file.get(), kFileSize) != 0 ||
        ::fsync(file.get()) != 0) {
        return base::fail_errno("size the record of id ranges");
    }
    return base::ok;
}

IdRecord::Slot decode(std::uint32_t number, const Sector& sector) {
    Header header;
    std::memcpy(&header, sector.data(), sizeof header);
    if (header.magic == kMagic && header.length > 0 && header.length <= kMaxIdOwner) {
        std::string owner(sector.data() + sizeof header, header.length);
        if (checksum(number, owner) == header.checksum)
            return {.number = number, .owner = owner, .damaged = false};
    }
    return {.number = number, .owner = {}, .damaged = true};
}

}  // namespace

base::Result<IdRecord> IdRecord::open(
        const std::string& directory, std::uint32_t first, std::uint32_t last) {
    TRY(base::sys::ensure_directory(directory, 0700));
    base::Fd parent = TRY(base::sys::open_host(directory, O_RDONLY | O_DIRECTORY));
    // O_DSYNC makes the write itself the durable step: one system call for one allocation (ID-03).
    base::Fd file = TRY(
            base::sys::open_at(parent, kFileName, O_RDWR | O_CREAT | O_DSYNC | O_NOFOLLOW, 0600));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return base::fail_errno("lock {}/{}", directory, kFileName);
        return base::fail(
                base::Errc::conflict, "{}/{} is in use by another process", directory, kFileName);
    }
    const auto status = TRY(base::sys::stat_fd(file));
    if (!S_ISREG(status.st_mode) || status.st_size > kFileSize) {
        return base::fail(
                base::Errc::corrupt, "{}/{} is not a record of id ranges", directory, kFileName);
    }
    // Its full size is the last thing a new record gets, so a shorter one was never used: a crash
    // came between.
    if (status.st_size < kFileSize) {
        base::Fd plain = TRY(base::sys::open_at(parent, kFileName, O_RDWR | O_NOFOLLOW));
        TRY(fill(plain, first, last).context(directory));
        if (::fsync(parent.get()) != 0) return base::fail_errno("sync {}", directory);
    }
    return IdRecord(std::move(file));
}

base::Result<void> IdRecord::each(const std::function<void(Slot)>& use) const {
    std::vector<char> chunk(kChunk);
    off_t at = 0;
    while (at < kFileSize) {
        // Holes are skipped: slots outside the configured numbers have no bytes.
        const off_t data = ::lseek(file_.get(), at, SEEK_DATA);
        if (data < 0) {
            if (errno == ENXIO) return base::ok;
            return base::fail_errno("read the record of id ranges");
        }
        at = data - data % kSector;
        const ssize_t n = ::pread(file_.get(), chunk.data(), chunk.size(), at);
        if (n < static_cast<ssize_t>(kIdSlotBytes))
            return base::fail_errno("read the record of id ranges");
        for (std::size_t i = 0; i + kIdSlotBytes <= static_cast<std::size_t>(n);
             i += kIdSlotBytes, at += kSector) {
            Sector sector;
            std::memcpy(sector.data(), chunk.data() + i, sector.size());
            if (sector != kFree) use(decode(static_cast<std::uint32_t>(at / kSector), sector));
        }
    }
    return base::ok;
}

base::Result<void> IdRecord::write(std::uint32_t slot, std::string_view owner) const {
    Sector sector = {};
    if (!owner.empty()) {
        const Header header{
                .magic = kMagic,
                .length = static_cast<std::uint32_t>(owner.size()),
                .checksum = checksum(slot, owner)};
        std::memcpy(sector.data(), &header, sizeof header);
        std::memcpy(sector.data() + sizeof header, owner.data(), owner.size());
    }
    const off_t at = static_cast<off_t>(slot) * static_cast<off_t>(kIdSlotBytes);
    for (;;) {
        // One sector inside one page: a kill cannot leave half of it.
        const ssize_t n = ::pwrite(file_.get(), sector.data(), sector.size(), at);
        if (n == static_cast<ssize_t>(sector.size())) return base::ok;
        if (n < 0 && errno == EINTR) continue;
        if (n >= 0) errno = ENOSPC;
        return base::fail_errno("write the record of id range {:#x}", slot << 16);
    }
}

}  // namespace security
