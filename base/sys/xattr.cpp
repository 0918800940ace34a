#include "base/sys/xattr.hpp"

#include "base/sys/error.hpp"

#include <sys/xattr.h>

#include <cstring>

namespace base::sys {

namespace {

constexpr std::size_t kLargest = 65'536;  // XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel

std::string named(std::string_view action, const char* name) {
    std::string text(action);
    text.append(" attribute ").append(name);
    return text;
}

}  // namespace

Result<void> set_xattr(FdRef file, CStr name, std::string_view value) {
    if (::fsetxattr(file.get(), name.c_str(), value.data(), value.size(), 0) != 0) {
        return errno_error(named("set", name.c_str()));
    }
    return ok;
}

Result<std::optional<std::string>> get_xattr(FdRef file, CStr name) {
    std::string value(256, '\0');
    ssize_t n = ::fgetxattr(file.get(), name.c_str(), value.data(), value.size());
    if (n < 0 && errno == ERANGE) {
        value.resize(kLargest);
        n = ::fgetxattr(file.get(), name.c_str(), value.data(), value.size());
    }
    if (n < 0) {
        if (errno == ENODATA || errno == EOPNOTSUPP) return std::optional<std::string>{};
        return errno_error(named("read", name.c_str()));
    }
    value.resize(static_cast<std::size_t>(n));
    return std::optional<std::string>(std::move(value));
}

Result<std::vector<std::string>> list_xattrs(FdRef file) {
    std::vector<std::string> names;
    char first[1024];
    std::string large;
    const char* data = first;
    ssize_t n = ::flistxattr(file.get(), first, sizeof first);
    if (n < 0 && errno == ERANGE) {
        large.resize(kLargest);
        n = ::flistxattr(file.get(), large.data(), large.size());
        data = large.data();
    }
    if (n < 0) {
        if (errno == EOPNOTSUPP) return names;
        return errno_error("list attributes");
    }
    for (ssize_t at = 0; at < n;) {
        names.emplace_back(data + at);
        at += static_cast<ssize_t>(names.back().size()) + 1;
    }
    return names;
}

}  // namespace base::sys
