// fail() and fail_errno(): errors with a compile-time checked text; used wherever fmt may be
// linked. The static programs (garden-shim, garden-init) build Error by hand instead: no fmt there.
#pragma once

#include "base/result.hpp"

#include <errno.h>

#include <fmt/format.h>

namespace base {

// A format string that also remembers where it was written.
template <class... Args>
struct TextAt {
    fmt::format_string<Args...> text;
    Where where;

    template <class S>
    consteval TextAt(const S& s, Where at = Where::here())  // NOLINT: implicit by design
        : text(s), where(at) {}
};

template <class... Args>
Error fail(Errc kind, TextAt<std::type_identity_t<Args>...> format, Args&&... args) {
    return Error{
            .kind = kind,
            .sys = 0,
            .text = fmt::format(format.text, std::forward<Args>(args)...),
            .where = format.where};
}

// "<text>: <message of errno>"; the kind comes from errno.
template <class... Args>
Error fail_errno(TextAt<std::type_identity_t<Args>...> format, Args&&... args) {
    const int error = errno;
    auto text = fmt::format(format.text, std::forward<Args>(args)...);
    text += ": ";
    text += errno_text(error);
    return Error{
            .kind = errc_of_errno(error),
            .sys = error,
            .text = std::move(text),
            .where = format.where};
}

template <class... Args>
std::string format(fmt::format_string<Args...> text, Args&&... args) {
    return fmt::format(text, std::forward<Args>(args)...);
}

}  // namespace base
