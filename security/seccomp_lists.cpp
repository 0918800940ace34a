#include "security/seccomp_lists.hpp"

namespace security {

namespace {

constexpr std::string_view kAllowed =
        // Files: open, read, write
        "open openat openat2 creat close close_range read readv pread64 preadv preadv2 write "
        "writev "
        "pwrite64 pwritev pwritev2 lseek sendfile copy_file_range splice tee readahead fadvise64 "
        "fallocate truncate ftruncate sync fsync fdatasync syncfs sync_file_range cachestat "
        "memfd_create memfd_secret "
        // Files: metadata and names
        "stat fstat lstat newfstatat statx statfs fstatfs statmount listmount access faccessat "
        "faccessat2 chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes "
        "futimesat utimensat umask link linkat symlink symlinkat readlink readlinkat unlink "
        "unlinkat "
        "rename renameat renameat2 mkdir mkdirat rmdir mknod mknodat getdents getdents64 getcwd "
        "chdir "
        "fchdir name_to_handle_at "
        // Extended attributes
        "setxattr lsetxattr fsetxattr setxattrat getxattr lgetxattr fgetxattr getxattrat listxattr "
        "llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat "
        // Descriptors and event loops
        "dup dup2 dup3 fcntl flock pipe pipe2 poll ppoll select pselect6 epoll_create "
        "epoll_create1 "
        "epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd "
        "eventfd2 "
        "signalfd signalfd4 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
        "fanotify_mark timerfd_create timerfd_settime timerfd_gettime "
        // Classic asynchronous I/O
        "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents "
        // Memory
        "brk mmap munmap mprotect mremap msync madvise mincore mlock mlock2 mlockall munlock "
        "munlockall remap_file_pages mseal pkey_alloc pkey_free pkey_mprotect map_shadow_stack "
        "membarrier "
        // Processes and threads
        "fork vfork execve execveat exit exit_group wait4 waitid getpid getppid gettid getpgid "
        "getpgrp setpgid getsid setsid set_tid_address set_robust_list get_robust_list rseq futex "
        "futex_wait futex_wake futex_waitv futex_requeue set_thread_area get_thread_area "
        "arch_prctl "
        "prctl pidfd_open pidfd_send_signal process_mrelease restart_syscall uretprobe uprobe "
        // Debugging inside the container
        "ptrace process_vm_readv process_vm_writev "
        // Scheduling and limits
        "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr "
        "sched_getparam "
        "sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max "
        "sched_get_priority_min sched_rr_get_interval getpriority setpriority ioprio_get "
        "ioprio_set "
        "getrlimit setrlimit prlimit64 getrusage getcpu times sysinfo "
        // Signals
        "rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn "
        "rt_sigsuspend rt_sigtimedwait sigaltstack kill tkill tgkill pause "
        // Time
        "time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep alarm getitimer "
        "setitimer timer_create timer_delete timer_settime timer_gettime timer_getoverrun adjtimex "
        "clock_adjtime "
        // Identity and capabilities
        "getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid "
        "setregid "
        "setresuid setresgid setgroups setfsuid setfsgid capget capset uname getrandom "
        // System V and POSIX IPC
        "shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl "
        "mq_open "
        "mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr "
        // Sockets (after creation)
        "bind listen accept accept4 connect getsockname getpeername getsockopt setsockopt shutdown "
        "sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg "
        // Sandboxing by the workload itself
        "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self "
        // chroot (needs CAP_SYS_CHROOT)
        "chroot ";

constexpr std::string_view kDenied =
        // Mounting
        "mount umount2 pivot_root open_tree move_mount fsopen fsconfig fsmount fspick "
        "mount_setattr "
        // Namespaces
        "unshare setns "
        // Opening by handle
        "open_by_handle_at "
        // Kernel code and reboot
        "init_module finit_module delete_module create_module query_module get_kernel_syms "
        "kexec_load "
        "kexec_file_load reboot "
        // Programmable kernel
        "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register "
        // Page tricks
        "vmsplice move_pages migrate_pages process_madvise "
        // Keyrings
        "add_key request_key keyctl "
        // Foreign process inspection
        "kcmp pidfd_getfd "
        // Memory placement
        "mbind set_mempolicy get_mempolicy set_mempolicy_home_node "
        // Clock setting
        "settimeofday clock_settime "
        // Host identity
        "sethostname setdomainname "
        // Logs, accounting, quota, swap
        "syslog acct quotactl quotactl_fd swapon swapoff lookup_dcookie "
        // File-system-wide watching
        "fanotify_init "
        // Ports and descriptor tables
        "iopl ioperm modify_ldt vhangup "
        // Security module control
        "lsm_get_self_attr lsm_set_self_attr lsm_list_modules "
        // Obsolete
        "uselib ustat sysfs _sysctl nfsservctl getpmsg putpmsg afs_syscall tuxcall security "
        "vserver ";

// What no container engine inside a container needs, and what reaches past the container (6.6).
constexpr std::string_view kPrivilegedDenied =
        "kexec_load kexec_file_load init_module finit_module delete_module create_module "
        "query_module "
        "get_kernel_syms iopl ioperm swapon swapoff acct settimeofday clock_settime lookup_dcookie "
        "nfsservctl uselib ustat sysfs _sysctl open_by_handle_at userfaultfd perf_event_open "
        "io_uring_setup io_uring_enter io_uring_register lsm_set_self_attr vmsplice quotactl "
        "quotactl_fd ";

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const auto end = text.find(' ');
        if (end != 0) words.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return words;
}

std::vector<std::string> allowed_calls() {
    return words_of(kAllowed);
}

std::vector<std::string> denied_calls() {
    return words_of(kDenied);
}

std::vector<std::string> privileged_denied_calls() {
    return words_of(kPrivilegedDenied);
}

}  // namespace security
