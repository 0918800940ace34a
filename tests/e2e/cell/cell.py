"""A real gardend, a real celld above it and a real nginx, each with everything of its own.

Used by the tests of the cell. Nothing outside of one temporary directory is touched, but for what
the daemons make in the kernel under their own tag and take back when they end.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support/scripts"))
from pieces import WAIT, busybox_or_skip, free_port, make_certificate, make_rootfs, skip, wait_for  # noqa: E402, F401


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=WAIT):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def call(path, method, target, body=None, timeout=WAIT, headers=None):
    """One request to the unix socket `path`."""
    connection = UnixConnection(path, timeout)
    try:
        text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request(method, target, text, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


class Stream:
    """Server-sent events, read by a thread into a list of (name, data)."""

    def __init__(self, path, target):
        self.events = []
        self.over = False
        self.connection = UnixConnection(path)
        self.connection.request("GET", target)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        name, data = "", ""
        try:
            while line := self.answer.readline():
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    name = text[7:]
                elif text.startswith("data: "):
                    data += text[6:]
                elif not text and data:
                    self.events.append((name, json.loads(data)))
                    name, data = "", ""
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass
        self.over = True

    def of(self, guid):
        return [name for name, data in self.events if data["container"]["guid"] == guid]

    def close(self):
        try:
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(WAIT)
        self.connection.close()


class Cell:
    """The daemons, and ways to use them. `words` are further flags of celld; `parent` is passable by every user."""

    # A second run on one machine has others: the first letter of every tag, the second number of every pool.
    letter, octet = "c", 213

    def __init__(self, programs, busybox, tag="ce", pool="10.213.0.0/20", words=(), parent="/tmp"):
        self.programs, self.tag, self.words = programs, self.letter + tag[1:], list(words)
        numbers = pool.split(".")
        self.pool = ".".join([numbers[0], str(int(numbers[1]) - 213 + self.octet), *numbers[2:]])
        self.garden_words = []
        self.home = tempfile.mkdtemp(prefix=f"cloche-cell-{os.getpid()}-", dir=parent)
        os.chmod(self.home, 0o755)  # users of containers pass through it
        self.rootfs = os.path.join(self.home, "rootfs")
        make_rootfs(self.rootfs, busybox, "vcap", "/home/vcap")
        self.garden_socket = os.path.join(self.home, "garden.sock")
        self.socket = os.path.join(self.home, "cell.sock")
        self.state = os.path.join(self.home, "cell")
        self.garden = self.celld = self.nginx = None
        self.files = os.path.join(self.home, "files")
        os.makedirs(self.files)
        self.url = None
        self.log = open(os.path.join(self.home, "log"), "ab")
        self.garden_log = open(os.path.join(self.home, "garden.log"), "ab")
        self.cleaned = 0

    # The daemons.

    def gardend(self, *words):
        return [
            os.path.join(self.programs, "gardend"), *words,
            "--tag", self.tag,
            "--network-pool", self.pool,
            "--depot", os.path.join(self.home, "garden"),
            "--store", os.path.join(self.home, "store"),
            "--bind-socket", self.garden_socket,
            "--default-rootfs", self.rootfs,
            *self.garden_words,
        ]

    def spawn(self, command, log=None):
        out = log or self.log
        return subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def start_garden(self, wait=True):
        self.garden = self.spawn(self.gardend("server"), self.garden_log)
        if wait:
            wait_for("gardend", lambda: self.answers(self.garden, self.garden_socket))

    def start_celld(self, wait=True):
        self.celld = self.spawn([
            os.path.join(self.programs, "celld"),
            "--cell-id", "cell-1",
            "--garden", "unix://" + self.garden_socket,
            "--executor-listen", "unix://" + self.socket,
            "--state-directory", self.state,
            "--memory-mb", "4096",
            "--disk-mb", "8192",
            *self.words,
        ])
        if wait:
            wait_for("celld", self.ready)

    def answers(self, daemon, path):
        if daemon.poll() is not None:
            raise AssertionError("a daemon ended:\n" + self.log_text())
        try:
            return call(path, "GET", "/ping", timeout=5).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def ready(self):
        """Answers from its records: everything is taken up again."""
        if not self.answers(self.celld, self.socket):
            return False
        return self.call("GET", "/containers").status == 200

    def start(self):
        self.start_garden()
        self.start_celld()

    def kill(self, name):
        """As at any instruction."""
        daemon = getattr(self, name)
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()

    def end(self, name):
        daemon = getattr(self, name)
        if daemon is None:
            return
        if daemon.poll() is None:
            daemon.terminate()
            try:
                daemon.wait(WAIT)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        setattr(self, name, None)

    def stop(self):
        """Ends the daemons and takes down what they made on this host."""
        self.end("celld")
        self.end("nginx")
        if self.garden is not None:
            self.end("garden")
            self.cleaned = subprocess.run(
                self.gardend("cleanup"), stdout=self.garden_log, stderr=self.garden_log, timeout=WAIT
            ).returncode
            if self.cleaned != 0:
                print(self.log_text(), file=sys.stderr)
        self.log.close()
        self.garden_log.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def whole_log(self, which=None):
        """Every line of the daemons: of celld ("log"), of gardend ("garden.log") or of both."""
        out = ""
        for file in (which,) if which else ("log", "garden.log"):
            with open(os.path.join(self.home, file), errors="replace") as text:
                out += text.read()
        return out

    def log_text(self):
        """The ends of both logs, gardend's without its requests."""
        out = ""
        for file in ("garden.log", "log"):
            with open(os.path.join(self.home, file), errors="replace") as text:
                out += "".join(line for line in text if "request served" not in line)[-4000:]
        return out

    def start_nginx(self):
        """Files of self.files at self.url; uploads by PUT and POST end below self.files/up."""
        port, tls, strange = free_port(), free_port(), free_port()
        for authority in ("known", "strange"):
            make_certificate(self.home, authority)
        up = os.path.join(self.files, "up")
        os.makedirs(up, exist_ok=True)
        config = os.path.join(self.home, "nginx.conf")
        with open(config, "w") as out:
            out.write(f"""
daemon off; master_process off; pid {self.home}/nginx.pid; error_log {self.home}/nginx.log;
user root; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_max_body_size 64m;
  client_body_temp_path {self.home}/nginx-body; proxy_temp_path {self.home}/nginx-p;
  fastcgi_temp_path {self.home}/nginx-f; uwsgi_temp_path {self.home}/nginx-u; scgi_temp_path {self.home}/nginx-s;
  server {{
    listen 127.0.0.1:{port};
    root {self.files};
    location / {{ etag on; }}
    location /slow/ {{ limit_rate 1k; alias {self.files}/; }}
    location /status/500 {{ return 500; }}
  }}
  server {{
    listen 127.0.0.1:{tls} ssl; root {self.files};
    ssl_certificate {self.home}/known.pem; ssl_certificate_key {self.home}/known.key;
  }}
  server {{
    listen 127.0.0.1:{strange} ssl; root {self.files};
    ssl_certificate {self.home}/strange.pem; ssl_certificate_key {self.home}/strange.key;
  }}
}}""")
        self.nginx = self.spawn([shutil.which("nginx") or "/usr/sbin/nginx", "-c", config])
        self.url = f"http://127.0.0.1:{port}"
        self.tls_url, self.strange_url = f"https://127.0.0.1:{tls}", f"https://127.0.0.1:{strange}"

        def up_now():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_for("nginx", up_now)

    # The executor's API.

    def call(self, method, target, body=None, timeout=WAIT, headers=None):
        return call(self.socket, method, target, body, timeout, headers)

    def allocate(self, guid, **fields):
        answer = self.call("POST", "/containers", [{"guid": guid, "memory_mb": 32, "disk_mb": 32, **fields}])
        assert answer.status == 200, answer.body
        return answer.json()

    def recipe(self, script, user="vcap", **fields):
        """What to run: a shell script, or a whole action."""
        action = script if isinstance(script, dict) else sh(script, user)
        return {"rootfs": self.rootfs, "run": action, "log_config": {"guid": "log"}, **fields}

    def run(self, guid, script="exec sleep 1000", tags=None, allocation=None, **fields):
        refused = self.allocate(guid, Tags=tags or {}, **(allocation or {}))
        assert refused == {}, refused
        answer = self.call("POST", f"/containers/{guid}/run", self.recipe(script, **fields))
        assert answer.status == 201, (answer.status, answer.body)

    def get(self, guid):
        answer = self.call("GET", f"/containers/{guid}")
        return answer.json() if answer.status == 200 else None

    def list(self):
        answer = self.call("GET", "/containers")
        assert answer.status == 200, answer.body
        return {one["guid"]: one for one in answer.json()}

    def until(self, guid, state, seconds=WAIT):
        def there():
            found = self.get(guid)
            return found if found and found["state"] == state else None

        try:
            return wait_for(f"{guid} to be {state}", there, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.get(guid)}\n{self.log_text()}") from None

    def result(self, guid, seconds=WAIT):
        return self.until(guid, "completed", seconds)["run_result"]

    def delete(self, guid):
        return self.call("DELETE", f"/containers/{guid}")

    def remaining(self):
        return self.call("GET", "/resources/remaining").json()

    def lines(self, guid):
        answer = self.call("GET", f"/containers/{guid}/logs")
        return [(one["source"], one["text"]) for one in answer.json()] if answer.status == 200 else []

    def text(self, guid):
        return "\n".join(line for _, line in self.lines(guid))

    # Garden's.

    def garden_call(self, method, target, body=None):
        return call(self.garden_socket, method, target, body)

    def handles(self):
        return set(self.garden_call("GET", "/containers").json()["Handles"])

    def doctor(self):
        return self.garden_call("GET", "/cloche/v1/doctor").json()["orphans"]


def sh(script, user="vcap", **fields):
    return {"run": {"path": "/bin/sh", "args": ["-c", script], "user": user, **fields}}
