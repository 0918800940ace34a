"""Must-hold 2: hostile and broken clients. After each, gardend answers a ping within a second, has no more descriptors and threads
than before, has lost no container, and doctor finds nothing.
"""

import resource
import select
import socket
import struct
import time

import wire
from client import JSON, GardenError, query_text
from harness import check, fails, poll, row, same
from images import Layer

PING = 20.0 if wire.IN_GUEST else 1.0
THREADS = 64  # workers are made when needed and stay for a while: bounded, and far below one per connection
KEEPER = "keeper-of-the-row"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() is a RST


class Watch:
    """Figures of the daemon before an attack, and what must hold after it."""

    def __init__(self, c):
        self.c, self.server = c, c.server
        self.handle = c.create()
        self.keeper = c.start(self.handle, "sh", "-c", f": {KEEPER}; echo up; while true; do sleep 100; done")
        self.keeper.stdout.expect("up")
        self.ping()
        self.descriptors, self.threads = self.settled()

    def settled(self):
        """Descriptors and threads once nothing changes any more."""
        last = None

        def same_again():
            nonlocal last
            now = (self.server.descriptors(), self.server.threads())
            done, last = now == last, now
            return now if done else None
        return poll("descriptors that do not change", same_again, every=0.3)

    def ping(self):
        start = time.monotonic()
        self.c.garden.ping(wait=30)
        took = time.monotonic() - start
        check(took < PING, f"a ping took {took:.2f} s")

    def during(self):
        """While the attack lasts: an ordinary client is served."""
        self.ping()
        check(self.handle in self.c.garden.list())

    def after(self):
        check(self.server.daemon.poll() is None, f"gardend ended: {self.server.log_text()}")
        self.ping()
        poll("descriptors as before", lambda: self.server.descriptors() <= self.descriptors + 2, wait=20)
        check(self.server.threads() <= self.threads + THREADS, f"{self.threads} threads before, {self.server.threads()} now")
        check(self.handle in self.c.garden.list(), "the container is lost")
        poll("only our own processes", lambda: self.processes() == 1)
        same(self.c.garden.doctor(), [])

    def processes(self):
        """Processes in the container, but for init and the one that looks."""
        try:
            lines = self.c.run(self.handle, "ps", "-o", "args").ok().splitlines()[1:]
        except GardenError as error:
            check(error.status == 503, str(error))  # the container's share of operations is in use: looked at again
            return -1
        return len([line for line in lines if "garden-init" not in line and not line.startswith(("ps ", "sleep 100"))])


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def many_descriptors():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def answer_to(c, data, wait=20 * wire.SLOWNESS):
    """What comes for raw bytes and a half-close until the server closes; b"" when it only closes."""
    try:
        return wire.exchange(c.garden.address, data, wait, end=True)
    except (ConnectionResetError, BrokenPipeError):
        return b""


HEAD = b"Host: api\r\n"
JSON_BODY = b"POST /containers HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
MALFORMED = {
    "nothing": b"",
    "one byte": b"G",
    "no request": b"\r\n\r\n\r\n\r\n",
    "binary": bytes(range(256)) * 40,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET /ping\r\n\r\n",
    "strange version": b"GET /ping HTTP/9.9\r\n" + HEAD + b"\r\n",
    "spaces in the target": b"GET /pi ng HTTP/1.1\r\n" + HEAD + b"\r\n",
    "NUL in the target": b"GET /pi\0ng HTTP/1.1\r\n" + HEAD + b"\r\n",
    "bad escape": b"GET /containers/%zz/info HTTP/1.1\r\n" + HEAD + b"\r\n",
    "escaped NUL": b"GET /containers/a%00b/info HTTP/1.1\r\n" + HEAD + b"\r\n",
    "climbing target": b"GET /containers/..%2f..%2fetc/info HTTP/1.1\r\n" + HEAD + b"\r\n",
    "no colon": b"GET /ping HTTP/1.1\r\nHost api\r\n\r\n",
    "space before the colon": b"GET /ping HTTP/1.1\r\nHost : api\r\n\r\n",
    "header without an end": b"GET /ping HTTP/1.1\r\nX: " + b"y" * 2_000_000,
    "very many headers": b"GET /ping HTTP/1.1\r\n" + b"X: y\r\n" * 300_000 + b"\r\n",
    "long target": b"GET /" + b"a" * 600_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
    "two lengths": JSON_BODY + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "length beyond 64 bits": JSON_BODY + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "length of 2^63": JSON_BODY + b"Content-Length: 9223372036854775808\r\n\r\n{}",
    "negative length": JSON_BODY + b"Content-Length: -1\r\n\r\n{}",
    "length that is none": JSON_BODY + b"Content-Length: 0x10\r\n\r\n{}",
    "length with a sign": JSON_BODY + b"Content-Length: +2\r\n\r\n{}",
    "length and chunked": JSON_BODY + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /ping HTTP/1.1\r\n\r\n",
    "gzip as transfer encoding": JSON_BODY + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "chunked twice": JSON_BODY + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk size that is none": JSON_BODY + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "negative chunk": JSON_BODY + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "huge chunk": JSON_BODY + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
    "chunk beyond 64 bits": JSON_BODY + b"Transfer-Encoding: chunked\r\n\r\n1ffffffffffffffff\r\n{}",
    "chunk without its end": JSON_BODY + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n",
    "chunk extension without an end": JSON_BODY + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"e" * 2_000_000,
    "trailer without an end": JSON_BODY + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"t" * 2_000_000,
    "truncated body": JSON_BODY + b"Content-Length: 100\r\n\r\n{",
    "truncated chunked body": JSON_BODY + b"Transfer-Encoding: chunked\r\n\r\n64\r\n{",
    "body over the limit": JSON_BODY + b"Content-Length: 5000000\r\n\r\n" + b" " * 5_000_000,
    "chunked body over the limit": JSON_BODY + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 80 + b"0\r\n\r\n",
    "announced terabyte": JSON_BODY + b"Content-Length: 1099511627776\r\n\r\n{",
}


def json_body(body):
    return JSON_BODY + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


MALFORMED_JSON = {
    "deep arrays": json_body(b"[" * 100_000),
    "deep objects": json_body(b'{"a":' * 50_000),
    "deep but closed": json_body(b'{"properties":' + b"[" * 200 + b"]" * 200 + b"}"),
    "not UTF-8": json_body(b'{"handle":"\xff\xfe\xfd"}'),
    "half a surrogate": json_body(b'{"handle":"\\ud800"}'),
    "NUL in a handle": json_body(b'{"handle":"a\\u0000b"}'),
    "number beyond all": json_body(b'{"grace_time":1' + b"0" * 5000 + b"}"),
    "wrong types": json_body(b'{"handle":{},"limits":[],"env":7}'),
    "climbing handle": json_body(b'{"handle":"../../etc"}'),
    "a million members": json_body(b"{" + b",".join(b'"k%d":0' % n for n in range(200_000)) + b',"handle":7}'),
}


@row("hostile:malformed", alone=True)
def malformed_requests(c):
    """requests that are none, or too large: an error or the end, never a success, never silence"""
    watch = Watch(c)
    for name, data in {**MALFORMED, **MALFORMED_JSON}.items():
        try:
            got = answer_to(c, data)
        except TimeoutError as error:
            raise AssertionError(f"{name}: no answer and no end") from error
        for line in [part for part in got.split(b"\r\n") if part.startswith(b"HTTP/1.")][:1]:
            check(line[9:10] in b"45", f"{name}: {line!r}")
        same(got.count(b"HTTP/1.1 2"), 0)
    watch.after()


@row("hostile:slow-headers", alone=True)
def slow_headers(c):
    """300 clients that send their header byte by byte hold nobody up, and are closed without an answer when their time is over"""
    watch = Watch(c)
    text = b"GET /ping HTTP/1.1\r\nX-Slow: " + b"z" * 100_000
    connections = [c.garden.address.connect() for _ in range(300)]
    start, at, ended = time.monotonic(), 0, 0
    while connections and time.monotonic() - start < 3 * c.server.header_timeout + 10:
        still = []
        for connection in connections:
            try:
                connection.send(text[at : at + 1])
                connection.setblocking(False)
                same(connection.recv(1), b"")
                ended += 1
                connection.close()
            except BlockingIOError:
                still.append(connection)
            except (ConnectionResetError, BrokenPipeError):
                ended += 1
                connection.close()
        connections, at = still, at + 1
        watch.during()
        time.sleep(0.2)
    same((len(connections), ended), (0, 300))
    check(time.monotonic() - start >= c.server.header_timeout * 0.5, "closed before their time")
    watch.after()


@row("hostile:half-open", alone=True)
def half_open_connections(c):
    """3000 connections that say nothing, or half a request, cost neither a thread each nor anybody's time"""
    many_descriptors()
    watch = Watch(c)
    beginnings = (b"", b"GET /pi", wire.request_text("GET", "/capacity", close=False)[:-2], JSON_BODY + b"Content-Length: 10\r\n\r\n{")
    connections = []
    try:
        for number in range(3000):
            connection = c.garden.address.connect()
            connection.sendall(beginnings[number % 4])
            connections.append(connection)
            if number % 500 == 0:
                watch.during()
        watch.during()
        check(c.server.threads() < watch.threads + 1024, f"{c.server.threads()} threads")
        c.run(watch.handle, "echo", "x").ok()
    finally:
        for number, connection in enumerate(connections):
            reset(connection) if number % 2 else connection.close()
    watch.after()


@row("hostile:resets", alone=True)
def resets(c):
    """500 connections that end in a RST, before, amid and after a request"""
    watch = Watch(c)
    texts = (wire.request_text("GET", "/containers"), wire.request_text("GET", f"/containers/{watch.handle}/info", close=False),
             wire.request_text("PUT", f"/containers/{watch.handle}/properties/k", b'{"value":"v"}', JSON),
             wire.request_text("GET", f"/containers/{watch.handle}/files?" + query_text({"user": "", "source": "/bin/"})))
    for number in range(500):
        connection = c.garden.address.connect()
        text = texts[number % 4]
        connection.sendall(text[: len(text) * (number % 5 + 1) // 5])
        reset(connection)
    watch.after()


@row("hostile:create-and-leave", alone=True)
def create_and_leave(c):
    """a client that leaves in the middle of Create or Destroy: the container is there or it is not, and its handle is free afterwards"""
    watch = Watch(c)
    handles = [f"left-{number}" for number in range(8)]
    for number, handle in enumerate(handles):
        connection = c.garden.address.connect()
        connection.sendall(wire.request_text("POST", "/containers", b'{"handle":"%s","image":{},"limits":{}}\n' % handle.encode(), JSON))
        time.sleep(0.02 * number)
        reset(connection)
    time.sleep(0.5)
    poll("every create over", lambda: set(c.garden.list_by({"garden.state": "all"})) <= set(c.garden.list()))
    for number, handle in enumerate(handle for handle in handles if c.garden.lookup(handle)):
        connection = c.garden.address.connect()
        connection.sendall(wire.request_text("DELETE", f"/containers/{handle}"))
        time.sleep(0.01 * number)
        reset(connection)
    poll("every destroy over", lambda: not set(handles) & set(c.garden.list_by({"garden.state": "all"})), wait=30)
    for handle in handles:
        same(c.garden.create(handle), handle)
        c.garden.destroy(handle)
    watch.after()


@row("hostile:pipelines", alone=True)
def pipelines(c):
    """hundreds of requests written at once, answers unread: bounded, in order when they are read"""
    watch = Watch(c)
    one = wire.request_text("GET", "/ping", close=False)
    for _ in range(20):
        connection = c.garden.address.connect()
        connection.settimeout(1)
        try:
            connection.sendall(one * 20_000)
        except TimeoutError:
            pass  # the server takes no more while nobody reads: that is the bound
        watch.during()
        reset(connection)
    mixed = [("GET", "/ping", None), ("GET", "/capacity", None), ("GET", "/nope", None),
             ("PUT", f"/containers/{watch.handle}/properties/p", b'{"value":"1"}\n'), ("GET", f"/containers/{watch.handle}/info", None)]
    with c.garden.address.connect() as connection:
        connection.sendall(b"".join(wire.request_text(*each, close=False) for each in mixed) * 20)
        reader = wire.Reader(connection)
        for number in range(100):
            answer = wire.read_answer(reader)
            same(answer.status, 404 if number % 5 == 2 else 200)
            check(b"{}" not in answer.body if number % 5 in (1, 4) else True, answer.body)
    watch.after()


def exchange_text(c, handle, identity):
    body = b'{"id":"%s","path":"cat","rlimits":{},"image":{}}\n' % identity.encode()
    request = wire.request_text("POST", f"/containers/{handle}/processes", body, JSON, close=False)
    return request + b'{"process_id":"p","source":0,"data":"hello\\n"}\n{"process_id":"p","source":0}\n'


@row("hostile:cut-request", alone=True)
def cut_request(c):
    """a Run exchange cut after each of its bytes, by a RST or an end, leaves no process and no descriptor"""
    watch = Watch(c)
    for at in range(len(exchange_text(c, watch.handle, "cut-0000")) + 1):
        text = exchange_text(c, watch.handle, f"cut-{at:04}")
        connection = c.garden.address.connect()
        connection.sendall(text[:at])
        if at % 2:
            reset(connection)
        else:
            connection.close()
        if at % 64 == 0:
            watch.during()
    poll("no process left", lambda: watch.processes() == 1, wait=30)
    watch.after()


def read_bytes(connection, count):
    got = b""
    while len(got) < count:
        data = connection.recv(count - len(got))
        if not data:
            return got
        got += data
    return got


@row("hostile:cut-answer", alone=True)
def cut_answer(c):
    """the reading side of Run and of an output cut after each byte: the process runs to its end all the same"""
    watch = Watch(c)
    whole = 0
    at = 0
    while True:  # the main connection, until a cut comes after the last byte
        connection = c.garden.address.connect()
        connection.sendall(exchange_text(c, watch.handle, f"main-{at:04}"))
        got = read_bytes(connection, at)
        reset(connection) if at % 2 else connection.close()
        if len(got) < at:
            whole = at
            break
        at += 1
    check(whole > 100, f"the answer has {whole} bytes")
    for at in range(0, 400, 3):  # an output connection: header and 40 bytes
        process = c.garden.start(watch.handle, "sh", "-c", "echo 0123456789012345678901234567890123456789; cat", outputs=())
        with c.garden.address.connect() as connection:
            target = f"/containers/{watch.handle}/processes/{process.id}/attaches/{process.stream_id}/stdout"
            connection.sendall(wire.request_text("GET", target, content_type=JSON, close=False))
            connection.settimeout(1)
            try:
                read_bytes(connection, at)
            except TimeoutError:
                break  # all there is has come: the process still runs
            reset(connection)
        process.close_stdin()
        same(process.wait(), 0)
    else:
        raise AssertionError("the output has no end")
    process.close()
    poll("no process left", lambda: watch.processes() == 1, wait=30)
    watch.after()


@row("hostile:messages", alone=True)
def hostile_messages(c):
    """messages to a process that are none: the daemon goes on, the process is not lost"""
    watch = Watch(c)
    for text in (b"garbage\n", b"[1,2,3]\n", b'{"source":"x"}\n', b'{"data":7}\n', b'{"signal":"TERM"}\n', b"[" * 100_000, b"\0" * 5000,
                 b'{"data":"\xff\xfe"}\n', b'{"tty":{"window_size":{"columns":-1,"rows":99999999}}}\n', b'{"source":0,"data":"' + b"x" * 3_000_000):
        process = c.garden.start(watch.handle, "sh", "-c", "trap 'exit 3' TERM; echo up; while true; do sleep 0.1; done")
        process.stdout.expect("up")
        try:
            process.connection.sendall(text)
        except OSError:
            pass  # refused: closed already
        process.close()
        again = c.garden.attach(watch.handle, process.id, outputs=())
        again.signal(0)
        same(again.wait(), 3)
    watch.after()


@row("hostile:unread-output", alone=True)
def unread_output(c):
    """outputs that nobody reads on open connections: other clients are served, the process can be killed"""
    watch = Watch(c)
    before = c.server.resident()
    held = []
    for _ in range(8):
        process = c.garden.start(watch.handle, "yes", outputs=())
        connection = c.garden.address.connect()
        target = f"/containers/{watch.handle}/processes/{process.id}/attaches/{process.stream_id}/stdout"
        connection.sendall(wire.request_text("GET", target, content_type=JSON, close=False))
        held.append((process, connection))
    time.sleep(2)
    watch.during()
    c.run(watch.handle, "echo", "served").ok()
    check(c.server.resident() - before < 128 << 20, "the daemon keeps what nobody reads")
    for process, connection in held:
        process.signal(1)
        connection.close()
        same(process.wait(), 137)
    watch.after()


@row("hostile:flood-stdin", alone=True)
def flood_of_stdin(c):
    """input for a process that does not read: bounded memory, other clients are served"""
    watch = Watch(c)
    before = c.server.resident()
    process = c.garden.start(watch.handle, "sleep", "1000", id="flooded", outputs=())
    message = b'{"process_id":"p","source":0,"data":"' + b"x" * 32_000 + b'"}\n'
    rest = b""
    for _ in range(20_000):
        if not select.select([], [process.connection], [], 2)[1]:
            break  # back-pressure
        rest = rest or message
        rest = rest[process.connection.send(rest, socket.MSG_DONTWAIT) :]
    else:
        raise AssertionError("the daemon takes whatever comes")
    watch.during()
    check(c.server.resident() - before < 160 << 20, f"{(c.server.resident() - before) >> 20} MiB more")
    other = c.garden.attach(watch.handle, "flooded", outputs=())
    other.signal(1)
    same(other.wait(), 137)
    process.close()
    watch.after()


@row("hostile:stalled-files", alone=True)
def stalled_file_streams(c):
    """files streamed in and out by clients that stop in the middle hold nobody up"""
    watch = Watch(c)
    c.sh(watch.handle, "head -c 20000000 /dev/zero > /tmp/big").ok()
    connections = []
    data = Layer().file("file", b"z" * 500_000).tar()
    for number in range(20):
        connection = c.garden.address.connect()
        if number % 2:
            connection.sendall(wire.request_text("GET", f"/containers/{watch.handle}/files?" + query_text({"user": "", "source": "/tmp/big"})))
        else:
            target = f"/containers/{watch.handle}/files?" + query_text({"user": "", "destination": f"/tmp/in-{number}"})
            connection.sendall(wire.request_text("PUT", target, data, "application/x-tar", chunked=True))
            connection.sendall(b"%x\r\n%s" % (len(data), data[:1000]))
        connections.append(connection)
    time.sleep(0.5)
    watch.during()
    other = c.create()
    c.garden.stream_in(other, Layer().file("file", b"1").tar(), destination="/tmp")
    c.garden.destroy(other)
    for number, connection in enumerate(connections):
        reset(connection) if number % 3 else connection.close()
    watch.after()


@row("hostile:bulk", alone=True)
def bulk_of_nonsense(c):
    """bulk calls for thousands of unknown handles, rules without end: answered, or refused"""
    watch = Watch(c)
    names = ",".join(f"unknown-{number}" for number in range(5000))
    same(len(c.garden.bulk_info(*names.split(","))), 5000)
    rules = [{"protocol": 1, "networks": [{"start": "10.0.0.1"}], "ports": [{"start": 1, "end": 2}] * 100}] * 400
    fails("", c.garden.bulk_net_out, watch.handle, rules)
    for rule in ({"networks": [{"start": "not an address"}]}, {"networks": [{"start": "2.0.0.0", "end": "1.0.0.0"}]},
                 {"protocol": 1, "ports": [{"start": 70000, "end": 70001}]}, {"protocol": 1, "ports": [{"start": 9, "end": 3}]}):
        fails("", c.garden.net_out, watch.handle, rule)
    watch.after()
