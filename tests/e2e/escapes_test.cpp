// Must hold 6 of the security work: each way out of section 11 is tried from inside, as root and
// with all that the class gives, and ends with the errno of the document. escapes/README.md says
// which case is where.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/support/needs.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <sstream>

#include <catch2/catch.hpp>

namespace fs = std::filesystem;
using test::Daemon;
using test::process;
using test::run_to_end;

namespace {

using Outcomes = std::map<std::string, std::string>;

// What the kernel of this host does not have ends differently: "a|b" is one of them.
// clang-format off
const Outcomes kUnprivileged = {
        {"open_by_handle_at", "EPERM"},     // the "shocker"
        {"clone-user", "EPERM"},            // CVE-2022-0185 and all that need a namespace first
        {"clone-mount", "EPERM"},
        {"clone-net", "EPERM"},
        {"clone-cgroup", "EPERM"},          // Guardian's mask forgets it
        {"clone3", "ENOSYS"},               // SC-04
        {"unshare-user", "EPERM"},
        {"unshare-mount", "EPERM"},
        {"setns", "EPERM"},
        {"mount-proc", "EPERM"},
        {"umount-mask", "EPERM"},           // FS-12, here and below
        {"umount-mask-new-mounts", "EPERM"},
        {"umount-mask-new-user", "EPERM"},
        {"umount-mask-of-copy", "EPERM"},
        {"umount-proc", "EPERM"},
        {"move-mask", "EPERM"},
        {"bind-without-masks", "EPERM"},
        {"clone-tree-without-masks", "EPERM"},
        {"clone-tree-with-masks", "EPERM"},
        {"remount-cover", "EPERM"},
        {"setattr-cover", "EPERM"},
        {"mount-proc-new-pids", "EPERM"},
        {"mount-sysfs", "EPERM"},
        {"mount-tmpfs", "EPERM"},
        {"pivot_root", "EPERM"},
        {"open_tree", "EPERM"},
        {"fsopen", "EPERM"},
        {"mount_setattr", "EPERM"},
        {"keyctl", "EPERM"},                // PL-05
        {"add_key", "EPERM"},
        {"bpf", "EPERM"},
        {"perf_event_open", "EPERM"},
        {"userfaultfd", "EPERM"},
        {"io_uring_setup", "EPERM"},
        {"vmsplice", "EPERM"},              // CVE-2022-0847's helper
        {"init_module", "EPERM"},
        {"kexec_load", "EPERM"},
        {"swapon", "EPERM"},
        {"settimeofday", "EPERM"},
        {"sethostname", "EPERM"},
        {"syslog", "EPERM"},
        {"pidfd_getfd", "EPERM"},
        {"socket-alg", "EPERM"},            // CVE-2026-31431
        {"socket-vsock", "EPERM"},
        {"socket-x25", "EAFNOSUPPORT"},
        {"tiocsti", "EPERM"},               // PL-08
        {"tiocsti-high-bits", "EPERM"},     // SC-06
        {"foreign-abi", "ENOSYS"},          // SC-02
        {"block-device", "EPERM"},          // DEV-02
        {"kernel-memory", "EPERM"},
        {"chroot", "inside"},               // FS-03
        {"new-hierarchy", "EPERM"},         // section 10
        {"release-agent", "EPERM"},         // CVE-2022-0492
        {"core_pattern", "EACCES"},         // section 10
        {"modprobe-path", "EACCES|ENOENT"},
        {"panic-switch", "EACCES"},
        {"sysrq-trigger", "EACCES|ENOENT"},
        {"uevent_helper", "EACCES|ENOENT"},
        {"binfmt_misc", "ENOENT"},
        {"make-sys", "EROFS"},
        {"agent-v1", "ENOENT"},
        {"kcore", "empty|EACCES|ENOENT"},
        {"keys", "empty"},
        {"timer_list", "empty"},
        {"kallsyms", "empty"},
        {"host-memory", "ENOENT"},
        {"kernel-log", "ENOENT"},
        {"leaked-descriptors", "none"},     // CVE-2024-21626, CVE-2016-9962
        {"abstract-sockets", "none"},       // CVE-2020-15257
        {"ipv6", "none"},                   // CVE-2024-32473
        {"engine-program", "refused"},      // CVE-2019-5736
        {"root-of-init", "same"},
        {"inheritable", "0000000000000000"},// CVE-2022-24769
        {"oom_score_adj", "EACCES"},
        {"inotify", "EMFILE"},              // ID-07
        {"fork-bomb", "EAGAIN"},            // DOS-01
        {"mlock", "ENOMEM"},                // PL-09
        {"realtime", "EPERM"},              // DOS-17
        {"nice", "EACCES"},
        {"core-dumps", "none"},             // PL-09
};

// The class keeps what a nested engine needs (6.6); the kernel refuses what is the host's.
const Outcomes kPrivilegedInUserns = {
        {"clone-user", "done"},      {"clone-mount", "done"},    {"clone-net", "done"},
        {"clone-cgroup", "done"},    {"clone3", "EINVAL"},       {"unshare-user", "done"},
        {"unshare-mount", "done"},   {"setns", "done"},          {"mount-tmpfs", "done"},
        {"pivot_root", "EINVAL"},    {"clone-tree-with-masks", "done"},
         {"open_tree", "done"},
        {"fsopen", "done"},          {"mount_setattr", "EINVAL"},{"keyctl", "done"},
        {"add_key", "done"},         {"bpf", "EINVAL"},          {"sethostname", "EINVAL"},
        {"pidfd_getfd", "EBADF"},    {"release-agent", "file ENOENT|EBUSY|ENOENT|EINVAL"},
};

// FS-12: in the class that may mount, what covers /proc and /sys is locked to what is below, and a
// procfs or sysfs without covers cannot be had.
const Outcomes kLocked = {
        {"umount-mask", "EINVAL"},           {"umount-mask-new-mounts", "EINVAL"},
        {"umount-mask-new-user", "EINVAL"},  {"umount-mask-of-copy", "EINVAL"},
        {"umount-proc", "EINVAL"},           {"move-mask", "EINVAL"},
        {"bind-without-masks", "EINVAL"},    {"clone-tree-without-masks", "EINVAL"},
        {"remount-cover", "EPERM"},          {"setattr-cover", "EPERM"},
        {"mount-proc", "EPERM"},             {"mount-proc-new-pids", "EPERM"},
        {"mount-sysfs", "EPERM"},
};

// Real root of the host: only what can be closed without breaking a nested engine is (1.4).
const Outcomes kPrivileged = {
        // Nothing is masked there, and another procfs can be mounted.
        {"umount-mask", "EINVAL"},           {"umount-mask-new-mounts", "EINVAL"},
        {"umount-mask-new-user", "EINVAL"},  {"umount-mask-of-copy", "EINVAL"},
        {"umount-proc", "done"},             {"move-mask", "EINVAL"},
        {"bind-without-masks", "done"},      {"clone-tree-without-masks", "done"},
        {"remount-cover", "EINVAL"},         {"setattr-cover", "EINVAL"},
        {"mount-proc", "done"},              {"mount-proc-new-pids", "done"},
        {"mount-sysfs", "done"},
        {"pivot_root", "EBUSY|EINVAL"},
        {"block-device", "open EACCES|open EPERM"},   // v1 says EACCES, v2 EPERM (DEV-04)
        {"kernel-memory", "open EACCES|open EPERM"},
        {"core_pattern", "EROFS"},           {"panic-switch", "EROFS"},
        {"modprobe-path", "EROFS|ENOENT"},   {"sysrq-trigger", "EROFS|ENOENT"},
        {"uevent_helper", "EROFS|ENOENT"},   {"make-sys", "ENOENT"},
        {"kcore", "content|ENOENT|EPERM"},   {"keys", "content"},
        {"timer_list", "content"},           {"kallsyms", "content"},
        {"mlock", "done"},                   {"nice", "done"},
        {"syslog", "done"},
};

// clang-format on

// Later tables say where a class differs from the earlier ones.
Outcomes merged(std::initializer_list<const Outcomes*> tables) {
    Outcomes all;
    for (const Outcomes* table : tables) {
        for (const auto& [name, outcome] : *table) all[name] = outcome;
    }
    return all;
}

bool allows(std::string_view table, std::string_view outcome) {
    while (!table.empty()) {
        const auto bar = std::min(table.find('|'), table.size());
        if (table.substr(0, bar) == outcome) return true;
        table.remove_prefix(std::min(bar + 1, table.size()));
    }
    return false;
}

constexpr std::uint64_t kPids = 60;

void provide_attempts(Daemon& daemon) {
    fs::copy_file(
            CLOCHE_BINARY_DIR "/bin/escape-attempts", daemon.rootfs() + "/bin/escape-attempts",
            fs::copy_options::overwrite_existing);
    fs::create_directories(daemon.rootfs() + "/mnt");
}

Outcomes attempt_all(Daemon& daemon, const std::string& container_class) {
    provide_attempts(daemon);
    auto spec = daemon.spec("attempts");
    spec.cloche.container_class = container_class;
    spec.limits.pid_limits.max = kPids;
    daemon.client().create(spec).value();
    const auto ran = run_to_end(daemon.client(), "attempts", process({"/bin/escape-attempts"}));
    CHECK(ran.code == 0);
    CHECK(ran.err == "");
    Outcomes all;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) {
        const auto space = line.find(' ');
        REQUIRE(space != std::string::npos);
        all[line.substr(0, space)] = line.substr(space + 1);
    }
    daemon.client().destroy("attempts").value();
    return all;
}

// Every attempt must be in the table: a new one cannot be forgotten.
void compare(const Outcomes& seen, const Outcomes& table) {
    for (const auto& [name, outcome] : seen) {
        CAPTURE(name, outcome);
        const auto found = table.find(name);
        REQUIRE(found != table.end());
        CAPTURE(found->second);
        CHECK(allows(found->second, outcome));
    }
    CHECK(seen.size() == table.size());
}

// Opens as many as the host allows root, and says how many.
int inotify_instances() {
    std::vector<base::Fd> opened;
    for (int number = 0; number < 64; ++number) {
        base::Fd instance(::inotify_init1(IN_CLOEXEC));
        if (!instance) break;
        opened.push_back(std::move(instance));
    }
    return static_cast<int>(opened.size());
}

}  // namespace

TEST_CASE("section 11: no known way leads out of an unprivileged container") {
    NEEDS(root, nft);
    Daemon daemon;
    compare(attempt_all(daemon, "unprivileged"), kUnprivileged);
}

TEST_CASE("section 11: no one-step way leads out of a privileged container in a user namespace") {
    NEEDS(root, nft);
    Daemon daemon;
    compare(attempt_all(daemon, "privileged_in_userns"),
            merged({&kUnprivileged, &kPrivilegedInUserns, &kLocked}));
}

TEST_CASE("section 11: the published one-step ways out of a privileged container are closed") {
    NEEDS(root, nft);
    Daemon daemon;
    compare(attempt_all(daemon, "privileged"),
            merged({&kUnprivileged, &kPrivilegedInUserns, &kPrivileged}));
}

TEST_CASE("ID-07: a container that holds every inotify instance it can get takes none of root's") {
    NEEDS(root, nft);
    Daemon daemon;
    provide_attempts(daemon);
    const int before = inotify_instances();
    daemon.create("greedy");
    auto greedy =
            daemon.client().run("greedy", process({"/bin/escape-attempts", "--hold-inotify"}));
    REQUIRE(greedy);
    auto output = greedy->open_output(false);
    REQUIRE(output);
    const test::Reader reader(std::move(*output));
    REQUIRE(reader.wait_for("holding", test::patience(std::chrono::seconds(10))));
    CHECK(inotify_instances() == before);
}

TEST_CASE("CVE-2024-40635: a user that is no id is refused, not retried as a name or wrapped") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("users");
    for (const char* user :
         {"4294967295", "4294967296", "-1", "1001:4294967295", "1001:-1", "99999999999999999999"}) {
        CAPTURE(user);
        const auto ran = run_to_end(daemon.client(), "users", process({"id"}, "", user));
        CAPTURE(ran.out, ran.error);
        CHECK(ran.out == "");
        CHECK(ran.error != "");
    }
    const auto alice = run_to_end(daemon.client(), "users", process({"id", "-G"}, "", "alice"));
    CHECK(alice.out == "1010\n");  // CVE-2022-36109: the primary group, and none of gardend's
}

TEST_CASE("CVE-2024-21626: a working directory through a descriptor does not leave the root") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("directories");
    for (const char* directory :
         {"/proc/self/fd/3", "/proc/self/fd/7/../../../../..", "/proc/1/cwd", "/proc/1/root",
          "/proc/self/cwd"}) {
        CAPTURE(directory);
        auto spec = process({"/bin/sh", "-c", "ls -d /home/alice; pwd; ls -a ..; cat ../etc/*"});
        spec.dir = directory;
        const auto ran = run_to_end(daemon.client(), "directories", spec);
        CAPTURE(ran.out, ran.error);
        // Refused, or a place inside: what is above it is the container's own root.
        const bool inside = ran.error.empty() && ran.out.find("gardenparty") != std::string::npos;
        CHECK((!ran.error.empty() || inside));
    }
}
