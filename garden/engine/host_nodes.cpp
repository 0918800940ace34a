#include "garden/engine/host_nodes.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "security/devices.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>

namespace garden {

base::Result<HostNodes> HostNodes::open() {
    HostNodes nodes;
    for (const auto container_class :
         {security::Class::unprivileged, security::Class::privileged_in_userns}) {
        for (const auto& node : security::device_nodes(container_class)) {
            const auto path = "/dev/" + node.name;
            if (nodes.nodes_.contains(path)) continue;
            auto fd = base::sys::open_host(path, O_PATH | O_NOFOLLOW);
            if (!fd) {
                nodes.absent_.insert(path);
                continue;
            }
            const auto status = TRY(base::sys::stat_fd(*fd));
            if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(node.major, node.minor)) {
                return base::fail(
                        base::Errc::corrupt, "{} of this host is not the character device {}:{}",
                        path, node.major, node.minor);
            }
            nodes.nodes_.emplace(path, std::move(*fd));
        }
    }
    return nodes;
}

base::Result<base::Fd> HostNodes::clone(const std::string& path) const {
    const auto it = nodes_.find(path);
    if (it == nodes_.end()) return base::fail(base::Errc::unsupported, "this host has no {}", path);
    return base::sys::clone_tree(it->second, "", false);
}

}  // namespace garden
