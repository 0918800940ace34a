#!/usr/bin/env python3
"""The program healthcheck against real servers, in a network of its own with an address like a container's.

healthcheck_test.py PROGRAMS    exit 77: not root
"""

import http.server
import os
import resource
import socket
import subprocess
import sys
import threading
import time
import unittest

ADDRESS = "10.254.7.2"  # in a network namespace of this test alone
INSIDE = "CLOCHE_TEST_INSIDE"

if os.environ.get(INSIDE) is None:
    if os.geteuid() != 0:
        print("SKIP: needs root for a network namespace")
        sys.exit(77)
    os.execvpe("unshare", ["unshare", "--net", sys.executable, "-B", *sys.argv], dict(os.environ, **{INSIDE: "1"}))

PROGRAM = os.path.join(sys.argv.pop(1), "healthcheck")


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def setUpModule():
    ip("link", "set", "lo", "up")
    ip("link", "add", "app0", "type", "veth", "peer", "name", "far0")
    ip("link", "set", "far0", "up")
    ip("address", "add", ADDRESS + "/30", "dev", "app0")
    ip("link", "set", "app0", "up")


def check(*flags, before=None, prefix=()):
    """(exit code, what it said)"""
    done = subprocess.run([*prefix, PROGRAM, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=30, preexec_fn=before)
    return done.returncode, done.stdout + done.stderr


class Listener:
    """Accepts and hands each connection to `serve`; closed at the end of the block."""

    def __init__(self, serve=None, address=ADDRESS, backlog=16):
        self.serve, self.connections = serve, []
        self.socket = socket.create_server((address, 0), backlog=backlog)
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.accept) if serve else None

    def __enter__(self):
        if self.thread:
            self.thread.start()
        return self

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            try:
                self.serve(connection)
            except OSError:
                pass

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        if self.thread:
            self.thread.join()
        for connection in self.connections:
            connection.close()


def answer(text, close=True):
    def serve(connection):
        serve.request = connection.recv(65536).decode()
        connection.sendall(text if isinstance(text, bytes) else text.encode())
        if close:
            connection.close()

    return serve


def free_port():
    with socket.create_server((ADDRESS, 0)) as probe:
        return probe.getsockname()[1]


class OneLook(unittest.TestCase):
    def test_a_listener_on_the_address_of_the_container_is_healthy(self):
        for address in (ADDRESS, "0.0.0.0"):
            with Listener(address=address) as app:
                self.assertEqual(check(f"-port={app.port}"), (0, ""))
                self.assertEqual(check("--port", str(app.port), "-network", "tcp", "-uri", ""), (0, ""))

    def test_an_app_that_listens_on_localhost_alone_is_not_healthy(self):
        with Listener(address="127.0.0.1") as app:
            self.assertEqual(check(f"-port={app.port}"),
                             (4, f"failed to make TCP connection to port {app.port}: connection refused\n"))
            self.assertEqual(check(f"-port={app.port}", "-uri=/")[0], 5)

    def test_nobody_listens(self):
        port = free_port()
        self.assertEqual(check(f"-port={port}"), (4, f"failed to make TCP connection to port {port}: connection refused\n"))
        self.assertEqual(check(f"-port={port}", "-uri=/ping"),
                         (5, f"failed to make HTTP request to '/ping' on port {port}: connection refused\n"))

    def test_a_listener_whose_queue_is_full_times_out(self):
        with Listener(backlog=0) as app:
            waiting = []
            for _ in range(4):
                probe = socket.socket()
                probe.setblocking(False)
                probe.connect_ex((ADDRESS, app.port))
                waiting.append(probe)
            self.assertEqual(check(f"-port={app.port}", "-timeout=300ms"),
                             (64, f"failed to make TCP connection to port {app.port}: timed out after 300ms\n"))
            self.assertEqual(check(f"-port={app.port}", "-timeout=300ms", "-uri=/")[0], 65)
            for probe in waiting:
                probe.close()

    def test_status_200_is_healthy_and_the_request_says_who_asks(self):
        serve = answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        with Listener(serve) as app:
            self.assertEqual(check(f"-port={app.port}", "-uri=/a b?c=%20#there"), (0, ""))
            lines = serve.request.split("\r\n")
            self.assertEqual(lines[0], "GET /a%20b?c=%20 HTTP/1.1")
            self.assertIn(f"Host: {ADDRESS}:{app.port}", lines)
            self.assertIn("User-Agent: diego-healthcheck", lines)
            self.assertIn("X-Forwarded-Proto: https", lines)

    def test_a_real_server_gets_its_whole_body_read(self):
        seen = []

        class App(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/health" else 404)
                self.end_headers()
                self.wfile.write(b"x" * (8 << 20))
                seen.append(self.path)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer((ADDRESS, 0), App)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        try:
            self.assertEqual(check(f"-port={port}", "-uri=/health", "-timeout=10s"), (0, ""))
            code, text = check(f"-port={port}", "-uri=/other", "-timeout=10s")
            self.assertEqual(code, 6)
            self.assertRegex(text, rf"^failed to make HTTP request to '/other' on port {port}: received status code 404 in \S+\n$")
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        self.assertEqual(seen, ["/health", "/other"])

    def test_only_200_is_healthy(self):
        for status in ("201 Created", "204 No Content", "302 Found", "500 Oops"):
            with Listener(answer(f"HTTP/1.1 {status}\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")) as app:
                self.assertEqual(check(f"-port={app.port}", "-uri=/")[0], 6, status)

    def test_an_interim_answer_is_not_the_answer(self):
        with Listener(answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")) as app:
            self.assertEqual(check(f"-port={app.port}", "-uri=/")[0], 0)

    def test_a_server_that_never_answers_times_out(self):
        with Listener(lambda connection: None) as app:
            begun = time.monotonic()
            self.assertEqual(check(f"-port={app.port}", "-uri=/", "-timeout=400ms"),
                             (65, f"failed to make HTTP request to '/' on port {app.port}: timed out after 400ms\n"))
            self.assertLess(time.monotonic() - begun, 5)

    def test_a_server_that_answers_too_late_times_out(self):
        def late(connection):
            time.sleep(0.8)
            answer("HTTP/1.1 200 OK\r\n\r\n")(connection)

        with Listener(late) as app:
            self.assertEqual(check(f"-port={app.port}", "-uri=/", "-timeout=300ms")[0], 65)
            self.assertEqual(check(f"-port={app.port}", "-uri=/", "-timeout=10s")[0], 0)

    def test_the_status_counts_when_the_body_never_ends(self):
        endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"
        with Listener(answer(endless, close=False)) as app:
            self.assertEqual(check(f"-port={app.port}", "-uri=/", "-timeout=300ms"), (0, ""))

    def test_a_whole_body_ends_the_look_though_the_connection_stays_open(self):
        for body in ("Content-Length: 2\r\n\r\nhi", "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"):
            with Listener(answer("HTTP/1.1 200 OK\r\n" + body, close=False)) as app:
                begun = time.monotonic()
                self.assertEqual(check(f"-port={app.port}", "-uri=/", "-timeout=20s"), (0, ""))
                self.assertLess(time.monotonic() - begun, 10)

    def test_something_that_does_not_speak_http_has_failed(self):
        for talk in ("SSH-2.0-x\r\n", "HTTP/1.1 2\r\n\r\n", "HTTP/1.1 200 OK\r\n" + "a: b\r\n" * 9000, ""):
            with Listener(answer(talk)) as app:
                code, text = check(f"-port={app.port}", "-uri=/", "-timeout=5s")
                self.assertEqual(code, 5, talk[:20])
                self.assertIn("failed to make HTTP request to '/'", text)

    def test_a_uri_of_which_no_request_can_be_made(self):
        with Listener() as app:
            for uri in ("ping", "/a\nHost: x", "/%zz", "/" + "a" * 9000):
                self.assertEqual(check(f"-port={app.port}", "-uri=" + uri)[0], 6, uri[:20])

    def test_without_an_interface_there_is_nothing_to_check(self):
        self.assertEqual(check(prefix=("unshare", "--net")),
                         (3, "no network interface with an IPv4 address but the loopback\n"))
        script = "ip link set lo up; ip link add a type veth peer name b; ip address add 10.254.9.1/30 dev a; exec \"$0\" \"$@\""
        self.assertEqual(check(prefix=("unshare", "--net", "sh", "-c", script))[0], 3, "the device is down")

    def test_what_nobody_expects_is_127(self):
        code, text = check(before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)))
        self.assertEqual((code, "list the network interfaces" in text), (127, True), text)

    def test_a_bad_command_line_is_2(self):
        for flags in (["-prot=1"], ["-port=0"], ["-port=65536"], ["-port"], ["-timeout=1"], ["-timeout=0"], ["-network=udp"],
                      ["extra"], ["-liveness-interval=1s", "-readiness-interval=1s"], ["-startup-timeout=9000h"]):
            code, text = check(*flags)
            self.assertEqual(code, 2, flags)
            self.assertTrue(text.startswith("healthcheck: ") and "usage: healthcheck" in text, text)
        code, text = check("-help")
        self.assertEqual(code, 0)
        self.assertIn("-until-ready-interval", text)


class Watching(unittest.TestCase):
    def start(self, *flags):
        process = subprocess.Popen([PROGRAM, *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process

    def end(self, process):
        text = process.communicate(timeout=20)[0]
        return process.returncode, text

    def test_startup_and_until_ready_wait_for_the_first_success(self):
        for flag in ("-startup-interval=50ms", "-until-ready-interval=50ms"):
            port = free_port()
            process = self.start(f"-port={port}", flag)
            time.sleep(0.4)
            self.assertIsNone(process.poll())
            with socket.create_server((ADDRESS, port)):
                self.assertEqual(self.end(process), (0, ""))

    def test_startup_looks_at_once(self):
        with Listener() as app:
            begun = time.monotonic()
            self.assertEqual(self.end(self.start(f"-port={app.port}", "-startup-interval=60s")), (0, ""))
            self.assertLess(time.monotonic() - begun, 20)

    def test_startup_ends_with_the_last_finding_when_its_time_is_over(self):
        begun = time.monotonic()
        code, text = self.end(self.start(f"-port={free_port()}", "-startup-interval=10s", "-startup-timeout=500ms"))
        took = time.monotonic() - begun
        self.assertEqual(code, 4)
        self.assertEqual(text.count("\n"), 1)
        self.assertTrue(0.5 <= took < 8, took)
        with Listener(answer("HTTP/1.1 503 Busy\r\n\r\n")) as app:
            self.assertEqual(self.end(self.start(f"-port={app.port}", "-uri=/", "-startup-interval=50ms",
                                                 "-startup-timeout=300ms"))[0], 6)

    def test_liveness_and_readiness_last_until_the_first_failure(self):
        for flag in ("-liveness-interval=50ms", "-readiness-interval=50ms"):
            with Listener(lambda connection: connection.close()) as app:
                process = self.start(f"-port={app.port}", flag)
                time.sleep(0.5)
                self.assertIsNone(process.poll())
                self.assertGreater(len(app.connections), 2)
            self.assertEqual(self.end(process)[0], 4)

    def test_a_watch_ends_by_a_signal(self):
        process = self.start(f"-port={free_port()}", "-until-ready-interval=10s")
        time.sleep(0.1)
        process.terminate()
        self.assertEqual(self.end(process), (-15, ""))


if __name__ == "__main__":
    unittest.main()
