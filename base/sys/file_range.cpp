#include "base/sys/file_range.hpp"

#include "base/sys/error.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace base::sys {

namespace {

struct ::flock lock_of(std::uint64_t offset, int type) {
    struct ::flock lock = {};
    lock.l_type = static_cast<short>(type);
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<::off_t>(offset);
    lock.l_len = 1;
    return lock;
}

}  // namespace

Result<bool> try_lock_byte(FdRef file, std::uint64_t offset) {
    auto lock = lock_of(offset, F_WRLCK);
    if (::fcntl(file.get(), F_OFD_SETLK, &lock) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    return errno_error("lock a byte of a file");
}

Result<bool> is_byte_locked(FdRef file, std::uint64_t offset) {
    auto lock = lock_of(offset, F_WRLCK);
    if (::fcntl(file.get(), F_OFD_GETLK, &lock) != 0) return errno_error("look at a file's lock");
    return lock.l_type != F_UNLCK;
}

Result<void> unlock_byte(FdRef file, std::uint64_t offset) {
    auto lock = lock_of(offset, F_UNLCK);
    if (::fcntl(file.get(), F_OFD_SETLK, &lock) != 0) return errno_error("unlock a byte of a file");
    return ok;
}

Result<std::size_t> read_at(FdRef file, std::uint64_t offset, std::span<char> into) {
    std::size_t have = 0;
    while (have < into.size()) {
        const auto n =
                ::pread(file.get(), into.data() + have, into.size() - have,
                        static_cast<::off_t>(offset + have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno_error("read at a place of a file");
        if (n == 0) break;
        have += static_cast<std::size_t>(n);
    }
    return have;
}

Result<void> write_at(FdRef file, std::uint64_t offset, std::string_view data) {
    while (!data.empty()) {
        const auto n = ::pwrite(file.get(), data.data(), data.size(), static_cast<::off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno_error("write at a place of a file");
        data.remove_prefix(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return ok;
}

Result<void> sync(FdRef file) {
    if (::fsync(file.get()) != 0) return errno_error("fsync");
    return ok;
}

}  // namespace base::sys
