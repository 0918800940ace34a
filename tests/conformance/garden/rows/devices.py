"""Rows of devices and maskedpaths."""

import os
import re

from harness import Skip, check, has, need, row, same


@row("devices:32", "devices:33", "devices:34", "devices:35", "devices:36", "devices:37", "devices:38")
def device_nodes(c):
    """device nodes with their numbers"""
    handle = c.create()
    nodes = {"tty": "5,0", "random": "1,8", "urandom": "1,9", "null": "1,3", "zero": "1,5", "full": "1,7", "pts/ptmx": "5,2"}
    text = c.sh(handle, "ls -l " + " ".join("/dev/" + name for name in nodes)).ok()
    for name, numbers in nodes.items():
        major, minor = numbers.split(",")
        check(re.search(rf"^c.* {major}, +{minor} .*/dev/{name}$", text, re.MULTILINE), f"/dev/{name} {numbers} in {text}")


@row("devices:46")
def privileged_containers_have_fuse(c):
    """a privileged container has /dev/fuse"""
    need(os.path.exists("/dev/fuse"), "the host has no /dev/fuse")
    text = c.run(c.create(privileged=True), "ls", "-l", "/dev/fuse").ok()
    check(re.search(r"^c.* 10, +229 ", text), text)


@row("devices:55")
def nested_devices(c):
    """a privileged container may open the v1 devices group (NESTED)"""
    raise Skip("NESTED is never set: the devices group of a container stays as it is")


@row("devices:102", "devices:103", "devices:104", "devices:105")
def device_links(c):
    """links fd, stdin, stdout, stderr"""
    handle = c.create()
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):
        has(c.run(handle, "ls", "-l", "/dev/" + name).ok(), f"/dev/{name} -> {target}\n")


@row("devices:108")
def devpts_options(c):
    """options of devpts, in this order"""
    text = c.run(c.create(), "cat", "/proc/mounts").ok()
    check(re.search(r"devpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=\d+,mode=620,ptmxmode=666", text), text)


def masked(c, handle, path):
    """Not a regular file that can be read: a correct mask is the null device (or the kernel does not have the file)."""
    text = c.sh(handle, f"test -e {path} || echo absent; test ! -f {path} || echo regular; stat -c '%F %t,%T' {path} 2>/dev/null").out
    check("regular" not in text.split("\n"), f"{path}: {text}")
    return text


@row("maskedpaths:20", "maskedpaths:47", "maskedpaths:66")
def files_are_masked(c):
    """files of /proc that tell too much are masked"""
    handle = c.create()
    for name in ("kcore", "sched_debug", "timer_list", "keys", "timer_stats", "latency_stats"):
        text = masked(c, handle, "/proc/" + name)
        if "absent" not in text:
            has(text, "character special file 1,3")


@row("maskedpaths:82")
def directories_are_masked(c):
    """/proc/scsi and /sys/firmware are empty"""
    handle = c.create()
    present = [path for path in ("/proc/scsi", "/sys/firmware") if os.path.isdir(path)]
    need(present, "the host has neither /proc/scsi nor /sys/firmware")
    for path in present:
        same(c.run(handle, "ls", "-A", path).ok(), "")
