"""Rows of security for privileged containers."""

from harness import check, has, row, same

from .security import NONE, capabilities, owned_by_root

ALL, WITH_ADMIN = 0x3fffffffff, 0xa82425fb


@row("security:152", "security:161", "security:170")
def mounts(c):
    """privileged: /proc writable, /sys not, no cgroup mounts"""
    text = c.run(c.create(privileged=True), "cat", "/proc/mounts").ok()
    has(text, "proc /proc proc rw", "sysfs /sys sysfs ro")
    check("cgroup" not in text, text)


@row("security:553", "security:572", server="compat")
def capability_sets(c):
    """privileged: capabilities of root and alice, as far as this host has them"""
    with open("/proc/self/status") as status:
        bound = next(int(line.split()[1], 16) for line in status if line.startswith("CapBnd"))
    every, with_admin = (f"{mask & bound:016x}" for mask in (ALL, WITH_ADMIN))
    handle = c.container(privileged=True)
    capabilities(c.run(handle, "cat", "/proc/self/status").ok(), (every, every, every, every, NONE))
    capabilities(c.run(handle, "cat", "/proc/self/status", user="alice").ok(), (with_admin, NONE, NONE, with_admin, NONE))


@row("security:587", "security:596")
def files_of_root(c):
    """privileged: root writes its home, files of root are root's"""
    handle = c.create(privileged=True)
    c.run(handle, "touch", "/root/potato").ok()
    owned_by_root(c.run(handle, "ls", "-l", "/bin").ok())


@row("security:631", "security:641")
def sudo(c):
    """privileged: a user becomes root and may chown, but not set the clock"""
    handle = c.container(image="docker:///ubuntu#14.04", privileged=True)
    c.sh(handle, "touch /tmp/file && chown alice /tmp/file").ok()
    same(c.run(handle, "sudo", "chown", "root", "/tmp/file", user="alice").code, 0)
    same(c.run(handle, "stat", "-c", "%u", "/tmp/file").ok(), "0\n")
    has(c.run(handle, "sudo", "date", "-s", "2020-01-01", user="alice").err, "Operation not permitted")  # busybox exits with 0
