"""Real programs for one test run: docker-registry and gardend on loopback, their files in one temporary directory.

Used by images_test.py. Everything that was started is ended by its own pidfd; nothing is looked up by name.
"""

import http.client
import json
import os
import signal
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(SOURCE, "tools"))
from imagekit import layout, registry  # noqa: E402  (the path is set above)


class Daemon:
    def __init__(self, command, log):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.pidfd = os.pidfd_open(self.process.pid)

    def running(self):
        return self.process.poll() is None

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, number=signal.SIGTERM, seconds=20):
        if self.running():
            signal.pidfd_send_signal(self.pidfd, number)
            poll = select.poll()
            poll.register(self.pidfd, select.POLLIN)
            if not poll.poll(seconds * 1000):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        self.process.wait()


def wait_until(what, check, daemon, seconds=30.0):
    end = time.monotonic() + seconds
    while not check():
        if not daemon.running():
            raise RuntimeError("%s ended: %s" % (what, daemon.text()[-2000:]))
        if time.monotonic() > end:
            raise RuntimeError("%s is not ready after %d s: %s" % (what, seconds, daemon.text()[-2000:]))
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


class Registry:
    def __init__(self, directory, user=None, password=None):
        self.directory, self.port = directory, free_port()
        os.makedirs(directory)
        config = registry.write_config(directory, self.port, user, password)
        self.daemon = Daemon(["docker-registry", "serve", config], os.path.join(directory, "log"))
        self.address = "127.0.0.1:%d" % self.port
        wait_until("docker-registry", lambda: answers(self.port), self.daemon)

    def push(self, layout_directory, name, user=None):
        layout.push(layout_directory, name, "%s/test/%s:1" % (self.address, name), user)

    def uri(self, name):
        return "docker://%s/test/%s#1" % (self.address, name)

    def requests(self):
        return registry.requests_of(self.daemon.text())

    def blob(self, digest):
        return registry.blob_path(self.directory, digest)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Refused(Exception):
    """An answer that is not a success; the text is what a person would read."""

    def __init__(self, status, text):
        super().__init__("%d: %s" % (status, text))
        self.status, self.text = status, text


class Garden:
    """gardend and its API, plus the CLI for what people type."""

    def __init__(self, build, directory, tag, insecure):
        self.bin = os.path.join(build, "bin")
        self.directory, self.tag, self.insecure = directory, tag, insecure
        self.socket = os.path.join(directory, "garden.sock")
        self.store = os.path.join(directory, "store")
        self.daemon = None

    def flags(self):
        out = ["--depot", os.path.join(self.directory, "depot"), "--store", self.store, "--tag", self.tag]
        for address in self.insecure:
            out += ["--insecure-docker-registry", address]
        return out

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        command = [os.path.join(self.bin, "gardend")] + self.flags() + ["--bind-socket", self.socket]
        self.daemon = Daemon(command, os.path.join(self.directory, "gardend.log"))
        wait_until("gardend", self.alive, self.daemon, 60)

    def alive(self):
        try:
            self.call("GET", "/ping")
            return True
        except OSError:
            return False

    def call(self, method, path, body=None):
        connection = UnixConnection(self.socket)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read().decode(errors="replace")
        finally:
            connection.close()
        if answer.status >= 300:
            raise Refused(answer.status, data)
        return json.loads(data) if data.strip() else {}

    def create(self, handle, uri, **more):
        image = {"uri": uri}
        for key in ("username", "password"):
            if key in more:
                image[key] = more.pop(key)
        return self.call("POST", "/containers", dict(handle=handle, image=image, **more))["Handle"]

    def destroy(self, handle):
        self.call("DELETE", "/containers/" + handle)

    def handles(self):
        return self.call("GET", "/containers").get("Handles") or []

    def doctor(self):
        return self.call("GET", "/cloche/v1/doctor").get("orphans") or []

    def images(self):
        return self.call("GET", "/cloche/v1/images").get("images") or []

    def processes(self, handle):
        return self.call("GET", "/cloche/v1/containers/%s/processes" % handle)["processes"]

    def cli(self, *arguments, check=True, **more):
        done = subprocess.run(
            [os.path.join(self.bin, "cloche"), "--host", "unix://" + self.socket] + list(arguments),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **more)
        if check and done.returncode != 0:
            raise RuntimeError("cloche %s: code %d: %s" % (
                " ".join(arguments), done.returncode, (done.stdout + done.stderr).decode(errors="replace")))
        return done

    def run(self, handle, *command, user=None):
        flags = ["--user", user] if user else []
        return self.cli("exec", *flags, handle, "--", *command).stdout.decode()

    def cleanup(self):
        """What is left of the daemon goes: its own command for it, as a person would."""
        if self.daemon is not None:
            self.daemon.stop()
        subprocess.run([os.path.join(self.bin, "gardend"), "cleanup"] + self.flags(), check=False,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if os.path.exists("/run/cloche/gardend-%s.lock" % self.tag):
            os.unlink("/run/cloche/gardend-%s.lock" % self.tag)


def new_tag():
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return digits[os.getpid() // 36 % 36] + digits[os.getpid() % 36]


class Directory:
    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="cloche-e2e-")
        os.chmod(self.path, 0o700)

    def __call__(self, *names):
        return os.path.join(self.path, *names)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
