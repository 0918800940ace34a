#include "base/sys/cgroup.hpp"

#include "base/sys/error.hpp"

#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <cstdint>
#include <cstring>

namespace base::sys {

Result<Fd> load_device_program(std::string_view instructions) {
    union bpf_attr attributes;
    std::memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = reinterpret_cast<std::uintptr_t>(instructions.data());
    attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size() / sizeof(struct bpf_insn));
    attributes.license = reinterpret_cast<std::uintptr_t>("Apache-2.0");
    Fd program(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes)));
    if (!program) return errno_error("load the device program");
    return program;
}

Result<void> attach_device_program(FdRef cgroup, FdRef program) {
    union bpf_attr attributes;
    std::memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = static_cast<std::uint32_t>(cgroup.get());
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
    attributes.attach_type = BPF_CGROUP_DEVICE;
    // MULTI: a program of an outer manager keeps its say; every one of them must allow.
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (::syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes) != 0) {
        return errno_error("attach the device program");
    }
    return ok;
}

Result<Fd> make_eventfd() {
    Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event) return errno_error("make an eventfd");
    return event;
}

Result<Fd> make_inotify() {
    Fd notify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!notify) return errno_error("make an inotify descriptor");
    return notify;
}

Result<int> watch_modify(FdRef inotify, CStr path) {
    const int watch = ::inotify_add_watch(inotify.get(), path.c_str(), IN_MODIFY);
    if (watch < 0) return errno_error(std::string("watch ") + path.c_str());
    return watch;
}

void unwatch(FdRef inotify, int watch) {
    (void)::inotify_rm_watch(inotify.get(), watch);  // EINVAL: the file went first
}

void drain(FdRef file) {
    char buffer[4096];
    while (::read(file.get(), buffer, sizeof buffer) > 0) {
    }
}

bool has_attribute(CStr path, CStr name, std::string_view value) {
    char buffer[64];
    const ssize_t n = ::getxattr(path.c_str(), name.c_str(), buffer, sizeof buffer);
    return n >= 0 && std::string_view(buffer, static_cast<std::size_t>(n)) == value;
}

}  // namespace base::sys
