#include "base/fd.hpp"

#include <errno.h>
#include <unistd.h>

namespace base {

void close_descriptor(int fd) noexcept {
    const int saved = errno;
    (void)::close(
            fd);  // nothing can be done about a failed close; data that matters was synced before
    errno = saved;
}

}  // namespace base
