#include "base/error.hpp"

#include <errno.h>
#include <unistd.h>

#include <cstdlib>

namespace base {

std::string_view to_string(Errc kind) {
    switch (kind) {
        case Errc::invalid:
            return "invalid";
        case Errc::not_found:
            return "not_found";
        case Errc::already_exists:
            return "already_exists";
        case Errc::conflict:
            return "conflict";
        case Errc::denied:
            return "denied";
        case Errc::exhausted:
            return "exhausted";
        case Errc::unavailable:
            return "unavailable";
        case Errc::timeout:
            return "timeout";
        case Errc::cancelled:
            return "cancelled";
        case Errc::unsupported:
            return "unsupported";
        case Errc::corrupt:
            return "corrupt";
        case Errc::internal:
            return "internal";
    }
    return "internal";
}

Errc errc_of_errno(int error) {
    switch (error) {
        case ENOENT:
        case ESRCH:
        case ENXIO:
        case ENODEV:
            return Errc::not_found;
        case EEXIST:
            return Errc::already_exists;
        case EBUSY:
        case ENOTEMPTY:
            return Errc::conflict;
        case EACCES:
        case EPERM:
        case EROFS:
            return Errc::denied;
        case ENOSPC:
        case EDQUOT:
        case ENOMEM:
        case EMFILE:
        case ENFILE:
        case EUSERS:
            return Errc::exhausted;
        case EAGAIN:
        case ECONNREFUSED:
        case ECONNRESET:
        case EPIPE:
        case ENETUNREACH:
        case EHOSTUNREACH:
            return Errc::unavailable;
        case ETIMEDOUT:
        case ETIME:
            return Errc::timeout;
        case ECANCELED:
        case EINTR:
            return Errc::cancelled;
        case ENOSYS:
        case EOPNOTSUPP:
            return Errc::unsupported;
        case EINVAL:
        case ENAMETOOLONG:
        case ELOOP:
        case ENOTDIR:
        case EISDIR:
        case E2BIG:
        case ERANGE:
            return Errc::invalid;
        case EBADMSG:
        case EUCLEAN:
            return Errc::corrupt;
        default:
            return Errc::internal;
    }
}

int http_status(Errc kind) {
    switch (kind) {
        case Errc::invalid:
            return 400;
        case Errc::not_found:
            return 404;
        case Errc::already_exists:
        case Errc::conflict:
            return 409;
        case Errc::denied:
            return 403;
        case Errc::exhausted:
            return 507;
        case Errc::unavailable:
            return 503;
        case Errc::timeout:
            return 504;
        case Errc::cancelled:
            return 499;
        case Errc::unsupported:
            return 501;
        case Errc::corrupt:
        case Errc::internal:
            return 500;
    }
    return 500;
}

Error&& Error::context(std::string_view prefix) && {
    text.insert(0, ": ");
    text.insert(0, prefix);
    return std::move(*this);
}

void panic(std::string_view text, Where where) {
    std::string line = "panic: ";
    line.append(text)
            .append(" (")
            .append(where.file)
            .append(":")
            .append(std::to_string(where.line));
    line.append(")\n");
    (void)!::write(
            STDERR_FILENO, line.data(), line.size());  // nothing is left to tell if this fails
    std::abort();
}

}  // namespace base
