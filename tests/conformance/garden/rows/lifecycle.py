"""Rows of lifecycle but for terminals (terminal.py), streams (streams.py) and files (files.py)."""

import time

from harness import check, fails, has, need, poll, row, same
from process import KILL, TERMINATE
from wire import SLOWNESS


def cgroup2():
    with open("/proc/self/mounts") as mounts:
        return any(line.split()[1:3] == ["/sys/fs/cgroup", "cgroup2"] for line in mounts)


@row("lifecycle:61")
def memory_limit(c):
    """a memory limit at create"""
    handle = c.container(limits={"memory": {"limit_in_bytes": 128 << 20}})
    same(c.garden.limits(handle, "memory"), {"limit_in_bytes": 134217728})


@row("lifecycle:73")
def cpu_shares_on_v1(c):
    """cgroup v1: shares come back as they are"""
    need(not cgroup2(), "cgroup v2 here")
    handle = c.container(limits={"cpu": {"limit_in_shares": 50}})
    same(c.garden.limits(handle, "cpu"), {"limit_in_shares": 50})


@row("lifecycle:86")
def cpu_weight_on_v2(c):
    """cgroup v2: the converted weight comes back as shares"""
    need(cgroup2(), "cgroup v1 here")
    handle = c.container(limits={"cpu": {"weight": 1028}})
    same(c.garden.limits(handle, "cpu"), {"limit_in_shares": 101})


@row("lifecycle:94")
def unset_limits_are_empty(c):
    """limits that were not set are empty objects"""
    handle = c.container()
    same(c.garden.limits(handle, "disk"), {})
    same(c.garden.limits(handle, "bandwidth"), {})


@row("lifecycle:104")
def disk_limits_of_two_in_sequence(c):
    """two more containers with a disk limit of 2 GiB"""
    c.container()
    for _ in range(2):
        c.garden.destroy(c.create(limits={"disk": {"byte_hard": 2 << 30}}))


@row("lifecycle:128")
def a_handle_in_use(c):
    """a handle in use is refused with exactly this text"""
    handle = c.container()
    error = fails("", c.garden.create, handle, kind="")
    same(str(error), f"Handle '{handle}' already in use")


@row("lifecycle:156", "lifecycle:160", server="compat")
def id_maps(c):
    """id maps of an unprivileged container (Garden's own layout)"""
    need("--compat-garden-id-mapping" in c.host.known_flags, "waiting: compat.garden_id_mapping")
    handle = c.container()
    for which in ("uid", "gid"):
        text = c.run(handle, "cat", f"/proc/self/{which}_map").ok()
        same([line.split() for line in text.splitlines()], [["0", "4294967294", "1"], ["1", "1", "4294967293"]])


@row("lifecycle:165", "lifecycle:1554")
def destroy_of_an_unknown_handle(c):
    """Destroy of an unknown handle is typed"""
    c.create()
    error = fails("", c.garden.destroy, "potato-sandwhich-policy", kind="ContainerNotFoundError")
    same(str(error), "unknown handle: potato-sandwhich-policy")
    same(str(fails("", c.garden.destroy, "not-a-real-handle")), "unknown handle: not-a-real-handle")


@row("lifecycle:169")
def shared_memory(c):
    """/dev/shm is a tmpfs that alice can write"""
    handle = c.container()
    c.run(handle, "dd", "if=/dev/urandom", "of=/dev/shm/some-data", "count=64", "bs=1k", user="alice").ok()
    has(c.run(handle, "cat", "/proc/mounts", user="alice").ok(), "tmpfs /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime")


@row("lifecycle:192")
def hostname_is_the_handle(c):
    """the hostname is the handle"""
    handle = c.container()
    check(len(handle) == 36, handle)
    same(c.run(handle, "hostname").ok(), handle + "\n")


@row("lifecycle:204")
def name_of_pid_1(c):
    """pid 1 is named garden-init"""
    has(c.run(c.container(), "cat", "/proc/1/status").ok().split("\n")[0], "garden-init")


@row("lifecycle:223")
def hostname_of_a_long_handle(c):
    """the hostname is the last 49 characters of a long handle"""
    handle = "7132-ec774112a9cd-101f8293-230e-4fa8-4138-e8244e6dcfa1"
    c.container(handle=handle)
    same(c.run(handle, "hostname").ok(), "ec774112a9cd-101f8293-230e-4fa8-4138-e8244e6dcfa1\n")
    check(c.garden.lookup(handle))


@row("lifecycle:234", "lifecycle:240")
def the_container_is_listed_and_active(c):
    """List has the handle, Info.State is active"""
    handle = c.container()
    check(handle in c.garden.list())
    same(c.garden.info(handle)["State"], "active")


@row("lifecycle:253")
def attach_to_an_unknown_process(c):
    """Attach to an unknown process is typed"""
    error = fails("", c.garden.attach, c.container(), "idontexist", kind="ProcessNotFoundError")
    same(str(error), "unknown process: idontexist")


@row("lifecycle:267")
def user_root(c):
    """user root"""
    same(c.run(c.container(), "whoami", user="root").ok(), "root\n")


@row("lifecycle:277")
def environment_streams_and_code(c):
    """environment, separate streams, exit code"""
    done = c.sh(c.container(), "echo $FIRST; sleep 0.5; echo goodbye >&2; exit 42", user="alice", env=["FIRST=hello"])
    same((done.code, done.out, done.err), (42, "hello\n", "goodbye\n"))


@row("lifecycle:360")
def six_attached_clients(c):
    """six attached clients all get the code"""
    handle = c.container()
    process = c.start(handle, "sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 12", user="alice")
    clients = [c.attach(handle, process.id) for _ in range(6)]
    c.sh(handle, "touch /tmp/go").ok()
    same([each.wait() for each in (process, *clients)], [12] * 7)


@row("lifecycle:389")
def wait_three_times(c):
    """the code stays known after the first Wait, and to a client that attaches later"""
    handle = c.container()
    process = c.start(handle, "sh", "-c", "exit 12", user="alice")
    same([process.wait() for _ in range(3)], [12] * 3)
    same(c.attach(handle, process.id).wait(), 12)


TRAP = "trap 'echo termed; exit 42' TERM; while true; do echo waiting; sleep 0.1; done"


@row("lifecycle:452", "lifecycle:481")
def terminate_reaches_the_process(c):
    """a terminate signal runs the shell's trap, as alice and as root"""
    handle = c.container()
    for user in ("alice", "root"):
        process = c.start(handle, "sh", "-c", TRAP, user=user)
        process.stdout.expect("waiting")
        process.signal(TERMINATE)
        process.stdout.expect("termed", 15)
        same(process.wait(), 42)


def gone(c, handle, mark):
    poll("the process gone from ps", lambda: mark not in c.run(handle, "ps", "ax", "-o", "args=").ok())


@row("lifecycle:537")
def kill_without_bin_kill(c):
    """kill works although /bin/kill was deleted"""
    handle = c.container()
    c.run(handle, "rm", "/bin/kill").ok()
    process = c.start(handle, "sh", "-c", "while true; do echo marked-shell-537; sleep 0.2; done", user="alice")
    process.stdout.expect("marked-shell-537")
    process.signal(KILL)
    same(process.wait(), 137)
    gone(c, handle, "marked-shell-537")


@row("lifecycle:574")
def terminate_without_a_trap(c):
    """a process without a trap ends"""
    handle = c.container()
    process = c.start(handle, "sh", "-c", "while true; do echo marked-shell-574; sleep 0.2; done", user="alice")
    process.stdout.expect("marked-shell-574")
    process.signal(TERMINATE)
    check(process.wait() != 0)
    gone(c, handle, "marked-shell-574")


@row("lifecycle:629")
def kill_of_a_process_with_one_stream(c):
    """a process is killed whose stderr and stdin nobody holds"""
    handle = c.container()
    process = c.start(handle, "sh", "-c", "while true; do echo stillhere; sleep 0.2; done", user="alice", outputs=("stdout",))
    process.stdout.expect("stillhere")
    process.signal(KILL)
    check(process.wait() != 0)
    size = len(process.stdout.data)
    time.sleep(1)
    same(len(process.stdout.data), size)


@row("lifecycle:641")
def run_and_kill_at_once(c):
    """20 times run, then kill at once"""
    handle = c.container()
    for _ in range(20):
        process = c.start(handle, "sleep", "30", user="alice", outputs=())
        process.signal(KILL)
        check(process.wait() != 0)


@row("lifecycle:1007")
def working_directory(c):
    """working directory"""
    same(c.run(c.container(), "pwd", user="alice", dir="/usr").ok(), "/usr\n")


@row("lifecycle:1032", "lifecycle:1116")
def stop_terminates(c):
    """Stop runs the trap; the state is stopped"""
    handle = c.container()
    process = c.start(handle, "sh", "-c", TRAP, user="alice")
    process.stdout.expect("waiting")
    c.garden.stop(handle)
    same(process.wait(), 42)
    same(c.garden.info(handle)["State"], "stopped")


@row("lifecycle:1067")
def stop_reaches_grandchildren(c):
    """Stop reaches grandchildren"""
    handle = c.container()
    script = "trap wait TERM; sh -c 'trap wait TERM; sh -c \"while true; do sleep 1; done\" & wait' & echo ready; wait"
    process = c.start(handle, "sh", "-c", script, user="alice")
    process.stdout.expect("ready")
    start = time.monotonic()
    c.garden.stop(handle)
    same(process.wait(), 143)
    check(time.monotonic() - start < 9 * SLOWNESS)


@row("lifecycle:1130")
def stop_kills_who_ignores(c):
    """a process that ignores TERM is killed, not before 10 s"""
    handle = c.container()
    process = c.start(handle, "sh", "-c", "trap 'echo no' TERM; while true; do echo waiting; sleep 0.5; done", user="alice")
    process.stdout.expect("waiting")
    start = time.monotonic()
    c.garden.stop(handle)
    check(process.wait() in (137, 255), process.status)
    check(time.monotonic() - start >= 10, time.monotonic() - start)


@row("lifecycle:1533")
def grace_time_reaps(c):
    """an idle container goes after its grace time"""
    handle = c.container()
    c.garden.set_grace_time(handle, 500_000_000)
    poll("the container gone from List", lambda: handle not in c.garden.list(), wait=60, every=0.5)


@row("lifecycle:1562")
def grace_time_waits_for_clients(c):
    """a client that streams a process keeps the container"""
    handle = c.container()
    c.start(handle, "sh", "-c", "while true; do echo hi; sleep 0.5; done", user="alice")
    c.garden.set_grace_time(handle, 50_000_000)
    time.sleep(1)
    check(handle in c.garden.list())
