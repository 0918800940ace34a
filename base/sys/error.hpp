// errno as an Error, without fmt, so that the static programs can link it. Used by base/sys and
// garden/launch.
#pragma once

#include "base/result.hpp"

#include <errno.h>

#include <string>
#include <string_view>

namespace base::sys {

// "<action>: <message of errno>".
inline Error errno_error(std::string_view action, int error = errno, Where where = Where::here()) {
    std::string text(action);
    text.append(": ").append(errno_text(error));
    return Error{
            .kind = errc_of_errno(error), .sys = error, .text = std::move(text), .where = where};
}

inline Error plain_error(Errc kind, std::string text, Where where = Where::here()) {
    return Error{.kind = kind, .sys = 0, .text = std::move(text), .where = where};
}

}  // namespace base::sys
