"""The machine of the suite: network and mounts of its own, an internet, a registry, and the gardends under test.

Used by conformance.py, which runs inside `unshare --mount --net`. Nothing outside of one temporary directory is touched, but for
what gardend makes in the kernel under its own tag and takes back at the end.
"""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import images
import internet
import wire
from client import Garden
from tools.imagekit import registry  # images.py has put the repository on the path

HERE = os.path.dirname(os.path.abspath(__file__))
START = 60.0  # as wire.poll takes it; an emulated machine has more
# What each gardend has of its own; the suite's subnets 192.168.13.0/24 and following belong to nobody's pool.
POOLS = {"plain": "10.253.0.0/22", "compat": "10.252.0.0/22", "extra": "10.251.0.0/24"}
COMPAT = ("--compat-garden-inheritable", "--compat-garden-shared-subnets", "--compat-garden-id-mapping",
          "--compat-garden-socket-mode")
HOST_IP, WORLD_IP = "198.18.0.2", "198.18.0.1"


def run(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def take_tag():
    """(tag, lock): two suites on one machine do not meet."""
    for letter in "fghij":
        for digit in "0123456789":
            lock = open(f"/tmp/cloche-conformance-{letter}{digit}.lock", "w")  # noqa: SIM115  held until the end
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return letter + digit, lock
            except OSError:
                lock.close()
    raise RuntimeError("every tag of the suite is in use")


class Server:
    """One gardend, and what it owns."""

    def __init__(self, host, name, flags=()):
        self.host, self.name, self.flags = host, name, list(flags)
        self.tag, self.lock = take_tag()
        self.home = os.path.join(host.home, name)
        os.makedirs(self.home)
        self.socket = os.path.join(self.home, "garden.sock")
        self.port, self.debug_port = free_port(), free_port()
        self.tcp = wire.Address(f"tcp://127.0.0.1:{self.port}")
        self.unix = wire.Address("unix://" + self.socket)
        self.garden = Garden(self.tcp)  # the suite only connects by TCP (A.1)
        self.daemon = None
        self.header_timeout = 5 * wire.SLOWNESS  # seconds; short, so that a row can wait for it

    def words(self, command, *more):
        known = self.host.known_flags
        wanted = [flag for flag in self.flags if flag.partition("=")[0] in known]
        return [os.path.join(self.host.programs, "gardend"), command, "--tag", self.tag,
                "--depot", os.path.join(self.home, "depot"), "--store", os.path.join(self.home, "store"),
                "--bind-socket", self.socket, "--listen", f"tcp://127.0.0.1:{self.port}",
                "--debug-bind-ip", "127.0.0.1", "--debug-bind-port", str(self.debug_port),
                "--network-pool", POOLS.get(self.name, POOLS["extra"]),
                "--external-ip", HOST_IP, "--dns-server", internet.PUBLIC, "--deny-network", internet.DENIED + "/32",
                "--default-rootfs", self.host.images["DEF"], "--docker-registry", "http://" + self.host.registry,
                "--insecure-docker-registry", self.host.registry, "--insecure-docker-registry", self.host.private_registry,
                "--read-header-timeout", f"{self.header_timeout}s", *wanted, *more]

    def start(self, *more):
        self.log = open(os.path.join(self.home, "log"), "ab")  # noqa: SIM115
        self.daemon = subprocess.Popen(self.words("server", *more), stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.wait()
        return self

    def wait(self):
        def alive():
            if self.daemon.poll() is not None:
                raise RuntimeError(f"gardend ended with {self.daemon.returncode}:\n{self.log_text()}")
            try:
                self.garden.ping()
                return True
            except OSError:
                return False
        wire.poll(f"gardend {self.name}", alive, wait=START)

    @property
    def pid(self):
        return self.daemon.pid

    def log_text(self, size=6000):
        with open(os.path.join(self.home, "log"), errors="replace") as text:
            return text.read()[-size:]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident(self):
        """Bytes of memory."""
        with open(f"/proc/{self.pid}/statm") as figures:
            return int(figures.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def end(self, how=signal.SIGTERM):
        """The daemon goes, containers stay."""
        if self.daemon is None:
            return 0
        self.daemon.send_signal(how)
        try:
            self.daemon.wait(START)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        code, self.daemon = self.daemon.returncode, None
        self.log.close()
        return code

    def stop(self):
        """Ends it and takes down what it made; gives what is wrong, line by line."""
        faults = []
        if self.daemon is not None:
            try:
                left = self.garden.list_by({"garden.state": "all"})
                if left:
                    faults.append(f"gardend {self.name}: containers are left: {left}")
                orphans = wire.poll("an empty doctor", lambda: [self.garden.doctor()] if not self.garden.doctor() else None, 10)
                assert orphans
            except (OSError, AssertionError) as error:
                faults.append(f"gardend {self.name}: {error}; doctor: {self.doctor_text()}")
            code = self.end()
            if code != 0:
                faults.append(f"gardend {self.name} ended with {code}")
        done = subprocess.run(self.words("cleanup"), capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            faults.append(f"gardend {self.name}: cleanup: {done.stderr[-1500:]}")
        for line in self.log_text(1 << 30).splitlines():
            if "ERROR: AddressSanitizer" in line or "runtime error:" in line or "LeakSanitizer" in line:
                faults.append(f"gardend {self.name}: {line}")
        self.lock.close()
        return faults

    def doctor_text(self):
        try:
            return json.dumps(self.garden.doctor())
        except (OSError, wire.Rejected) as error:
            return str(error)


class Host:
    def __init__(self, programs, busybox):
        self.programs, self.busybox = os.path.abspath(programs), busybox
        self.home = tempfile.mkdtemp(prefix=f"cloche-conformance-{os.getpid()}-", dir="/tmp")
        os.chmod(self.home, 0o755)
        self.children, self.servers, self.tags = [], {}, []
        self.known_flags = set(run(os.path.join(self.programs, "gardend"), "--help").replace(",", " ").split())

    def start(self):
        began = time.monotonic()
        run("ip", "link", "set", "lo", "up")
        self._start_internet()
        self.registry, self.private_registry = self._start_registry("registry"), self._start_registry("private", "alice", "secret")
        os.makedirs(os.path.join(self.home, "images"))
        self.images = images.local_images(os.path.join(self.home, "images"), self.busybox)
        layouts = os.path.join(self.home, "layouts")
        images.push_images(layouts, images.registry_images(self.busybox), self.registry)
        box = [("private/box:1", [images.Layer().file("hello", b"private\n").tar()], {})]
        images.push_images(layouts, box, self.private_registry, "alice:secret")
        print(f"fixture: images and registries after {time.monotonic() - began:.1f} s", flush=True)

    def server(self, name):
        """The running gardend of that name, or None when the suite was pointed at a foreign one."""
        return self.servers[name]

    def add_server(self, name, *flags):
        self.servers[name] = Server(self, name, flags)
        self.tags.append(self.servers[name].tag)
        return self.servers[name]

    def extra_server(self, name):
        """One that a row starts and stops itself; what it leaves is looked for with the others'."""
        server = Server(self, name)
        self.tags.append(server.tag)
        return server

    def _start_internet(self):
        """A namespace behind one veth pair, to which every address goes that is not ours."""
        world = subprocess.Popen(
            ["unshare", "--net", sys.executable, "-B", os.path.join(HERE, "internet.py"), "world", WORLD_IP + "/30"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.children.append(world)
        self._expect(world, "here")
        run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "world", "netns", str(world.pid))
        run("ip", "address", "add", HOST_IP + "/30", "dev", "uplink")
        run("ip", "link", "set", "uplink", "up")
        run("ip", "route", "add", "default", "via", WORLD_IP)
        self._expect(world, "ready")

    @staticmethod
    def _expect(child, word):
        line = child.stdout.readline().strip()
        if line != word:
            raise RuntimeError(f"{child.args}: {line!r} instead of {word!r}")

    def _start_registry(self, name, user=None, password=None):
        """Debian's docker-registry on loopback; HOST:PORT."""
        directory, port = os.path.join(self.home, name), free_port()
        os.makedirs(directory)
        config = registry.write_config(directory, port, user, password)
        with open(os.path.join(directory, "log"), "wb") as log:
            self.children.append(subprocess.Popen(
                ["docker-registry", "serve", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log))

        def listens():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False
        wire.poll("docker-registry", listens, wait=START)
        return f"127.0.0.1:{port}"

    def stop(self):
        faults = []
        for server in self.servers.values():
            faults += server.stop()
        for child in self.children:
            child.terminate()
            if child.stdin:
                child.stdin.close()
            child.wait(START)
        faults += self._leftovers()
        if not faults:
            shutil.rmtree(self.home, ignore_errors=True)
        return faults

    def _leftovers(self):
        """With own eyes, after every daemon has cleaned up: groups, mounts, interfaces, tables, processes."""
        left = []
        for tag in self.tags:
            for folder, names, _ in os.walk("/sys/fs/cgroup"):
                if folder.count("/") > 8:
                    names.clear()
                left += [f"cgroup {folder}/{name}" for name in names if name == f"garden-{tag}"]
            left += [f"interface {name}" for _, name in socket.if_nameindex() if name.startswith("w" + tag)]
            left += [line for line in run("nft", "list", "tables").splitlines() if line.endswith("cloche_" + tag)]
        with open("/proc/self/mountinfo") as mounts:
            left += [f"mount {line.split()[4]}" for line in mounts if self.home in line]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as words:
                    if self.home.encode() in words.read() and int(pid) != os.getpid():
                        left.append(f"process {pid}")
            except OSError:
                continue  # ended meanwhile
        return left
