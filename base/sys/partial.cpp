#include "base/sys/partial.hpp"

#include "base/sys/error.hpp"

#include <errno.h>
#include <unistd.h>

namespace base::sys {

namespace {

template <class Call>
Result<std::optional<std::size_t>> retried(const char* what, Call call) {
    for (;;) {
        const ssize_t count = call();
        if (count >= 0) return std::optional(static_cast<std::size_t>(count));
        if (errno == EAGAIN) return std::optional<std::size_t>();
        if (errno != EINTR) return errno_error(what);
    }
}

}  // namespace

Result<std::optional<std::size_t>> read_some(FdRef file, std::span<char> into) {
    return retried("read", [&] { return ::read(file.get(), into.data(), into.size()); });
}

Result<std::optional<std::size_t>> write_some(FdRef file, std::string_view data) {
    return retried("write", [&] { return ::write(file.get(), data.data(), data.size()); });
}

}  // namespace base::sys
