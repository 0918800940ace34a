#include "tests/bench/floor_child.hpp"

#include "base/sys/seqpacket.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/seccomp.h>

#include <iterator>

namespace bench {

namespace {

// chown, dac_override, fsetid, fowner, mknod, net_raw, setgid, setuid, setfcap, setpcap,
// net_bind_service, sys_chroot, kill, audit_write
constexpr unsigned kCapabilities = 0xa80425fb;
constexpr int kMoveMountEmptyPath =
        4;  // MOVE_MOUNT_F_EMPTY_PATH; <linux/mount.h> clashes with <sys/mount.h> here

void check(bool fine, int step) {
    if (!fine) ::_exit(100 + step);
}

void attach(int tree, const char* path) {
    check(::syscall(SYS_move_mount, tree, "", AT_FDCWD, path, kMoveMountEmptyPath) == 0, 3);
}

void devices(const std::vector<base::Fd>& fds) {
    check(::mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=64k") == 0,
          10);

    for (std::size_t i = 0; i < std::size(kDevices); ++i) {
        check(::mknod(kDevices[i], S_IFREG | 0644, 0) == 0, 11);
        attach(fds.at(i + 1).get(), kDevices[i]);
    }
    check(::mkdir("dev/pts", 0755) == 0 && ::mkdir("dev/shm", 01777) == 0, 12);
    check(::mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                  "newinstance,ptmxmode=0666,mode=0620") == 0,
          13);
    check(::mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  "mode=1777,size=64m") == 0,
          14);
}

void masks() {
    for (const char* file : {"proc/kcore", "proc/keys", "proc/timer_list", "proc/sched_debug"}) {
        (void)::mount("dev/null", file, nullptr, MS_BIND, nullptr);  // some kernels lack some
    }
    for (const char* directory : {"proc/scsi", "proc/acpi", "sys/firmware"}) {
        (void)::mount("tmpfs", directory, "tmpfs", MS_RDONLY, "size=0k");
    }
    for (const char* path : {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"}) {
        if (::mount(path, path, nullptr, MS_BIND | MS_REC, nullptr) != 0) continue;  // as above
        check(::mount(nullptr, path, nullptr,
                      MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                      nullptr) == 0,
              21);
    }
}

void root(const std::vector<base::Fd>& fds) {
    check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, 2);
    attach(fds.at(0).get(), "/");
    check(::fchdir(fds.at(0).get()) == 0, 4);
    check(::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0, 5);
    check(::mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, nullptr) ==
                  0,
          6);
    devices(fds);
    masks();
    check(::syscall(SYS_pivot_root, ".", ".") == 0, 7);
    check(::umount2(".", MNT_DETACH) == 0, 8);
    check(::chdir("/") == 0, 9);
}

void privileges(const ChildArgs& args) {
    for (int capability = 0; capability < 41; ++capability) {
        if (capability > 31 || (kCapabilities >> capability & 1U) == 0)
            (void)::prctl(PR_CAPBSET_DROP, capability);
    }
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2] = {{kCapabilities, kCapabilities, 0}, {0, 0, 0}};
    check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, 30);
    check(::syscall(SYS_capset, &header, data) == 0, 31);
    const sock_fprog program{
            .len = static_cast<unsigned short>(args.filter->size()), .filter = args.filter->data()};
    check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, 32);
}

}  // namespace

void child(const ChildArgs& args) {
    for (const int tasks : args.tasks) check(::write(tasks, "0", 1) == 1, 1);
    (void)::setsid();
    check(::sethostname("floor", 5) == 0, 41);
    const auto message = base::sys::receive_message(base::FdRef(args.channel), 8);
    check(message && message->fds.size() == std::size(kDevices) + 1, 40);
    if (args.user_namespace) {
        check(::setgroups(0, nullptr) == 0 && ::setresgid(0, 0, 0) == 0 &&
                      ::setresuid(0, 0, 0) == 0,
              42);
    }
    root(message->fds);
    privileges(args);
    if (args.pause) {
        for (;;) (void)::pause();
    }
    static char program[] = "/bin/true";
    char* const argv[] = {program, nullptr};
    char* const envp[] = {nullptr};
    ::execve(program, argv, envp);
    ::_exit(199);
}

}  // namespace bench
