"""The peers of the benchmark: how each one runs a full container, as whole processes. Used by tests/bench/run."""

import ctypes
import itertools
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time

LIBC = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2

CAPABILITIES = ["CAP_" + name for name in (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE").split()]
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
          "/proc/sched_debug", "/proc/scsi", "/sys/firmware"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
DEFAULT_PROFILE = "/usr/share/containers/seccomp.json"


def mount_overlay(lower, scratch):
    """An overlay by one system call in this process: the peers get it for (almost) nothing."""
    for name in ("upper", "work", "merged"):
        os.makedirs(f"{scratch}/{name}", exist_ok=True)
    options = f"lowerdir={lower},upperdir={scratch}/upper,workdir={scratch}/work,volatile"
    if LIBC.mount(b"overlay", f"{scratch}/merged".encode(), b"overlay", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount overlay")


def unmount_overlay(scratch):
    LIBC.umount2(f"{scratch}/merged".encode(), MNT_DETACH)
    shutil.rmtree(scratch, ignore_errors=True)


def seccomp_profile():
    """The allow-list of the distribution's default profile, in the form that OCI runtimes read."""
    names = []
    if os.path.exists(DEFAULT_PROFILE):
        with open(DEFAULT_PROFILE, encoding="utf-8") as file:
            for entry in json.load(file)["syscalls"]:
                only_here = "amd64" in (entry.get("includes") or {}).get("arches", []) or not entry.get("includes")
                if entry["action"] == "SCMP_ACT_ALLOW" and only_here and not entry.get("args"):
                    names += entry["names"]
    if not names:
        return None
    names += ["clone", "clone3", "personality"]   # allowed by argument there
    return {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": sorted(set(names)), "action": "SCMP_ACT_ALLOW"}]}


def oci_config(root, argv, cgroup):
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": argv, "env": ["PATH=/bin"], "cwd": "/",
            "capabilities": {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")},
            "noNewPrivileges": True,
        },
        "root": {"path": root}, "hostname": "bench",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
            "resources": {
                "memory": {"limit": 268435456}, "cpu": {"shares": 512}, "pids": {"limit": 1024},
                "devices": [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "access": "rwm"},
                            {"allow": True, "type": "c", "major": 5, "access": "rwm"},
                            {"allow": True, "type": "c", "major": 136, "access": "rwm"}],
            },
            "maskedPaths": MASKED, "readonlyPaths": READ_ONLY,
        },
    }
    profile = seccomp_profile()
    if profile:
        config["linux"]["seccomp"] = profile
    return config


class OciPeer:
    """crun or runc, with an overlay root mounted by the caller."""

    def __init__(self, name, work, rootfs):
        self.name, self.rootfs = name, rootfs
        self.work = f"{work}/{name}"
        self.program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        self.why = "" if self.program else "not installed (tools/packages.bench)"
        self.state = f"{work}/run/{name}"
        self.numbers = itertools.count(1)
        os.makedirs(self.state, exist_ok=True)

    def call(self, *arguments, check=True):
        # To a file: a detached container keeps the descriptor, and a pipe would never end.
        with tempfile.TemporaryFile() as errors:
            code = subprocess.run([self.program, "--root", self.state, *arguments], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=errors, timeout=60, check=False).returncode
            if check and code != 0:
                errors.seek(0)
                raise RuntimeError(f"{self.name} {arguments[0]}: {errors.read().decode(errors='replace').strip()[-200:]}")
        return code

    def bundle(self, argv):
        name = f"bench-{self.name}-{os.getpid()}-{next(self.numbers)}"   # called from several threads
        scratch = f"{self.work}/{name}"
        os.makedirs(scratch)
        with open(f"{scratch}/config.json", "w", encoding="utf-8") as file:
            json.dump(oci_config(f"{scratch}/merged", argv, f"/bench-{os.getpid()}/{name}"), file)
        return name, scratch

    def cycle(self):
        name, scratch = self.bundle(["/bin/true"])   # writing the bundle is not counted
        start = time.monotonic()
        mount_overlay(self.rootfs, scratch)
        self.call("run", "--bundle", scratch, name)
        unmount_overlay(scratch)
        return time.monotonic() - start

    def start(self):
        name, scratch = self.bundle(["/bin/sleep", "100000"])
        mount_overlay(self.rootfs, scratch)
        self.call("run", "--detach", "--bundle", scratch, name)
        return name, scratch

    def stop(self, started):
        name, scratch = started
        self.call("delete", "--force", name, check=False)
        unmount_overlay(scratch)

    def execute(self, started):
        start = time.monotonic()
        self.call("exec", started[0], "/bin/true")
        return time.monotonic() - start

    def clean(self):
        for path in ("/sys/fs/cgroup", *(f"/sys/fs/cgroup/{c}" for c in os.listdir("/sys/fs/cgroup"))):
            for base, _, _ in os.walk(f"{path}/bench-{os.getpid()}", topdown=False):
                try:
                    os.rmdir(base)
                except OSError:
                    pass


def own_limits():
    """podman raises limits by default, which root without CAP_SYS_RESOURCE may not."""
    return [f"--ulimit={name}={min(soft, 1024)}:{min(hard, 1024)}" for name, (soft, hard) in (
        ("nofile", resource.getrlimit(resource.RLIMIT_NOFILE)), ("nproc", resource.getrlimit(resource.RLIMIT_NPROC)))]


class PodmanPeer:
    """podman with its own storage and conmon, without network."""

    def __init__(self, work, rootfs):
        self.name, self.rootfs, self.why = "podman", rootfs, ""
        self.work = f"{work}/podman"
        program = shutil.which("podman")
        self.had_parent = os.path.exists("/sys/fs/cgroup/memory/libpod_parent")   # another podman's, then not ours to remove
        os.makedirs(self.work, exist_ok=True)
        if not program:
            self.why = "not installed (tools/packages.bench)"
            return
        self.base = [program, "--root", f"{self.work}/root", "--runroot", f"{self.work}/run", "--tmpdir", f"{self.work}/tmp",
                     "--cgroup-manager=cgroupfs", "--events-backend=none", "--storage-driver=overlay"]
        self.limits = ["--memory=256m", "--cpu-shares=512", "--pids-limit=1024", "--network=none", *own_limits()]
        tar = subprocess.run(["tar", "-C", rootfs, "-c", "."], stdout=subprocess.PIPE, check=True).stdout
        done = subprocess.run([*self.base, "import", "-", "bench"], input=tar, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            self.why = "import failed: " + done.stderr.decode(errors="replace").strip().replace("\n", " ")[-160:]
            return
        try:
            self.cycle()
        except RuntimeError as error:
            self.why = str(error)

    def call(self, *arguments):
        done = subprocess.run([*self.base, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"podman {arguments[0]}: " + done.stderr.decode(errors="replace").strip().replace("\n", " ")[-160:])
        return done.stdout.decode().strip()

    def cycle(self):
        start = time.monotonic()
        self.call("run", "--rm", *self.limits, "bench", "/bin/true")
        return time.monotonic() - start

    def start(self):
        return self.call("run", "--detach", *self.limits, "bench", "/bin/sleep", "100000")

    def stop(self, started):
        try:
            self.call("rm", "--force", "--time", "0", started)
        except RuntimeError:
            pass

    def execute(self, started):
        start = time.monotonic()
        self.call("exec", started, "/bin/true")
        return time.monotonic() - start

    def clean(self):
        LIBC.umount2(f"{self.work}/root/overlay".encode(), MNT_DETACH)
        if self.had_parent:
            return
        for controller in os.listdir("/sys/fs/cgroup"):
            for base, _, _ in os.walk(f"/sys/fs/cgroup/{controller}/libpod_parent", topdown=False):
                try:
                    os.rmdir(base)
                except OSError:
                    pass
