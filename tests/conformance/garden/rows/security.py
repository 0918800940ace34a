"""Rows of security for unprivileged containers; privileged ones are in privileged.py."""

import re

from harness import check, fails, has, need, row, same

from .lifecycle import cgroup2
from .rootfs import GR

PRE = "docker:///cfgarden/preexisting_users"
ORDINARY, NONE = "00000000a80425fb", "0" * 16
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def capabilities(text, wanted):
    found = dict(line.split(":\t") for line in text.splitlines() if line.startswith("Cap"))
    same([found[name] for name in SETS], list(wanted))


ROOT_SETS = (ORDINARY, ORDINARY, ORDINARY, ORDINARY, NONE)
USER_SETS = (ORDINARY, NONE, NONE, ORDINARY, NONE)


@row("security:33")
def pid_isolation(c):
    """alice sees init, her processes, and nothing else"""
    handle = c.create(image=c.host.images["LIM"])
    c.add_user(handle, "alice")
    c.start(handle, "sleep", "989898", user="alice")
    text = c.run(handle, "ps", "-a", user="alice").ok()
    has(text, "garden-init", "sleep 989898", "ps -a")
    same(len(text.split("\n")), 5)


@row("security:57")
def no_leaked_descriptors(c):
    """no descriptor but the three and that of ls"""
    same(c.run(c.create(image=c.host.images["LIM"]), "ls", "/proc/self/fd").ok(), "0\n1\n2\n3\n")


@row("security:70", "security:79")
def temporary_places(c):
    """/tmp is open to all with the sticky bit, /dev/shm is a tmpfs"""
    handle = c.container()
    has(c.run(handle, "ls", "-ld", "/tmp", user="alice").ok(), "drwxrwxrwt")
    has(c.run(handle, "cat", "/proc/mounts", user="alice").ok(), "tmpfs /dev/shm tmpfs")


@row("security:93")
def sys_is_read_only(c):
    """/sys is read-only"""
    has(c.run(c.create(), "cat", "/proc/mounts").ok(), "sysfs /sys sysfs ro")


@row("security:109")
def v1_groups_are_read_only(c):
    """cgroup v1 mounts are read-only"""
    need(not cgroup2(), "cgroup v2 here")
    lines = [line.split() for line in c.run(c.create(), "cat", "/proc/mounts").ok().splitlines()]
    groups = [words for words in lines if words[2] == "cgroup"]
    check(all(words[3].split(",")[0] == "ro" for words in groups), groups)


@row("security:188")
def v1_controllers(c):
    """cgroup v1: a process is in groups of its container"""
    need(not cgroup2(), "cgroup v2 here")
    text = c.sh(c.create(), "cat /proc/$$/cgroup").ok()
    for name in ("cpu", "cpuacct", "devices", "memory"):
        check(re.search(rf"^\d+:([\w=]+,)*{name}(,[\w=]+)*:", text, re.MULTILINE), f"{name} in {text}")


@row("security:208")
def limit_of_processes(c):
    """rlimit nproc"""
    text = c.sh(c.create(image=c.host.images["LIM"]), "ulimit -a", rlimits={"nproc": 4567}).ok()
    check(re.search(r"processes\s+\(-u\)\s+4567", text) or re.search(r"-[pu]:? +processes +4567|processes.*4567", text), text)


@row("security:231")
def setuid_is_kept(c):
    """SUID bits of an image are kept"""
    has(c.run(c.create(image=GR), "ls", "-l", "/bin/usemem-with-setuid").ok(), "-rws")


@row("security:242", "security:253", "security:300")
def alice(c):
    """alice: directory, ids, home"""
    handle = c.create(image=GR)
    same(c.run(handle, "pwd", user="alice", dir="/usr").ok(), "/usr\n")
    for flag, wanted in (("-u", "1001"), ("-g", "1010"), ("-G", "1010 1011")):
        same(c.run(handle, "id", flag, user="alice").ok(), wanted + "\n")
    same(c.run(handle, "pwd", user="alice").ok(), "/home/alice\n")


def environment(home, user):
    return (f"HOME={home}\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/bin:/from-dockerfile\nPWD={home}\nSHLVL=1\n"
            f"TEST=second-test-from-dockerfile:test-from-dockerfile\nUSER={user}\n")


@row("security:262", "security:336")
def exact_environment(c):
    """the environment of alice and root, nothing else"""
    handle = c.create(image=GR)
    same(c.sh(handle, "env | sort", user="alice").ok(), environment("/home/alice", "alice"))
    same(c.sh(handle, "env | sort", user="root").ok(), environment("/root", "root"))


@row("security:272", "security:286")
def home_and_user_of_the_spec(c):
    """HOME and USER of the spec win"""
    handle = c.create(image=GR)
    same(c.sh(handle, "echo $HOME", user="alice", env=["HOME=/nowhere"]).ok(), "/nowhere\n")
    same(c.sh(handle, "echo $USER $HOME", user="alice", env=["USER=nobody"]).ok(), "nobody /home/alice\n")


@row("security:308", "security:353")
def path_search(c):
    """programs are searched in the image's PATH, or in that of the process"""
    handle = c.create(image=GR)
    c.run(handle, "ls", user="alice").ok()
    fails("executable file not found in $PATH", c.garden.start, handle, "hello-world", user="alice")
    c.run(handle, "hello-world", user="alice", env=["PATH=/sbin:/bin"]).ok()
    c.run(handle, "hello-world", user="root", env=["PATH=/sbin:/bin"]).ok()


@row("security:327", "security:345")
def root(c):
    """root's groups and home"""
    handle = c.create(image=GR)
    for flag, wanted in (("-u", "0"), ("-g", "0"), ("-G", "0 10")):
        same(c.run(handle, "id", flag, user="root").ok(), wanted + "\n")
    same(c.run(handle, "pwd", user="root").ok(), "/root\n")


@row("security:367")
def seccomp_blocks(c):
    """a new user namespace is refused"""
    done = c.run(c.create(), "unshare", "--user", "whoami")
    check(done.code != 0)
    has(done.err, "Operation not permitted")


@row("security:378")
def seccomp_mode(c):
    """filter mode"""
    has(c.run(c.create(), "grep", "Seccomp:", "/proc/self/status").ok(), "Seccomp:\t2\n")


@row("security:367-pea", "security:378-pea")
def seccomp_of_peas(c):
    """the same for processes with an image of their own"""
    handle = c.create()
    done = c.run(handle, "unshare", "--user", "whoami", image=c.host.images["PEA"])
    check(done.code != 0)
    has(done.err, "Operation not permitted")
    has(c.run(handle, "grep", "Seccomp:", "/proc/self/status", image=c.host.images["PEA"]).ok(), "Seccomp:\t2\n")


@row("security:395")
def sysrq(c):
    """root cannot trigger sysrq"""
    check(c.sh(c.create(), "echo b > /proc/sysrq-trigger").code != 0)


@row("security:404")
def root_writes_its_home(c):
    """root can write in /root"""
    c.run(c.create(), "touch", "/root/potato").ok()


@row("security:415", "security:430", "security:453", server="compat")
def capability_sets(c):
    """capabilities of init, root and others (Garden's inheritable set)"""
    handle = c.container()
    capabilities(c.run(handle, "cat", "/proc/1/status").ok(), ROOT_SETS)
    capabilities(c.run(handle, "cat", "/proc/self/status").ok(), ROOT_SETS)
    capabilities(c.run(handle, "cat", "/proc/self/status", user="1000:1000").ok(), USER_SETS)


@row("security:430-pea", "security:453-pea", server="compat")
def capability_sets_of_peas(c):
    """the same of processes with an image of their own"""
    handle = c.create()
    capabilities(c.run(handle, "cat", "/proc/self/status", image=c.host.images["PEA"]).ok(), ROOT_SETS)
    capabilities(c.run(handle, "cat", "/proc/self/status", image=c.host.images["PEA"], user="1000:1000").ok(), USER_SETS)


@row("security:ours")
def capability_sets_of_ours(c):
    """without the compat switch: the same sets, but nothing is inheritable"""
    handle = c.create()
    capabilities(c.run(handle, "cat", "/proc/self/status").ok(), (NONE, ORDINARY, ORDINARY, ORDINARY, NONE))
    capabilities(c.run(handle, "cat", "/proc/self/status", user="1000:1000").ok(), (NONE, NONE, NONE, ORDINARY, NONE))


def owned_by_root(text):
    has(text, " root ")
    check("nobody" not in text and "65534" not in text, text)


@row("security:482", "security:494")
def files_of_root(c):
    """files of the image's root are root's inside, and so are terminals"""
    handle = c.create(image=PRE)
    owned_by_root(c.run(handle, "ls", "-l", "/bin").ok())
    for path in ("/dev/pts", "/dev/ptmx", "/dev/pts/ptmx"):
        owned_by_root(c.sh(handle, f"ls -ld {path}").ok())


@row("security:506", "security:517", "security:527", "security:536")
def files_of_alice(c):
    """alice's files are hers; root writes /root; dotfiles are kept"""
    handle = c.create(image=PRE)
    has(c.run(handle, "ls", "-l", "/home/alice").ok(), " alice ", " alicesfile")
    c.sh(handle, "echo her > /home/alice/alicesfile && touch /home/alice/new", user="alice").ok()
    c.run(handle, "touch", "/root/potato").ok()
    has(c.run(handle, "cat", "/.foo").ok(), "this is a pre-existing dotfile")
