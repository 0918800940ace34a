"""Pieces of tests that drive daemons from scripts: waiting, free ports, certificates, a root
filesystem, the reasons to skip. Used by tests/kernel/cli and tests/e2e/cell.
"""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time

WAIT = 60  # seconds; the machine may be busy with other tests


def wait_for(what, condition, seconds=WAIT, pause=0.05):
    """Polls until the condition gives something true, which is returned."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise AssertionError(f"waited {seconds} s for: {what}")


def take_tag(letter):
    """A tag of gardend from X0 to X9 that is ours as long as the file that comes along is open, and its digit.

    Two tests with one tag do not fail at once: the daemon of the second waits until the first restarts its own,
    comes in between, and sweeps what it does not know.
    """

    def first_free():
        for digit in range(10):
            held = open(f"/tmp/cloche-test-{letter}{digit}.lock", "w")
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return f"{letter}{digit}", digit, held
            except BlockingIOError:
                held.close()
        return None

    return wait_for(f"a free tag {letter}0 to {letter}9", first_free)


def make_rootfs(path, busybox, user="alice", home="/tmp"):
    """A root filesystem of one static program, with one user of id 1000."""
    for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr/bin"):
        os.makedirs(os.path.join(path, name))
    os.makedirs(os.path.join(path, home.lstrip("/")), exist_ok=True)
    os.chmod(os.path.join(path, "tmp"), 0o1777)
    shutil.copy(busybox, os.path.join(path, "bin/busybox"))
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for applet in applets.stdout.split():
        if applet != "busybox":
            os.symlink("/bin/busybox", os.path.join(path, "bin", applet))
    with open(os.path.join(path, "etc/passwd"), "w") as out:
        out.write(f"root:x:0:0:root:/root:/bin/sh\n{user}:x:1000:1000::{home}:/bin/sh\n")
    with open(os.path.join(path, "etc/group"), "w") as out:
        out.write(f"root:x:0:\n{user}:x:1000:\n")


def make_certificate(directory, word="tls"):
    """One for everybody on loopback: authority, server and client. Gives the paths of certificate and key."""
    certificate, key = (os.path.join(directory, f"{word}.{end}") for end in ("pem", "key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", f"/CN=cloche test {word}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    return certificate, key


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def skip(reason):
    print("SKIP:", reason)
    sys.exit(1 if os.environ.get("CLOCHE_NO_SKIP") else 77)


def busybox_or_skip():
    """The path of a busybox; without it, or without root, the program ends as skipped."""
    busybox = shutil.which("busybox")
    if os.geteuid() != 0:
        skip("root is needed")
    if busybox is None:
        skip("a static busybox is needed")
    return busybox
