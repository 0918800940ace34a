// Reads and writes that take what is there now. Used by programs that copy streams; whole reads and
// writes are in file.hpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace base::sys {

// At least one byte, 0 at the end; nothing when a non-blocking descriptor has none now. EINTR is
// retried.
Result<std::optional<std::size_t>> read_some(FdRef file, std::span<char> into);
// How much was taken; nothing when a non-blocking descriptor takes none now.
Result<std::optional<std::size_t>> write_some(FdRef file, std::string_view data);

}  // namespace base::sys
