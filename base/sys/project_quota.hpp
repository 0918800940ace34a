// Project quotas of XFS and ext4, by descriptor (quotactl_fd, Linux 5.14). One-to-one, no policy.
// Used by rootfs/volume.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>

namespace base::sys {

// Whether the file system of `file` limits projects: Errc::unsupported when it cannot, or does not
// now.
Result<void> check_project_quota(FdRef file);

struct Project {
    std::uint32_t id = 0;    // 0: none
    bool inherited = false;  // what is made in this directory joins the project
};

Result<Project> project_of(FdRef file);
// Only from the initial user namespace: a container cannot leave its project.
Result<void> set_project(FdRef file, Project project);

struct ProjectUse {
    std::uint64_t bytes = 0;
    std::uint64_t inodes = 0;
};

// `file`: anything on the file system. A project nobody has heard of uses nothing.
Result<ProjectUse> project_use(FdRef file, std::uint32_t project);
// Hard limits; 0 is none.
Result<void> limit_project(FdRef file, std::uint32_t project, ProjectUse limits);

}  // namespace base::sys
