"""Rows of peas: processes with an image of their own in the sandbox of a container."""

import re

from harness import check, fails, has, poll, row, same
from process import TERMINATE

from .rootfs import GR

LIMITS = {"bandwidth": {"rate": 1 << 20, "burst": 1 << 20}, "cpu": {"limit_in_shares": 1024},
          "disk": {"byte_hard": 1 << 30}, "memory": {"limit_in_bytes": 64 << 20}, "pid": {"max": 50}}


def pea(c, handle, script, **members):
    members.setdefault("image", c.host.images["PEA"])
    return c.run(handle, "sh", "-c", script, **members)


@row("peas:38", "peas:55")
def namespaces(c):
    """mnt is its own; net, ipc, pid, user and uts are the container's, privileged or not"""
    for privileged in (False, True):
        handle = c.create(privileged=privileged)
        for name in ("mnt", "net", "ipc", "pid", "user", "uts"):
            here = c.run(handle, "readlink", f"/proc/self/ns/{name}").ok()
            there = c.run(handle, "readlink", f"/proc/self/ns/{name}", image=c.host.images["PEA"]).ok()
            check((here == there) == (name != "mnt"), f"{name}: {here} {there}")


@row("peas:69")
def own_files(c):
    """its own root filesystem"""
    handle = c.create()
    c.run(handle, "rm", "/bin/busybox").ok()
    has(c.run(handle, "busybox", image=c.host.images["PEA"]).ok(), "BusyBox v")


@row("peas:86", "peas:96", "peas:109")
def users(c):
    """default, numeric and named users"""
    handle = c.create()
    same(pea(c, handle, "echo -n $(id -u):$(id -g)").ok(), "0:0")
    same(pea(c, handle, "echo -n $(id -u):$(id -g)", user="1001:1002").ok(), "1001:1002")
    same(pea(c, handle, "echo -n $(id -u):$(id -g); whoami", user="operator").ok(), "37:37operator\n")


@row("peas:124", "peas:134")
def known_and_unknown_users(c):
    """root runs, an unknown user is refused"""
    handle = c.create()
    c.run(handle, "true", image=GR, user="root").ok()
    fails("unable to find user invalid-user: no matching entries in passwd file", c.garden.start, handle, "true", image=GR,
          user="invalid-user")


@row("peas:151", "peas:171")
def code_and_streams(c):
    """exit code and streams"""
    done = pea(c, c.create(), "echo stdout; echo stderr >&2; exit 123")
    same((done.code, done.out, done.err), (123, "stdout\n", "stderr\n"))


@row("peas:199", "peas:215")
def hosts_and_resolver(c):
    """/etc/hosts and /etc/resolv.conf are the container's files"""
    handle = c.create()
    for path in ("/etc/hosts", "/etc/resolv.conf"):
        same(pea(c, handle, f"cat {path}").ok(), c.run(handle, "cat", path).ok())
        pea(c, handle, f"echo '# added in the pea' >> {path}").ok()
        has(c.run(handle, "cat", path).ok(), "# added in the pea")


@row("peas:232")
def default_directory(c):
    """the default directory is /"""
    same(c.run(c.create(), "pwd", image=c.host.images["PEA"]).ok(), "/\n")


@row("peas:245")
def terminate(c):
    """a terminate signal runs the trap"""
    process = c.start(c.create(), "sh", "-c", "trap 'exit 42' TERM; while true; do echo waiting; sleep 0.2; done",
                      image=c.host.images["PEA"])
    process.stdout.expect("waiting")
    process.signal(TERMINATE)
    same(process.wait(), 42)


def shm(mib):
    return f"dd if=/dev/zero of=/dev/shm/pool bs=1M count={mib}"


@row("peas:290")
def shares_the_memory_limit(c):
    """without limits of its own it is counted with the container"""
    handle = c.create(limits=LIMITS)
    c.sh(handle, shm(5)).ok()
    check(pea(c, handle, shm(60)).code != 0)


@row("peas:309", "peas:320")
def empty_limits(c):
    """with empty limits it has none of memory and pids"""
    handle = c.create(limits=LIMITS)
    pea(c, handle, shm(65), limits={"cpu_limits": {}, "memory_limits": {}}).ok()
    pea(c, handle, "for i in $(seq 1 60); do sleep 100 & done; killall sleep", limits={"cpu_limits": {}, "memory_limits": {}}).ok()


@row("peas:336")
def own_memory_limit(c):
    """with 32 MiB the program that wants 33 is killed, the shell is not"""
    done = pea(c, c.create(limits=LIMITS), shm(33) + " && echo hello",
               limits={"cpu_limits": {}, "memory_limits": {"limit_in_bytes": 32 << 20}})
    check(done.code != 0 and "hello" not in done.out, done)
    has(done.err, "Killed\n")


@row("peas:356")
def destroy_kills(c):
    """Destroy of the container kills it; the caller gets 137"""
    handle = c.create()
    process = c.start(handle, "sleep", "10000", image=c.host.images["PEA"])
    c.garden.destroy(handle)
    same(process.wait(), 137)


@row("peas:387")
def metrics(c):
    """BulkMetrics knows the process id"""
    handle = c.create()
    process = c.start(handle, "sh", "-c", "while true; do echo -n x > /dev/null; done", image=c.host.images["PEA"],
                      limits={"cpu_limits": {}, "memory_limits": {}})

    def used():
        entry = c.garden.bulk_metrics(process.id)[process.id]
        same(entry["Err"], None)
        return entry["Metrics"]["MemoryStat"]["TotalUsageTowardLimit"]
    poll("memory of the pea", used)


@row("peas:421")
def missing_executable(c):
    """a missing program is refused"""
    fails("executable file not found in $PATH", c.garden.start, c.create(), "does-not-exist", image=c.host.images["PEA"])


@row("api:10.6")
def environment_and_mounts(c):
    """the environment is the image's and the process's, bind mounts are those of the spec only, volumes go with the process"""
    handle = c.create(env=["FROM_CONTAINER=1"])
    done = c.run(handle, "env", image=GR, env=["MINE=2"], bind_mounts=[{"src_path": c.server.home, "dst_path": "/mnt/here"}])
    names = [line.partition("=")[0] for line in done.ok().splitlines()]
    check("FROM_CONTAINER" not in names, done)
    has(done.out, "MINE=2", "TEST=second-test-from-dockerfile")
    seen = c.run(handle, "ls", "/mnt/here", image=GR, bind_mounts=[{"src_path": c.server.home, "dst_path": "/mnt/here"}])
    check(re.search(r"^depot$", seen.ok(), re.MULTILINE), seen)
