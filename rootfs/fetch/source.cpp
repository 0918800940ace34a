#include "rootfs/fetch/source.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>

namespace rootfs {

base::Result<base::Fd> scratch_file(base::FdRef scratch) {
    auto file = base::sys::open_at(scratch, ".", O_RDWR | O_TMPFILE, 0600);
    if (file || file.error().sys != EOPNOTSUPP) return file;
    // A file system without nameless files: named for an instant; recover() empties the directory.
    static std::atomic<std::uint64_t> counter{0};
    const auto name = base::format("blob-{}", counter.fetch_add(1));
    auto named =
            TRY(base::sys::open_at(scratch, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    TRY(base::sys::remove_at(scratch, name));
    return named;
}

base::Error cancelled_error() {
    return base::fail(base::Errc::cancelled, "the pull was cancelled");
}

}  // namespace rootfs
