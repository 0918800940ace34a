#include "base/sys/project_quota.hpp"

#include "base/sys/error.hpp"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>

namespace base::sys {

namespace {

constexpr std::uint64_t kQuotaBlock = 1024;  // the unit of if_dqblk on every file system

long quotactl(FdRef file, unsigned command, std::uint32_t id, void* data) {
    return ::syscall(SYS_quotactl_fd, file.get(), QCMD(command, PRJQUOTA), id, data);
}

}  // namespace

Result<void> check_project_quota(FdRef file) {
    fs_quota_statv state = {};
    state.qs_version = FS_QSTATV_VERSION1;
    if (quotactl(file, Q_XGETQSTATV, 0, &state) != 0) {
        // Quota is off: ENOSYS or ESRCH, a file system without quotas: ENOTSUPP, EOPNOTSUPP.
        auto error = errno_error("ask for the state of project quotas");
        error.kind = Errc::unsupported;
        return error;
    }
    constexpr unsigned kWanted = FS_QUOTA_PDQ_ACCT | FS_QUOTA_PDQ_ENFD;
    if ((state.qs_flags & kWanted) != kWanted)
        return plain_error(Errc::unsupported, "project quotas are not enforced");
    return ok;
}

Result<Project> project_of(FdRef file) {
    fsxattr attributes = {};
    if (::ioctl(file.get(), FS_IOC_FSGETXATTR, &attributes) != 0)
        return errno_error("read the project of a file");
    return Project{
            .id = attributes.fsx_projid,
            .inherited = (attributes.fsx_xflags & FS_XFLAG_PROJINHERIT) != 0};
}

Result<void> set_project(FdRef file, Project project) {
    fsxattr attributes = {};
    if (::ioctl(file.get(), FS_IOC_FSGETXATTR, &attributes) != 0)
        return errno_error("read the project of a file");
    attributes.fsx_projid = project.id;
    constexpr auto kInherit = static_cast<std::uint32_t>(FS_XFLAG_PROJINHERIT);
    if (project.inherited) {
        attributes.fsx_xflags |= kInherit;
    } else {
        attributes.fsx_xflags &= ~kInherit;
    }
    if (::ioctl(file.get(), FS_IOC_FSSETXATTR, &attributes) != 0)
        return errno_error("set the project of a file");
    return ok;
}

Result<ProjectUse> project_use(FdRef file, std::uint32_t project) {
    if_dqblk block = {};
    if (quotactl(file, Q_GETQUOTA, project, &block) != 0) {
        if (errno == ENOENT) return ProjectUse{};
        return errno_error("read what a project uses");
    }
    return ProjectUse{.bytes = block.dqb_curspace, .inodes = block.dqb_curinodes};
}

Result<void> limit_project(FdRef file, std::uint32_t project, ProjectUse limits) {
    if_dqblk block = {};
    block.dqb_bhardlimit = limits.bytes / kQuotaBlock + (limits.bytes % kQuotaBlock != 0 ? 1 : 0);
    block.dqb_ihardlimit = limits.inodes;
    block.dqb_valid = QIF_LIMITS;
    if (quotactl(file, Q_SETQUOTA, project, &block) != 0) return errno_error("limit a project");
    return ok;
}

}  // namespace base::sys
