#include "garden/launch/shim/nursery.hpp"

#include "base/sys/error.hpp"
#include "base/sys/raw.hpp"
#include "base/sys/seqpacket.hpp"
#include "garden/launch/nursery.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/mount.h>

#include <array>
#include <cstdint>
#include <utility>

namespace garden::launch {

namespace sys = base::sys;
namespace raw = base::sys::raw;

namespace {

constexpr std::uint64_t kHard = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

struct Option {
    const char* name;
    const char* value;
};

base::Result<base::Fd> make_tree(
        const char* type, std::uint64_t attributes, std::span<const Option> options = {}) {
    const base::Fd context(raw::fsopen(type));
    bool made = bool(context);
    for (const auto& option : options) {
        made = made &&
               raw::fsconfig(context.get(), FSCONFIG_SET_STRING, option.name, option.value) == 0;
    }
    made = made && raw::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) == 0;
    base::Fd tree(made ? raw::fsmount(context.get(), attributes) : -1);
    if (!tree) return sys::errno_error(std::string("mount a ") + type);
    return tree;
}

// `name` is made in the root that the working directory is.
base::Result<void> put(base::FdRef tree, const char* name, bool file) {
    const int made =
            file ? ::mknodat(AT_FDCWD, name, S_IFREG | 0444, 0) : ::mkdirat(AT_FDCWD, name, 0555);
    const base::Fd place(made == 0 ? ::open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1);
    if (!place || raw::move_mount(tree.get(), place.get()) != 0)
        return sys::errno_error(std::string("attach /") + name);
    return base::ok;
}

}  // namespace

base::Result<void> enter_small_view() {
    constexpr unsigned long kPrivate = (1UL << 18) | (1UL << 14);  // MS_PRIVATE | MS_REC
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, kPrivate, nullptr) != 0)
        return sys::errno_error("make a mount namespace");
    const base::Fd old_root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const base::Fd null(raw::open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE));
    if (!old_root || !null) return sys::errno_error("open the root and /dev/null");
    constexpr std::array<Option, 3> kSmall{
            {{.name = "mode", .value = "0755"},
             {.name = "size", .value = "4k"},
             {.name = "nr_inodes", .value = "8"}}};
    const base::Fd root = TRY(make_tree("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, kSmall));
    const base::Fd proc = TRY(make_tree("proc", kHard));
    const base::Fd sysfs = TRY(make_tree("sysfs", kHard | MOUNT_ATTR_RDONLY));
    if (raw::move_mount(root.get(), old_root.get()) != 0 || ::fchdir(root.get()) != 0)
        return sys::errno_error("attach the root");
    TRY(put(proc, "proc", false));
    TRY(put(sysfs, "sys", false));
    if (::mkdirat(AT_FDCWD, "dev", 0755) != 0) return sys::errno_error("make /dev");
    TRY(put(null, "dev/null", true));
    mount_attr read_only = {};
    read_only.attr_set = MOUNT_ATTR_RDONLY;
    if (raw::mount_setattr(root.get(), 0, read_only) != 0 || raw::pivot_root(".", ".") != 0 ||
        ::fchdir(old_root.get()) != 0 || ::umount2(".", raw::kDetach) != 0 || ::chdir("/") != 0) {
        return sys::errno_error("leave the host's mounts");
    }
    return base::ok;
}

base::Fd nurse(base::Fd gardend) {
    for (;;) {
        auto request = sys::receive_message(gardend, kNurseryMessage);
        if (!request) ::_exit(0);  // gardend is gone
        if (request->fds.size() != 1) ::_exit(2);
        int pidfd = -1;
        clone_args args = {};
        // A child of gardend, which reaps it, as if it had started it.
        args.flags = CLONE_PARENT | CLONE_PIDFD;
        args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
        const long pid = raw::clone3(args);
        if (pid == 0) {
            gardend.reset();
            (void)::setsid();  // a fresh process leads no group
            return std::move(request->fds.front());
        }
        const std::string text = pid > 0 ? std::string() : std::to_string(errno);
        const base::Fd shim(pidfd);
        const std::array<base::FdRef, 1> fds{shim};
        const auto sent = pid > 0 ? sys::send_message(gardend, kNurseryBorn, fds)
                                  : sys::send_message(gardend, text);
        if (!sent) ::_exit(0);
    }
}

}  // namespace garden::launch
