// Extended attributes by descriptor. Used by rootfs (layers, volumes) and its tests.
#pragma once

#include "base/cstr.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base::sys {

Result<void> set_xattr(FdRef file, CStr name, std::string_view value);
// Nothing when the file has no such attribute or its file system knows none.
Result<std::optional<std::string>> get_xattr(FdRef file, CStr name);
Result<std::vector<std::string>> list_xattrs(FdRef file);  // empty where the file system knows none

}  // namespace base::sys
