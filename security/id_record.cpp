#include "security/id_record.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <sys/file.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace security {

namespace {

constexpr std::uint32_t kMagic = 0x31524449;   // "IDR1"
constexpr const char* kFileName = "ranges";

struct Header {
    std::uint32_t magic = 0;
    std::uint32_t length = 0;
    std::uint64_t checksum = 0;   // of slot number, length and owner
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

bool is_empty(const Sector& sector) {
    return std::all_of(sector.begin(), sector.end(), [](char c) { return c == 0; });
}

IdRecord::Slot decode(std::uint32_t number, const Sector& sector) {
    Header header;
    std::memcpy(&header, sector.data(), sizeof header);
    if (header.magic == kMagic && header.length > 0 && header.length <= kMaxIdOwner) {
        std::string owner(sector.data() + sizeof header, header.length);
        if (checksum(number, owner) == header.checksum) return {.number = number, .owner = owner, .damaged = false};
    }
    return {.number = number, .owner = {}, .damaged = true};
}

}  // namespace

base::Result<IdRecord> IdRecord::open(const std::string& directory) {
    TRY(base::sys::ensure_directory(directory, 0700));
    base::Fd parent = TRY(base::sys::open_host(directory, O_RDONLY | O_DIRECTORY));
    const bool existed = TRY(base::sys::exists_at(parent, kFileName));
    // O_DSYNC makes the write itself the durable step: one system call for one allocation (ID-03).
    base::Fd file = TRY(base::sys::open_at(parent, kFileName, O_RDWR | O_CREAT | O_DSYNC | O_NOFOLLOW, 0600));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return base::fail_errno("lock {}/{}", directory, kFileName);
        return base::fail(base::Errc::conflict, "{}/{} is in use by another process", directory, kFileName);
    }
    constexpr off_t kSize = off_t{kIdSlots} * static_cast<off_t>(kIdSlotBytes);
    const auto status = TRY(base::sys::stat_fd(file));
    if (!S_ISREG(status.st_mode) || status.st_size > kSize) {
        return base::fail(base::Errc::corrupt, "{}/{} is not a record of id ranges", directory, kFileName);
    }
    // Sparse: only sectors in use take space. A crash between creating and sizing it is repaired here, too.
    if (status.st_size < kSize && ::ftruncate(file.get(), kSize) != 0) {
        return base::fail_errno("size {}/{}", directory, kFileName);
    }
    if (!existed || status.st_size < kSize) {
        if (::fsync(file.get()) != 0 || ::fsync(parent.get()) != 0) return base::fail_errno("sync {}", directory);
    }
    return IdRecord(std::move(file));
}

base::Result<void> IdRecord::each(const std::function<void(Slot)>& use) const {
    constexpr off_t kSector = static_cast<off_t>(kIdSlotBytes);
    constexpr off_t kEnd = off_t{kIdSlots} * kSector;
    off_t at = 0;
    while (at < kEnd) {
        // Holes are skipped: a host with few containers reads few sectors.
        const off_t data = ::lseek(file_.get(), at, SEEK_DATA);
        if (data < 0) {
            if (errno == ENXIO) return base::ok;
            return base::fail_errno("read the record of id ranges");
        }
        const off_t hole = ::lseek(file_.get(), data, SEEK_HOLE);
        if (hole < 0) return base::fail_errno("read the record of id ranges");
        for (at = data - data % kSector; at < std::min(hole, kEnd); at += kSector) {
            Sector sector = {};
            const ssize_t n = ::pread(file_.get(), sector.data(), sector.size(), at);
            if (n != static_cast<ssize_t>(sector.size())) return base::fail_errno("read the record of id ranges");
            if (!is_empty(sector)) use(decode(static_cast<std::uint32_t>(at / kSector), sector));
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
