#include "base/parse.hpp"
#include "base/sys/error.hpp"
#include "base/sys/file.hpp"
#include "base/sys/raw.hpp"
#include "base/sys/seqpacket.hpp"
#include "garden/launch/shim/process.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <linux/close_range.h>

#include <cstring>
#include <optional>

namespace garden::launch {

namespace sys = base::sys;
namespace raw = base::sys::raw;

namespace {

// Numbers of the descriptors that the first process keeps, see container_child().
constexpr int kChannelNumber = 3;
constexpr int kProgramNumber = 4;

// Of an output. With the kernel's 64 KiB, writer and reader wake each other at every write: 0.8
// against 2 GB/s measured.
constexpr int kPipeBytes = 256 << 10;

base::Result<Cloned> clone_with(std::uint64_t flags) {
    auto pair = TRY(sys::seqpacket_pair());
    int pidfd = -1;
    clone_args args = {};
    args.flags = flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    args.exit_signal = SIGCHLD;
    const long pid = raw::clone3(args);
    if (pid < 0) return sys::errno_error("clone a process");
    if (pid == 0) return Cloned{.pid = 0, .pidfd = {}, .channel = std::move(pair.second)};
    return Cloned{
            .pid = static_cast<pid_t>(pid),
            .pidfd = base::Fd(pidfd),
            .channel = std::move(pair.first)};
}

// Takes on the owner's effective ids for the clone, because the creator's effective uid owns the
// namespace (ID-07).
class AsOwner {
  public:
    static base::Result<AsOwner> become(const NamespacePlan& plan) {
        if (!plan.user) return AsOwner(false);
        AsOwner owner(true);
        constexpr auto kKeep32 = static_cast<std::uint32_t>(-1);
        // The gid first: without the effective uid 0 it could not be changed.
        if (::syscall(SYS_setresgid, kKeep32, plan.owner_gid, kKeep32) != 0 ||
            ::syscall(SYS_setresuid, kKeep32, plan.owner_uid, kKeep32) != 0) {
            return sys::errno_error("become the owner of the user namespace");
        }
        return owner;
    }

    AsOwner(AsOwner&& other) noexcept : changed_(std::exchange(other.changed_, false)) {}

    AsOwner& operator=(AsOwner&&) = delete;
    AsOwner(const AsOwner&) = delete;
    AsOwner& operator=(const AsOwner&) = delete;

    ~AsOwner() {
        if (!changed_) return;
        constexpr auto kKeep32 = static_cast<std::uint32_t>(-1);
        if (::syscall(SYS_setresuid, kKeep32, 0, kKeep32) != 0 ||
            ::syscall(SYS_setresgid, kKeep32, 0, kKeep32) != 0) {
            base::panic("cannot become root again");
        }
    }

    // In the child: the ids stay.
    void keep() { changed_ = false; }

  private:
    explicit AsOwner(bool changed) : changed_(changed) {}

    bool changed_;
};

base::Result<void> write_map(pid_t pid, const char* name, const std::vector<IdMapping>& mappings) {
    std::string text;
    for (const auto& mapping : mappings) {
        text += std::to_string(mapping.inside) + " " + std::to_string(mapping.outside) + " " +
                std::to_string(mapping.count) + "\n";
    }
    // Our own unreaped child in the host's procfs, which no container can influence.
    return sys::write_kernel_file_at(
            base::FdRef(AT_FDCWD), "/proc/" + std::to_string(pid) + "/" + name, text);
}

base::Result<std::uint32_t> host_id(
        bool user_namespace, const std::vector<IdMapping>& mappings, std::uint32_t id) {
    if (!user_namespace) return id;
    for (const auto& mapping : mappings) {
        if (id >= mapping.inside && id - mapping.inside < mapping.count)
            return mapping.outside + (id - mapping.inside);
    }
    return sys::plain_error(
            base::Errc::invalid,
            "user: id " + std::to_string(id) + " is not mapped in this container");
}

// The ends of pipes belong to the process's user, so that /dev/stdout can be opened again
// (garden-behaviours D.5).
base::Result<base::Fd> pipe_for(
        Process& process, int number, const NamespacePlan& namespaces, const ProcessPlan& plan) {
    auto pipe = TRY(sys::make_pipe());
    const auto uid = TRY(host_id(namespaces.user, namespaces.uids, plan.uid));
    const auto gid = TRY(host_id(namespaces.user, namespaces.gids, plan.gid));
    if ((uid != 0 || gid != 0) && ::fchown(pipe.read.get(), uid, gid) != 0)
        return sys::errno_error("change the owner of a pipe");
    if (number == 0) {
        process.input = std::move(pipe.write);
        return std::move(pipe.read);
    }
    // The container can open its own pipe for reading and so take bytes away: our read must not
    // wait for them.
    if (::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0)
        return sys::errno_error("make a pipe non-blocking");
    // Only faster: a kernel that refuses gives the usual 64 KiB.
    (void)::fcntl(pipe.read.get(), F_SETPIPE_SZ, kPipeBytes);
    process.sources[number - 1].fd = std::move(pipe.read);
    return std::move(pipe.write);
}

}  // namespace

base::Result<Cloned> clone_container(const NamespacePlan& plan, base::FdRef program) {
    std::uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    if (plan.user) flags |= CLONE_NEWUSER;
    if (plan.network) flags |= CLONE_NEWNET;
    if (plan.time) flags |= CLONE_NEWTIME;
    auto cloned = [&]() -> base::Result<Cloned> {
        auto owner = TRY(AsOwner::become(plan));
        auto made = clone_with(flags);
        if (made && made->pid == 0) owner.keep();
        return made;
    }();
    if (!cloned) return std::move(cloned).context("make the namespaces");
    if (cloned->pid == 0) {
        // A copy of the shim: it keeps the channel and the program, nothing else.
        const int channel = ::fcntl(cloned->channel.get(), F_DUPFD_CLOEXEC, 64);
        const int init = ::fcntl(program.get(), F_DUPFD_CLOEXEC, 64);
        if (::dup3(channel, kChannelNumber, O_CLOEXEC) < 0 ||
            ::dup3(init, kProgramNumber, O_CLOEXEC) < 0)
            ::_exit(125);
        (void)raw::close_range(kProgramNumber + 1, ~0U, 0);
        container_child(Child(kChannelNumber), plan.user, kProgramNumber);
    }
    if (plan.user) {
        auto mapped = write_map(cloned->pid, "uid_map", plan.uids);
        if (mapped) mapped = write_map(cloned->pid, "gid_map", plan.gids);
        if (!mapped) {
            (void)raw::pidfd_send_signal(cloned->pidfd.get(), SIGKILL);  // our child: it exists
            return std::move(mapped).error();
        }
    }
    return cloned;
}

base::Result<Cloned> clone_child() {
    return clone_with(0);
}

base::Result<void> clone_process(
        Process& process,
        const NamespacePlan& namespaces,
        ProcessArguments arguments,
        base::FdRef null) {
    const auto& plan = arguments.plan;
    base::Fd ends[3];
    const FdIndex given[3] = {plan.stdin_fd, plan.stdout_fd, plan.stderr_fd};
    for (int i = 0; i < 3 && plan.stdio != Stdio::terminal; ++i) {
        if (plan.stdio == Stdio::pipes) {
            ends[i] = TRY(pipe_for(process, i, namespaces, plan));
            arguments.stdio[i] = ends[i].get();
        } else {
            arguments.stdio[i] = given[i] == kNoFd
                                         ? null.get()
                                         : arguments.fds[static_cast<std::size_t>(given[i])].get();
        }
    }
    auto cloned = TRY(clone_child());
    if (cloned.pid == 0) process_child(Child(cloned.channel.get()), arguments);
    process.pid = cloned.pid;
    process.pidfd = std::move(cloned.pidfd);
    process.channel = std::move(cloned.channel);
    return base::ok;
}

base::Error to_error(const Report& report, const Process* process) {
    const bool missing = report.error == ENOENT || report.error == ENOTDIR;
    std::string detail(report.detail, ::strnlen(report.detail, sizeof report.detail));
    if (report.step == Step::execute && missing && process != nullptr) {
        // garden-api §3: consumers compare these texts.
        std::string text =
                "unable to start container process: exec: \"" + process->program + "\": ";
        text += process->slashed ? "stat " + process->program + ": no such file or directory"
                                 : "executable file not found in $PATH";
        return base::Error{
                .kind = base::Errc::not_found,
                .sys = report.error,
                .text = std::move(text),
                .where = base::Where::here()};
    }
    std::string action(to_string(report.step));
    if (!detail.empty()) action += " " + detail;
    return sys::errno_error(action, report.error);
}

base::Result<void> set_oom_score(pid_t pid, std::int32_t value) {
    static std::optional<std::int32_t> own;  // the shim's never changes
    if (!own) {
        auto text = TRY(sys::read_host_file("/proc/self/oom_score_adj"));
        while (!text.empty() && text.back() == '\n') text.pop_back();
        own = TRY(base::parse_number<std::int32_t>(text, "oom_score_adj"));
    }
    if (value == *own) return base::ok;
    return sys::write_kernel_file_at(
            base::FdRef(AT_FDCWD), "/proc/" + std::to_string(pid) + "/oom_score_adj",
            std::to_string(value));
}

}  // namespace garden::launch
