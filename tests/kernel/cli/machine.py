"""A real gardend with everything of its own, a busybox root filesystem, and a real `cloche`.

Used by cli_test.py. Nothing outside of one temporary directory is touched, but for what the daemon
makes in the kernel under its own tag and takes back when it ends.
"""

import fcntl
import http.client
import json
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

from registry import Registry

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support/scripts"))
from pieces import WAIT, busybox_or_skip, free_port, make_certificate, make_rootfs, take_tag, wait_for  # noqa: E402, F401


class Machine:
    """The daemon, and ways to run the program against it."""

    def __init__(self, programs, busybox):
        self.programs = programs
        self.tag, self.digit, self.held = take_tag("k")
        self.home = tempfile.mkdtemp(prefix=f"cloche-cli-{os.getpid()}-", dir="/tmp")
        os.chmod(self.home, 0o755)  # users of containers pass through it
        self.rootfs = os.path.join(self.home, "rootfs")
        make_rootfs(self.rootfs, busybox)
        self.certificate, self.key = make_certificate(self.home)
        self.tls_host = f"tls://127.0.0.1:{free_port()}"
        self.socket = os.path.join(self.home, "garden.sock")
        self.host = "unix://" + self.socket
        self.daemon = None
        self.registry = None

    def flags(self):
        # Tag and network are this test's own: other daemons of the machine do not meet it.
        return [
            "--tag", self.tag,
            "--network-pool", f"10.212.{4 * self.digit}.0/22",
            "--depot", os.path.join(self.home, "state"),
            "--store", os.path.join(self.home, "store"),
            "--bind-socket", self.socket,
            "--listen", self.tls_host,
            "--tls-certificate", self.certificate,
            "--tls-key", self.key,
            "--tls-client-ca", self.certificate,
            "--default-rootfs", self.rootfs,
            "--insecure-docker-registry", self.registry.host,
            "--image-policy", self.policy(),
        ]

    def policy(self):
        """Everything is open but one repository, so that both decisions are on record."""
        path = os.path.join(self.home, "policy.json")
        closed = {f"{self.registry.host}/closed": [{"type": "reject"}]}
        with open(path, "w") as out:
            json.dump({"version": 1, "default": [{"type": "accept-anything"}], "registries": closed}, out)
        return path

    def gardend(self, *words):
        return [os.path.join(self.programs, "gardend"), *words, *self.flags()]

    def start(self):
        config = {"Env": ["PATH=/bin", "FROM=image"], "Cmd": ["echo", "the image's command"]}
        self.registry = Registry(self.rootfs, config, pause=0.1)
        self.log = open(os.path.join(self.home, "gardend.log"), "ab")
        self.serve()

    def serve(self):
        self.daemon = subprocess.Popen(
            self.gardend("server"), stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL
        )
        wait_for("gardend", self.alive)

    def alive(self):
        if self.daemon.poll() is not None:
            raise AssertionError("gardend ended:\n" + self.log_text())
        return os.path.exists(self.socket) and self.cloche("container", "list").returncode == 0

    def log_text(self):
        with open(os.path.join(self.home, "gardend.log"), errors="replace") as text:
            return text.read()[-8000:]

    def end_daemon(self):
        """Containers stay."""
        self.daemon.terminate()
        try:
            self.daemon.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()

    def stop(self):
        """Ends the daemon and takes down what it made on this host."""
        if self.registry is not None:
            self.registry.stop()
        cleaned = 0
        if self.daemon is not None:
            self.end_daemon()
            cleaned = subprocess.run(
                self.gardend("cleanup"), stdout=self.log, stderr=self.log, timeout=WAIT
            ).returncode
            if cleaned != 0:
                print(self.log_text(), file=sys.stderr)
            self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)
        return cleaned

    def command(self, *words, host=None):
        return [os.path.join(self.programs, "cloche"), "--host", host or self.host, *words]

    def cloche(self, *words, stdin="", host=None, binary=False):
        """Runs to the end; `binary` leaves input and outputs as bytes."""
        done = subprocess.run(
            self.command(*words, host=host),
            input=stdin if binary else stdin.encode(),
            capture_output=True,
            timeout=WAIT,
        )
        if not binary:
            done.stdout = done.stdout.decode(errors="replace")
            done.stderr = done.stderr.decode(errors="replace")
        return done

    def call(self, method, path, body=None):
        """One call of the API without our client; status and body."""
        connection = http.client.HTTPConnection("localhost", timeout=WAIT)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.socket)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def terminal(self, *words, columns=80, rows=24):
        return Terminal(self.command(*words), columns, rows)


class Terminal:
    """A program on a terminal of its own, as a person has it."""

    def __init__(self, command, columns, rows):
        self.master, slave = pty.openpty()
        self.seen = ""
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        self.slave = slave  # kept open: the settings are read after the program has ended
        self.program = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, text):
        """Reads until the text has come; gives what was before it."""
        end = time.monotonic() + WAIT
        while text not in self.seen:
            if time.monotonic() > end:
                raise AssertionError(f"waited {WAIT} s for {text!r} in {self.seen!r}")
            self._read(0.2)
        before, _, self.seen = self.seen.partition(text)
        return before

    def _read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.seen += os.read(self.master, 65536).decode(errors="replace")

    def raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def wait(self):
        """The exit code, with the terminal drained and closed; settings_kept holds from then on."""
        end = time.monotonic() + WAIT
        while self.program.poll() is None:
            if time.monotonic() > end:
                self.program.send_signal(signal.SIGKILL)
                raise AssertionError(f"still runs; the terminal has {self.seen!r}")
            self._read(0.1)
        while select.select([self.master], [], [], 0)[0]:
            self._read(0)
        self.settings_kept = termios.tcgetattr(self.slave) == self.before
        os.close(self.slave)
        os.close(self.master)
        return self.program.returncode
