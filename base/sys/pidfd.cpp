#include "base/sys/pidfd.hpp"

#include "base/sys/error.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace base::sys {

Result<Fd> open_process(std::int32_t pid) {
    const auto fd = ::syscall(SYS_pidfd_open, pid, 0U);  // close-on-exec by itself
    if (fd < 0) {
        if (errno == ESRCH)
            return plain_error(Errc::not_found, "no process " + std::to_string(pid));
        return errno_error("open process " + std::to_string(pid));
    }
    return Fd(static_cast<int>(fd));
}

Result<void> signal_process(FdRef process, int number) {
    if (::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0U) < 0 &&
        errno != ESRCH) {
        return errno_error("send signal " + std::to_string(number));
    }
    return ok;
}

Result<bool> has_ended(FdRef process) {
    pollfd wait{.fd = process.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wait, 1, 0);
    if (ready < 0) return errno_error("look at a process");
    return ready > 0;
}

}  // namespace base::sys
