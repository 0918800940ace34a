#include "tests/bench/floor_child.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/seccomp.h>

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

void devices() {
    check(::mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=64k") == 0,
          10);

    struct Node {
        const char* path;
        unsigned minor;
    };

    for (const Node node :
         {Node{"dev/null", 3}, Node{"dev/zero", 5}, Node{"dev/full", 7}, Node{"dev/random", 8},
          Node{"dev/urandom", 9}}) {
        check(::mknod(node.path, S_IFCHR | 0666, makedev(1, node.minor)) == 0, 11);
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

void root(const ChildArgs& args) {
    check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, 2);
    check(::syscall(
                  SYS_move_mount, args.overlay, "", AT_FDCWD, args.mount_point,
                  kMoveMountEmptyPath) == 0,
          3);
    check(::chdir(args.mount_point) == 0, 4);
    check(::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0, 5);
    check(::mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, nullptr) ==
                  0,
          6);
    devices();
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
    root(args);
    char byte = 0;
    if (args.ready >= 0) check(::read(args.ready, &byte, 1) == 1, 40);
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
