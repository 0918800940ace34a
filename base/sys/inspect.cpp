#include "base/sys/inspect.hpp"

#include "base/sys/error.hpp"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/nsfs.h>

#include <array>
#include <cstring>

namespace base::sys {

namespace {

constexpr std::size_t kMaxPrograms = 64;  // the kernel's own bound of one attach point

std::uint64_t address_of(const void* pointer) {
    return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace

Result<std::uint32_t> namespace_owner(FdRef user_namespace) {
    uid_t owner = 0;
    if (::ioctl(user_namespace.get(), NS_GET_OWNER_UID, &owner) != 0)
        return errno_error("read the owner of a user namespace");
    return owner;
}

Result<std::string> program_tag(FdRef program) {
    bpf_prog_info info;
    std::memset(&info, 0, sizeof info);
    union bpf_attr attributes;
    std::memset(&attributes, 0, sizeof attributes);
    attributes.info.bpf_fd = static_cast<std::uint32_t>(program.get());
    attributes.info.info_len = sizeof info;
    attributes.info.info = address_of(&info);
    if (::syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attributes, sizeof attributes) != 0)
        return errno_error("read the tag of a device program");
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string tag;
    for (const unsigned char byte : info.tag) {
        tag += kDigits[byte >> 4U];
        tag += kDigits[byte & 15U];
    }
    return tag;
}

Result<std::vector<std::string>> device_program_tags(FdRef cgroup) {
    std::array<std::uint32_t, kMaxPrograms> ids{};
    union bpf_attr attributes;
    std::memset(&attributes, 0, sizeof attributes);
    attributes.query.target_fd = static_cast<std::uint32_t>(cgroup.get());
    attributes.query.attach_type = BPF_CGROUP_DEVICE;
    attributes.query.prog_ids = address_of(ids.data());
    attributes.query.prog_cnt = ids.size();
    if (::syscall(SYS_bpf, BPF_PROG_QUERY, &attributes, sizeof attributes) != 0)
        return errno_error("list the device programs of a cgroup");
    const std::size_t count = attributes.query.prog_cnt;
    std::vector<std::string> tags;
    for (std::size_t i = 0; i < count && i < ids.size(); ++i) {
        std::memset(&attributes, 0, sizeof attributes);
        attributes.prog_id = ids.at(i);
        const Fd program(static_cast<int>(
                ::syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attributes, sizeof attributes)));
        if (!program) return errno_error("open a device program");
        auto tag = program_tag(program);
        if (!tag) return std::move(tag).error();
        tags.push_back(std::move(*tag));
    }
    return tags;
}

Result<FileId> file_id(CStr path) {
    struct stat info {};

    if (::stat(path.c_str(), &info) != 0) return errno_error(std::string("stat ") + path.c_str());
    return FileId{.device = info.st_dev, .inode = info.st_ino};
}

Result<unsigned long> mount_flags(FdRef file) {
    struct statvfs info {};

    if (::fstatvfs(file.get(), &info) != 0) return errno_error("read the flags of a mount");
    return info.f_flag;
}

}  // namespace base::sys
