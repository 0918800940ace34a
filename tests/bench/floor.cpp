// bench-floor: a container by system calls alone, no engine. One JSON line with the microseconds of
// each round.
//   bench-floor cycle ROUNDS ROOTFS SCRATCH [network]    everything a container has, then removed;
//   with a network also a user namespace, an ID-mapped image and the rules of garden/net
//   bench-floor run ROUNDS ROOTFS SCRATCH                a program started in a container that
//   lives
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "base/sys/seqpacket.hpp"
#include "garden/net/network.hpp"
#include "tests/bench/floor_child.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/sched.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <seccomp.h>

using base::Fd;
using base::FdRef;
namespace sys = base::sys;

namespace {

struct Controller {
    const char* name;
    const char* file;
    const char* value;
};

constexpr unsigned kFirstId = 1'900'000'000;

constexpr Controller kControllers[] = {
        {"memory", "memory.limit_in_bytes", "268435456"},
        {"cpu", "cpu.shares", "512"},
        {"pids", "pids.max", "1024"},
        {"devices", "devices.deny", "c 10:* rwm"},
};

class Floor {
  public:
    Floor(std::string rootfs, std::string scratch, bool network)
        : rootfs_(std::move(rootfs)), scratch_(std::move(scratch)) {
        make_filter();
        (void)::mkdir(scratch_.c_str(), 0755);
        for (const char* device : bench::kDevices)
            devices_.push_back(sys::open_host(std::string("/") + device, O_PATH).value());
        clean();  // what an aborted run left: a volatile overlay refuses its old work directory
        if (network) network_ = garden::net::Network::start({.tag = "fl"}).value();
    }

    ~Floor() {
        if (network_) network_->tear_down().value();
    }

    Floor(const Floor&) = delete;
    Floor& operator=(const Floor&) = delete;

    void start(bool pause);
    void stop(bool kill);
    int run_inside();

  private:
    void make_filter();
    void make_cgroups();
    Fd make_overlay() const;
    void map_ids() const;
    void hand_over(FdRef channel);
    void clean();

    std::string rootfs_, scratch_;
    std::vector<sock_filter> filter_;
    std::vector<Fd> devices_;
    std::unique_ptr<garden::net::Network> network_;
    // of the container that lives
    std::vector<std::string> groups_;
    std::vector<Fd> tasks_;
    Fd pidfd_, user_namespace_;
    pid_t pid_ = -1;
    garden::net::Lease lease_;
};

// An allow-list of the size of the usual default profile, built once as an engine caches it.
void Floor::make_filter() {
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    for (int number = 0; number < 335; ++number) {
        if (number >= 165 && number <= 180) continue;  // mount, reboot, modules and the like
        (void)seccomp_rule_add(context, SCMP_ACT_ALLOW, number, 0);
    }
    Fd memory(::memfd_create("filter", MFD_CLOEXEC));
    if (seccomp_export_bpf(context, memory.get()) != 0) base::panic("export the filter");
    seccomp_release(context);
    filter_.resize(
            static_cast<std::size_t>(::lseek(memory.get(), 0, SEEK_END)) / sizeof(sock_filter));
    if (::pread(memory.get(), filter_.data(), filter_.size() * sizeof(sock_filter), 0) < 0)
        base::panic("read the filter");
}

void Floor::make_cgroups() {
    const std::string name = "/bench-floor-" + std::to_string(::getpid());
    for (const Controller& controller : kControllers) {
        const std::string path = std::string("/sys/fs/cgroup/") + controller.name + name;
        if (::mkdir(path.c_str(), 0755) != 0)
            continue;  // a host without v1 controllers has fewer to pay for
        groups_.push_back(path);
        Fd limit(::open((path + "/" + controller.file).c_str(), O_WRONLY | O_CLOEXEC));
        sys::write_all(limit, controller.value).value();
        tasks_.emplace_back(::open((path + "/tasks").c_str(), O_WRONLY | O_CLOEXEC));
    }
}

Fd Floor::make_overlay() const {
    for (const char* name : {"", "/upper", "/work"}) (void)::mkdir((scratch_ + name).c_str(), 0755);
    std::string lower = rootfs_;
    Fd mapped;
    if (user_namespace_) {
        if (::chown((scratch_ + "/upper").c_str(), kFirstId, kFirstId) != 0) base::panic("chown");
        const Fd root = sys::open_host(rootfs_, O_PATH).value();
        mapped = sys::clone_tree(root, "", false).value();
        sys::idmap_mount(mapped, user_namespace_, false).value();
        lower = "/proc/self/fd/" + std::to_string(mapped.get());
    }
    Fd context = sys::fs_open("overlay").value();
    sys::fs_set_string(context, "lowerdir", lower).value();
    sys::fs_set_string(context, "upperdir", scratch_ + "/upper").value();
    sys::fs_set_string(context, "workdir", scratch_ + "/work").value();
    sys::fs_set_flag(context, "volatile").value();
    sys::fs_create(context).value();
    return sys::fs_mount(context, 0).value();
}

void Floor::map_ids() const {
    const std::string line = "0 " + std::to_string(kFirstId) + " 65536\n";
    for (const char* name : {"/uid_map", "/gid_map"}) {
        sys::write_kernel_file_at(FdRef(AT_FDCWD), "/proc/" + std::to_string(pid_) + name, line)
                .value();
    }
}

// What the child cannot make itself.
void Floor::hand_over(FdRef channel) {
    const Fd overlay = make_overlay();
    std::vector<Fd> nodes;
    for (const Fd& device : devices_) nodes.push_back(sys::clone_tree(device, "", false).value());
    std::vector<FdRef> fds{overlay};
    fds.insert(fds.end(), nodes.begin(), nodes.end());
    sys::send_message(channel, "x", fds).value();
}

void Floor::start(bool pause) {
    make_cgroups();
    sys::MessagePair channel = sys::seqpacket_pair().value();
    bench::ChildArgs args{
            .channel = channel.second.get(),
            .user_namespace = network_ != nullptr,
            .filter = &filter_,
            .pause = pause};
    for (const Fd& tasks : tasks_) args.tasks.push_back(tasks.get());
    int pidfd = -1;
    clone_args clone{};
    clone.flags = CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS |
                  CLONE_NEWIPC | CLONE_NEWCGROUP;
    if (args.user_namespace) clone.flags |= CLONE_NEWUSER;
    clone.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    clone.exit_signal = SIGCHLD;
    pid_ = static_cast<pid_t>(::syscall(SYS_clone3, &clone, sizeof clone));
    if (pid_ == 0) bench::child(args);
    if (pid_ < 0) base::panic("clone3");
    pidfd_ = Fd(pidfd);
    if (network_) {
        const std::string directory = "/proc/" + std::to_string(pid_) + "/ns/";
        map_ids();
        user_namespace_ = sys::open_host(directory + "user", O_RDONLY).value();
        lease_ = network_->lease("").value();
        network_->connect(lease_, sys::open_host(directory + "net", O_RDONLY).value()).value();
    }
    hand_over(channel.first);
}

void Floor::stop(bool kill) {
    if (kill) (void)::kill(pid_, SIGKILL);
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) base::panic("wait");
    if (!kill && status != 0) {
        std::fprintf(
                stderr, "bench-floor: the child failed at step %d\n", WEXITSTATUS(status) - 100);
        std::exit(1);
    }
    if (network_) {
        network_->disconnect(lease_, false).value();
        network_->release(lease_);
    }
    pidfd_.reset();
    user_namespace_.reset();
    tasks_.clear();
    for (const std::string& group : groups_) (void)::rmdir(group.c_str());
    groups_.clear();
    clean();
}

void Floor::clean() {
    Fd scratch = sys::open_host(scratch_, O_RDONLY | O_DIRECTORY).value();
    for (const char* name : {"upper", "work"}) sys::remove_tree_at(scratch, name).value();
}

// What a helper inside the namespaces costs: two processes, one to enter, one to run.
int Floor::run_inside() {
    const pid_t entering = ::fork();
    if (entering == 0) {
        if (::setns(pidfd_.get(), CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS |
                                          CLONE_NEWIPC | CLONE_NEWCGROUP) != 0)
            ::_exit(101);
        const pid_t inner = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
        if (inner == 0) {
            ::execl("/bin/true", "/bin/true", nullptr);
            ::_exit(102);
        }
        int status = 0;
        ::_exit(::waitpid(inner, &status, 0) == inner && status == 0 ? 0 : 103);
    }
    int status = 0;
    return ::waitpid(entering, &status, 0) == entering ? status : -1;
}

template <class Work>
void measure(const char* name, int rounds, Work work) {
    std::printf("{\"name\":\"%s\",\"us\":[", name);
    for (int i = 0; i < rounds; ++i) {
        const auto before = std::chrono::steady_clock::now();
        work();
        const auto after = std::chrono::steady_clock::now();
        std::printf(
                "%s%.0f", i == 0 ? "" : ",",
                std::chrono::duration<double, std::micro>(after - before).count());
    }
    std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: bench-floor cycle|run ROUNDS ROOTFS SCRATCH [network]\n");
        return 2;
    }
    const std::string mode = argv[1];
    const int rounds = base::parse_number<int>(argv[2], "ROUNDS").value();
    Floor floor(argv[3], argv[4], argc > 5);
    if (mode == "cycle") {
        measure("cycle", rounds, [&] {
            floor.start(false);
            floor.stop(false);
        });
    } else {
        floor.start(true);
        ::usleep(50'000);  // the child has its root by then
        measure("run", rounds, [&] {
            if (floor.run_inside() != 0) base::panic("a program did not run inside");
        });
        floor.stop(true);
    }
    return 0;
}
