#include "garden/launch/shim/paths.hpp"

#include "base/sys/raw.hpp"

#include <errno.h>
#include <sys/stat.h>

#include <climits>
#include <string_view>

namespace garden::launch {

namespace raw = base::sys::raw;

namespace {

constexpr int kMaxLinks = 8;  // dangling links that lead to the place where the target is made

// Makes `name` in `parent`; EEXIST is left to the caller.
bool make(int parent, const std::string& name, bool file, const Making& making) {
    const int made = file ? ::mknodat(parent, name.c_str(), S_IFREG | 0644, 0)
                          : ::mkdirat(parent, name.c_str(), 0755);
    if (made != 0) return false;
    if (!making.own) return true;
    return ::fchownat(parent, name.c_str(), making.uid, making.gid, AT_SYMLINK_NOFOLLOW) == 0;
}

// Where the link `name` points to; empty with errno when it cannot be followed any further.
std::string target_of(int parent, const std::string& name, int links) {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(parent, name.c_str(), target, sizeof target);
    if (size <= 0) return {};
    if (static_cast<std::size_t>(size) == sizeof target || links == 0) {
        errno = ELOOP;
        return {};
    }
    return {target, static_cast<std::size_t>(size)};
}

base::Fd walk(int root, std::string_view rest, const Making& making, int links) {
    const std::uint64_t resolve = making.follow ? kFollowInRoot : kNoLinks;
    base::Fd parent(raw::openat2(root, ".", O_PATH | O_DIRECTORY, kFollowInRoot));
    std::string prefix;
    while (parent && !rest.empty()) {
        const auto slash = rest.find('/');
        const std::string name(rest.substr(0, slash));
        rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
        if (name.empty() || name == ".") continue;
        const std::string before = prefix;
        prefix += "/" + name;
        const bool file = making.file && rest.find_first_not_of('/') == std::string_view::npos;
        const std::uint64_t flags = O_PATH | (file ? 0U : O_DIRECTORY);
        base::Fd next(raw::openat2(root, prefix.c_str(), flags, resolve));
        if (!next && errno == ENOENT) {
            if (make(parent.get(), name, file, making)) {
                next = base::Fd(raw::openat2(parent.get(), name.c_str(), flags, kNoLinks));
            } else if (errno == EEXIST && making.follow) {
                // A link to nothing: the target is made where it points to, inside the root.
                auto path = target_of(parent.get(), name, links);
                if (path.empty()) return {};
                if (path.front() != '/') path = before + "/" + path;
                if (!rest.empty()) path += "/" + std::string(rest);
                return walk(root, path, making, links - 1);
            }
        }
        parent = std::move(next);
    }
    return parent;
}

}  // namespace

base::Fd find_or_make(int root, const std::string& path, const Making& making) {
    const std::uint64_t flags = O_PATH | (making.file ? 0U : O_DIRECTORY);
    base::Fd found(
            raw::openat2(root, path.c_str(), flags, making.follow ? kFollowInRoot : kNoLinks));
    if (found || errno != ENOENT) return found;
    // Most often only the last component is missing; else, and for links to nothing, step by step.
    const auto slash = path.rfind('/');
    const auto name = slash == std::string::npos ? path : path.substr(slash + 1);
    if (!name.empty() && name != "." && name != "..") {
        const auto above = slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
        const base::Fd parent(raw::openat2(
                root, above.c_str(), O_PATH | O_DIRECTORY,
                making.follow ? kFollowInRoot : kNoLinks));
        if (parent) {
            if (make(parent.get(), name, making.file, making))
                return base::Fd(raw::openat2(parent.get(), name.c_str(), flags, kNoLinks));
            if (errno != EEXIST) return {};
        }
    }
    return walk(root, path, making, kMaxLinks);
}

}  // namespace garden::launch
