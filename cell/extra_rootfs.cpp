#include "cell/extra_rootfs.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>

namespace cell {

namespace {

constexpr std::string_view kEnd = ".tar";

// It becomes the opaque part of a URL.
bool is_stack_name(std::string_view name) {
    return !name.empty() && name.front() != '.' && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_.").find(c) != std::string_view::npos;
    });
}

}  // namespace

base::Result<void> add_extra_stacks(const std::string& directory, rep::plan::Stacks& stacks) {
    if (!directory.starts_with('/'))
        return base::fail(base::Errc::invalid, "'{}' is not an absolute path", directory);
    const auto opened = TRY(base::sys::open_host(directory, O_RDONLY | O_DIRECTORY));
    const auto names = TRY(base::sys::list_directory(opened, kMaxExtraRootfs));
    for (const auto& file : names) {
        if (!file.ends_with(kEnd)) continue;
        const auto name = file.substr(0, file.size() - kEnd.size());
        if (!is_stack_name(name))
            return base::fail(
                    base::Errc::invalid, "{}/{}: not a name of letters, digits, '-', '_' and '.'",
                    directory, file);
        if (!stacks.try_emplace(name, directory + "/" + file).second)
            return base::fail(
                    base::Errc::conflict, "{}/{}: there is a stack '{}' already", directory, file,
                    name);
    }
    return base::ok;
}

}  // namespace cell
