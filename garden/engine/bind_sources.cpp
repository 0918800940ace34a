#include "garden/engine/bind_sources.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"

#include <fcntl.h>

#include <linux/mount.h>

namespace garden {

base::Result<std::vector<base::Fd>> open_bind_sources(const std::vector<BindMountSpec>& binds) {
    std::vector<base::Fd> sources;
    for (std::size_t i = 0; i < binds.size(); ++i) {
        const auto& path = binds[i].source;
        auto source = base::sys::open_host(path, O_PATH);
        if (!source) {
            return std::move(source.error())
                    .context(base::format("bind_mounts[{}].src_path {}", i, path));
        }
        sources.push_back(std::move(*source));
    }
    return sources;
}

base::Result<std::vector<bool>> are_files(const std::vector<base::Fd>& sources) {
    std::vector<bool> answers;
    for (const auto& source : sources)
        answers.push_back(!S_ISDIR(TRY(base::sys::stat_fd(source)).st_mode));
    return answers;
}

base::Result<base::Fd> clone_bind_source(base::FdRef source, const BindMountSpec& bind) {
    auto tree = TRY(base::sys::clone_tree(source, "", false));
    TRY(base::sys::set_mount_private(tree));
    const std::uint64_t attributes =
            MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (bind.writable ? 0 : MOUNT_ATTR_RDONLY);
    TRY(base::sys::set_mount_attributes(tree, attributes, 0, false));
    return tree;
}

}  // namespace garden
