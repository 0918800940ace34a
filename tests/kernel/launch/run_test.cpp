// Starting processes: exit codes, exec errors, identity, directories, what a process can see of
// itself.
#include "base/sys/file.hpp"
#include "tests/kernel/launch/fixture.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cerrno>

using test::Box;

TEST_CASE("a container is created, a process runs and its exit code is told") {
    NEEDS(root, userns);
    const bool user_namespace = GENERATE(true, false);
    Box box(user_namespace);
    box.must_create();
    const auto output =
            box.run(box.process("p", {"/bin/sh", "-c", "echo out; echo err >&2; exit 42"}));
    CHECK(output.error.text == "");
    CHECK(output.out == "out\n");
    CHECK(output.err == "err\n");
    CHECK(output.code == 42);
}

TEST_CASE("every namespace of a container is its own and all processes share them") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    const auto inside =
            box.sh("for n in user mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done");
    const auto init =
            box.sh("for n in user mnt pid net ipc uts cgroup; do readlink /proc/1/ns/$n; done");
    CHECK(inside.out == init.out);
    for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
        const auto host = base::sys::read_link_at(
                base::FdRef(AT_FDCWD), std::string("/proc/self/ns/") + name);
        REQUIRE(host);
        INFO(name);
        CHECK(inside.out.find(*host) == std::string::npos);
    }
    CHECK(box.sh("hostname").out == "box-host\n");
    CHECK(box.sh("cat /proc/self/uid_map | { read a b c; echo $a $b $c; }").out ==
          "0 805306368 65536\n");
    CHECK(box.sh("head -1 /proc/1/status").out == "Name:\tgarden-init\n");
    CHECK(box.sh("ps -o pid,comm | grep -v -e ps -e sh -e grep").out.find("garden-init") !=
          std::string::npos);
}

TEST_CASE("an executable that is missing or forbidden is told before run succeeds") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto missing = box.run(box.process("a", {"no-such-program"}));
    CHECK_FALSE(missing.started);
    CHECK(missing.error.kind == base::Errc::not_found);
    CHECK(missing.error.text.find("executable file not found in $PATH") != std::string::npos);
    auto absolute = box.run(box.process("a", {"/bin/no-such-program"}));  // the id is free again
    CHECK(absolute.error.kind == base::Errc::not_found);
    CHECK(absolute.error.text.find("no such file or directory") != std::string::npos);
    auto directory = box.run(box.process("a", {"/tmp"}));
    CHECK(directory.error.kind == base::Errc::denied);
    auto tty = box.process("a", {"/bin/nothing"});
    tty.stdio = garden::launch::Stdio::terminal;
    CHECK(box.run(tty).error.kind == base::Errc::not_found);
    auto cwd = box.process("a", {"/bin/true"});
    cwd.cwd = "/bin/busybox/below";
    const auto bad = box.run(cwd);
    CHECK(bad.error.kind != base::Errc::not_found);
    CHECK(bad.error.text.find("working directory /bin/busybox/below") != std::string::npos);
    CHECK(box.shim->state()->processes.empty());
}

TEST_CASE("exit codes are those of the process or 128 and the signal") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    CHECK(box.sh("exit 255").code == 255);
    CHECK(box.sh("kill -9 $$").code == 137);
    CHECK(box.sh("kill -15 $$").code == 143);
    auto started = box.shim->run(box.process("s", {"/bin/sleep", "100"}), {});
    REQUIRE(started);
    REQUIRE(box.shim->signal("s", SIGTERM));
    CHECK(box.heard->exit_of("s") == 143);
    CHECK(box.shim->signal("s", SIGTERM));  // an ended one is fine
    CHECK(box.shim->signal("t", SIGTERM).error().kind == base::Errc::not_found);
}

TEST_CASE("an id is used once until it is forgotten") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    REQUIRE(box.shim->run(box.process("same", {"/bin/sleep", "100"}), {}));
    auto second = box.shim->run(box.process("same", {"/bin/true"}), {});
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == base::Errc::already_exists);
    CHECK(second.error().text.find("already in use") != std::string::npos);
    CHECK(box.shim->forget("same").error().kind == base::Errc::conflict);
    REQUIRE(box.shim->signal("same", SIGKILL));
    CHECK(box.heard->exit_of("same") == 137);
    CHECK_FALSE(box.shim->run(box.process("same", {"/bin/true"}), {}));
    REQUIRE(box.shim->forget("same"));
    CHECK(box.shim->run(box.process("same", {"/bin/true"}), {}));
}

TEST_CASE("a process has the user, groups, limits and directory of its plan") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto plan = box.process(
            "u", {"/bin/sh", "-c",
                  "id -u; id -g; grep ^Groups: /proc/self/status; pwd; umask; ulimit -n; touch "
                  "made && ls -ld . | { read m n u g r; echo $u $g; }"});
    plan.uid = 1000;
    plan.gid = 1001;
    plan.groups = {7, 8};
    plan.cwd = "/root/new/er";
    plan.umask = 027;
    plan.confinement.capabilities.permitted = plan.confinement.capabilities.effective = 0;
    plan.confinement.rlimits = {{.resource = RLIMIT_NOFILE, .soft = 99, .hard = 100}};
    const auto output = box.run(plan);
    CHECK(output.error.text == "");
    CHECK(output.out == "1000\n1001\nGroups:\t7 8 \n/root/new/er\n0027\n99\n1000 1001\n");
    // The other components belong to the user too; what was there stays as it was.
    CHECK(box.sh("stat -c '%u %g %a' /root/new /root").out == "1000 1001 755\n0 0 755\n");
    plan.uid = 70000;
    CHECK(box.run(plan).error.text.find("70000") != std::string::npos);
}

TEST_CASE("a working directory never leaves the root") {
    NEEDS(root, userns);
    Box box;
    REQUIRE(::symlink("/../../../../tmp/../etc", (box.root + "/link").c_str()) == 0);
    REQUIRE(::symlink("/nowhere/deep", (box.root + "/dangling").c_str()) == 0);
    box.must_create();
    auto plan = box.process("c", {"/bin/sh", "-c", "pwd"});
    plan.cwd = "/link";
    CHECK(box.run(plan).out == "/etc\n");
    plan.cwd = "/dangling/more";
    CHECK(box.run(plan).out == "/nowhere/deep/more\n");
    plan.cwd = "/proc/1/root/tmp";  // magic links are refused
    CHECK_FALSE(box.run(plan).started);
}

TEST_CASE("a process sees no descriptor but its three") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    const auto keep = box.shim->run(box.process("other", {"/bin/sleep", "100"}), {});
    REQUIRE(keep);
    CHECK(box.sh("ls /proc/self/fd").out == "0\n1\n2\n3\n");  // 3 is ls reading the directory
    CHECK(box.sh("ls /proc/1/fd").out == "0\n1\n2\n");
    CHECK(box.sh("ls /proc/$$/fd; true").out == "0\n1\n2\n");
}

TEST_CASE("the environment and arguments are exactly those of the plan") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto plan = box.process("e", {"/bin/env"});
    plan.env = {"A=1", "B=two words", "EMPTY="};
    CHECK(box.run(plan).out == "A=1\nB=two words\nEMPTY=\n");
}

TEST_CASE("capabilities, filter and no_new_privs are those of the plan, for init as well") {
    NEEDS(root, userns);
    Box box;
    REQUIRE(box.prepare());
    // Everything is allowed but sethostname, which answers EPERM.
    const sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sethostname, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const std::string program(reinterpret_cast<const char*>(filter), sizeof filter);
    const bool no_new_privileges = GENERATE(false, true);
    auto container = box.plan();
    container.init.seccomp = program;
    container.init.seccomp_log = true;
    container.init.no_new_privileges = no_new_privileges;
    REQUIRE(box.create(std::move(container)));
    const std::string wanted =
            std::string("CapInh:\t0000000000000000\n") +
            "CapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n" +
            "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t" +
            (no_new_privileges ? "1" : "0") + "\nSeccomp:\t2\n";
    auto plan = box.process(
            "p", {"/bin/grep", "-e", "^Cap", "-e", "^NoNew", "-e", "^Seccomp:", "/proc/1/status"});
    plan.confinement.seccomp = program;
    plan.confinement.no_new_privileges = no_new_privileges;
    CHECK(box.run(plan).out == wanted);
    plan.argv.back() = "/proc/self/status";
    CHECK(box.run(plan).out == wanted);
    plan.candidates = {"/bin/hostname"};
    plan.argv = {"hostname", "other"};
    const auto refused = box.run(plan);
    CHECK(refused.err.find("Operation not permitted") != std::string::npos);
    // A process that is not root: bounding only.
    auto user =
            box.process("n", {"/bin/grep", "-e", "^CapPrm", "-e", "^CapBnd", "/proc/self/status"});
    user.uid = user.gid = 1000;
    user.confinement.capabilities.permitted = user.confinement.capabilities.effective = 0;
    CHECK(box.run(user).out == "CapPrm:\t0000000000000000\nCapBnd:\t00000000a80425fb\n");
}

TEST_CASE("a nested user namespace is refused by the ceiling") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    const auto output = box.sh("unshare -U true");
    CHECK(output.code != 0);
    CHECK(output.err.find("No space left on device") != std::string::npos);
}

TEST_CASE("a plan of one megabyte is carried out") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto plan = box.process("big", {"/bin/sh", "-c", "env | wc -c"});
    for (int i = 0; i < 10; ++i)
        plan.env.push_back("V" + std::to_string(i) + "=" + std::string(100'000, 'x'));
    const auto output = box.run(plan);
    CHECK(output.error.text == "");
    CHECK(std::stoi(output.out) > 1'000'000);
}

TEST_CASE("the user namespace belongs to the container's own range") {
    NEEDS(root, userns);
    Box box;
    REQUIRE(box.prepare());
    uid_t owner = 0;
    constexpr unsigned long kGetOwner = 0xb704;  // NS_GET_OWNER_UID
    REQUIRE(::syscall(SYS_ioctl, box.prepared.user_namespace.get(), kGetOwner, &owner) == 0);
    CHECK(owner == 0x30000000);  // ID-07
    REQUIRE(box.prepared.network_namespace);
}
