#include "security/devices.hpp"

#include "tests/kernel/security/child.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <filesystem>

using security::Class;
using security::device_rules;
using test::Probe;

namespace {

// A group of this test alone; gone with it.
class Group {
  public:
    explicit Group(const std::string& parent)
        : path_(parent + "/cloche-security-" + std::to_string(::getpid())) {
        INFO(path_);
        REQUIRE(::mkdir(path_.c_str(), 0755) == 0);
    }

    ~Group() { ::rmdir(path_.c_str()); }

    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;

    const std::string& path() const { return path_; }

    bool enter() const {
        const int fd = ::open((path_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
        const bool entered = fd >= 0 && ::write(fd, "0", 1) == 1;
        ::close(fd);
        return entered;
    }

  private:
    std::string path_;
};

std::string unified() {
    return std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup"
                                                                        : "/sys/fs/cgroup/unified";
}

// Nodes of our own: what the host has in /dev differs from host to host.
struct Nodes {
    std::string directory = test::temporary_directory();

    ~Nodes() { std::filesystem::remove_all(directory); }

    std::string make(const std::string& name, mode_t type, unsigned major, unsigned minor) const {
        const std::string path = directory + "/" + name;
        REQUIRE(::mknod(path.c_str(), type | 0600, makedev(major, minor)) == 0);
        return path;
    }
};

long open_and_close(const std::string& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) ::close(fd);
    return fd < 0 ? -1 : 0;
}

std::vector<Probe> probes(const Nodes& nodes, bool privileged) {
    const auto null = nodes.make("null", S_IFCHR, 1, 3);
    const auto urandom = nodes.make("urandom", S_IFCHR, 1, 9);
    const auto mem = nodes.make("mem", S_IFCHR, 1, 1);
    const auto kmsg = nodes.make("kmsg", S_IFCHR, 1, 11);
    const auto console = nodes.make("console", S_IFCHR, 5, 1);
    const auto loop = nodes.make("loop", S_IFBLK, 7, 0);
    const auto control = nodes.make("loop-control", S_IFCHR, 10, 237);
    const std::string fresh = nodes.directory + "/fresh";
    return {
            {"null", [=] { return open_and_close(null, O_RDWR); }, 0},
            {"urandom", [=] { return open_and_close(urandom, O_RDONLY); }, 0},
            {"mem", [=] { return open_and_close(mem, O_RDONLY); }, EPERM},
            {"kmsg", [=] { return open_and_close(kmsg, O_RDONLY); }, EPERM},
            {"console", [=] { return open_and_close(console, O_RDWR); }, EPERM},
            {"loop", [=] { return open_and_close(loop, O_RDONLY); }, EPERM},
            {"loop-control", [=] { return open_and_close(control, O_RDWR); }, EPERM},
            {"mknod of a disk",
             [=] { return ::mknod((fresh + "b").c_str(), S_IFBLK | 0600, makedev(8, 0)); },
             privileged ? 0 : EPERM},
            {"mknod of kvm",
             [=] { return ::mknod((fresh + "k").c_str(), S_IFCHR | 0600, makedev(10, 232)); },
             privileged ? 0 : EPERM},
            {"open of the disk that was made",
             [=] { return open_and_close(fresh + "b", O_RDONLY); }, privileged ? EPERM : ENOENT},
            {"open of the kvm that was made", [=] { return open_and_close(fresh + "k", O_RDWR); },
             privileged ? EPERM : ENOENT},
            {"mknod of null",
             [=] { return ::mknod((fresh + "n").c_str(), S_IFCHR | 0600, makedev(1, 3)); }, 0},
    };
}

int load_program(const std::string& program, std::string& log) {
    log.resize(65'536);
    bpf_attr attributes = {};
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = reinterpret_cast<std::uint64_t>(program.data());
    attributes.insn_cnt = static_cast<std::uint32_t>(program.size() / sizeof(bpf_insn));
    attributes.license = reinterpret_cast<std::uint64_t>("Apache-2.0");
    attributes.log_buf = reinterpret_cast<std::uint64_t>(log.data());
    attributes.log_size = static_cast<std::uint32_t>(log.size());
    attributes.log_level = 4;  // the verdict only: a whole trace would not fit and fail the load
    return static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes));
}

void check(const Group& group, Class container_class) {
    Nodes nodes;
    const auto table = probes(nodes, container_class == Class::privileged);
    const auto ended = test::in_child(
            [&](int out) { return group.enter() ? test::run_probes(table, out) : 99; });
    INFO(to_string(container_class) << "\n" << ended.output);
    CHECK(ended.code == 0);
}

}  // namespace

TEST_CASE("DEV-04 the v2 program loads, attaches and denies", "[root][cgroup2]") {
    NEEDS(root, cgroup2);
    for (const auto container_class :
         {Class::unprivileged, Class::privileged, Class::privileged_in_userns}) {
        Group group(unified());
        std::string log;
        const int program =
                load_program(security::device_program(device_rules(container_class)), log);
        INFO(log.c_str());
        REQUIRE(program >= 0);
        const int directory = ::open(group.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bpf_attr attributes = {};
        attributes.target_fd = static_cast<std::uint32_t>(directory);
        attributes.attach_bpf_fd = static_cast<std::uint32_t>(program);
        attributes.attach_type = BPF_CGROUP_DEVICE;
        REQUIRE(::syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes) == 0);
        check(group, container_class);
        ::close(program);
        ::close(directory);
    }
}

TEST_CASE("DEV-04 every shape of rule passes the verifier", "[root]") {
    NEEDS(root);
    std::vector<std::vector<security::DeviceRule>> lists = {
            {}, {{.type = 'a', .read = true, .write = true, .make = true}}};
    lists.push_back(
            {{.type = 'a', .read = true, .write = true, .make = true},
             {.type = 'c', .major = 1, .read = true}});
    std::vector<security::DeviceRule> many;
    for (std::uint32_t i = 0; i < 200; ++i) {
        many.push_back(
                {.type = i % 2 == 0 ? 'c' : 'b',
                 .major = 0xfffffff0U + i % 8,
                 .minor = i,
                 .read = true,
                 .write = i % 3 == 0});
    }
    lists.push_back(many);
    lists.push_back(
            {{.type = 'a', .make = true},
             {.type = 'c', .minor = 7, .read = true, .write = true, .make = true}});
    for (const auto& list : lists) {
        std::string log;
        const int fd = load_program(security::device_program(list), log);
        INFO(log.c_str());
        CHECK(fd >= 0);
        ::close(fd);
    }
}

TEST_CASE("DEV-04 the v1 controller takes the rules and denies", "[root][cgroup1]") {
    NEEDS(root, cgroup1);
    for (const auto container_class :
         {Class::unprivileged, Class::privileged, Class::privileged_in_userns}) {
        Group group("/sys/fs/cgroup/devices");
        test::write_file(group.path() + "/devices.deny", "a *:* rwm");
        for (const auto& rule : device_rules(container_class))
            test::write_file(group.path() + "/devices.allow", to_string(rule));
        check(group, container_class);
    }
}
