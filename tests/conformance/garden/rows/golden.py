"""Golden exchanges (garden-api 14), routing, framing: bytes on the wire. Part of must-hold 2."""

import re
import socket
import time

import wire
from harness import check, has, row, same

NOT_FOUND = b'{"Type":"%s","Message":"%s","Handle":"%s","ProcessID":"%s","Binary":""}'


def parts(data):
    """(status line, header lines, body) of one answer as bytes."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return first, lines, body


def header_of(lines, name):
    found = [line.partition(b":")[2].strip() for line in lines if line.lower().startswith(name.lower() + b":")]
    check(len(found) <= 1, f"{name!r} twice")
    return found[0] if found else None


def ask(c, method, target, body=None, close=True):
    return parts(wire.exchange(c.garden.address, wire.request_text(method, target, body, "application/json" if body else None, close=close)))


@row("golden:create")
def create_with_defaults(c):
    """Create with defaults, as the Go client sends an empty spec"""
    spec = b'{"image":{},"limits":{"bandwidth_limits":{},"cpu_limits":{},"disk_limits":{},"memory_limits":{},"pid_limits":{}}}\n'
    first, lines, body = ask(c, "POST", "/containers", spec)
    match = re.fullmatch(rb'\{"Handle":"([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"\}\n?', body)
    check(match, (first, body))
    c.handles.append(match.group(1).decode())
    same(first, b"HTTP/1.1 200 OK")
    same(header_of(lines, b"Content-Type"), b"application/json")
    same(header_of(lines, b"Connection"), b"close")


@row("golden:errors")
def typed_errors(c):
    """the two not-found errors, byte for byte"""
    handle = c.create()
    first, _, body = ask(c, "DELETE", "/containers/nope")
    same(first, b"HTTP/1.1 404 Not Found")
    same(body.rstrip(b"\n"), NOT_FOUND % (b"ContainerNotFoundError", b"unknown handle: nope", b"nope", b""))
    data = wire.request_text("GET", f"/containers/{handle}/processes/zz", close=False)
    with c.garden.address.connect() as connection:
        connection.sendall(data)
        answer = wire.read_answer(wire.Reader(connection))
    check(not answer.closes, answer.headers)
    same(answer.status, 404)
    same(answer.length, len(answer.body))
    same(answer.body.rstrip(b"\n"), NOT_FOUND % (b"ProcessNotFoundError", b"unknown process: zz", b"", b"zz"))


@row("golden:small")
def small_calls(c):
    """grace time is a bare number; filters are form-encoded; {} is the answer without a result"""
    handle = c.create(properties={"a b": "c&d", "network.x": "1"})
    same(ask(c, "PUT", f"/containers/{handle}/grace_time", b"3000000000\n")[2].rstrip(b"\n"), b"{}")
    same(ask(c, "PUT", f"/containers/{handle}/grace_time", b"0\n")[2].rstrip(b"\n"), b"{}")  # never: the rest may take long
    same(ask(c, "GET", "/containers?a+b=c%26d&network.x=2")[2].rstrip(b"\n"), b'{"Handles":[]}')
    same(ask(c, "GET", "/containers?a+b=c%26d&network.x=1")[2].rstrip(b"\n"), b'{"Handles":["%s"]}' % handle.encode())
    same(ask(c, "GET", "/ping")[2].rstrip(b"\n"), b"{}")
    same(ask(c, "POST", f"/containers/{handle}/net/out", b'{"protocol":3,"networks":[{"start":"1.2.3.4","end":"1.2.3.4"},'
             b'{"start":"::1"}],"icmps":{"code":0},"log":true}\n')[2].rstrip(b"\n"), b"{}")


def expect(connection, wanted, wait=15):
    """Exactly these bytes come, and no others before them."""
    got = b""
    connection.settimeout(wait)
    while len(got) < len(wanted):
        data = connection.recv(len(wanted) - len(got))
        check(data, f"the end after {got!r}, wanted {wanted!r}")
        got += data
    same(got, wanted)


@row("golden:run")
def run_on_three_connections(c):
    """Run, stdout and stderr on three connections, byte for byte"""
    handle = c.create()
    body = b'{"id":"p1","path":"/bin/cat","rlimits":{},"image":{}}\n'
    with c.garden.address.connect() as a, c.garden.address.connect() as b, c.garden.address.connect() as third:
        a.sendall(wire.request_text("POST", f"/containers/{handle}/processes", body, "application/json", close=False))
        reader = wire.Reader(a)
        answer = wire.read_header(reader)
        same((answer.status, answer.version, answer.closes), (201, (1, 1), False))
        check(answer.chunked or answer.length is not None, answer.headers)
        first = reader.line()
        match = re.fullmatch(rb'\{"process_id":"p1","stream_id":"([^/"]+)"\}', first)
        check(match, first)
        for connection, name in ((b, "stdout"), (third, "stderr")):
            target = f"/containers/{handle}/processes/p1/attaches/{match.group(1).decode()}/{name}"
            connection.sendall(wire.request_text("GET", target, content_type="application/json", close=False))
        readers = [wire.Reader(connection) for connection in (b, third)]
        for each in readers:
            header = wire.read_header(each)
            same((header.status, header.closes), (200, False))
        a.sendall(b'{"process_id":"p1","source":0,"data":"hi\\n"}\n')
        same(readers[0].exactly(3), b"hi\n")
        a.sendall(b'{"process_id":"p1","source":0}\n')
        same(reader.line(), b'{"process_id":"p1","exit_status":0}')
        same(reader.rest(), b"")  # shutdown(write) comes before the close
        same([each.rest() for each in readers], [b"", b""])


@row("golden:early-exit")
def the_exit_status_survives_unread_input(c):
    """the exit status arrives although the client is still sending (lingering close), 20 of 20"""
    handle = c.create()
    for _ in range(20):
        process = c.start(handle, "true", outputs=())
        try:
            for _ in range(50):
                process.write("x" * 1000)
        except OSError:
            pass  # closed by our own reader after the exit status
        same(process.wait(), 0)


@row("golden:hijack-errors")
def errors_of_hijacked_calls(c):
    """errors on the four hijacked routes keep their type: HTTP/1.1, Content-Length, no Connection: close"""
    handle = c.create()
    for method, target, body in (("POST", "/containers/no/processes", b'{"path":"true"}\n'), ("GET", "/containers/no/processes/p", None),
                                 ("GET", f"/containers/{handle}/processes/p", None), ("POST", f"/containers/{handle}/processes", b"{]\n"),
                                 ("POST", f"/containers/{handle}/processes", b'{"path":"/none"}\n')):
        with c.garden.address.connect() as connection:
            connection.sendall(wire.request_text(method, target, body, close=False))
            answer = wire.read_answer(wire.Reader(connection))
        check(answer.status >= 400 and not answer.closes and (answer.length is not None or answer.chunked), answer.headers)
        same(sorted(answer.json()), ["Binary", "Handle", "Message", "ProcessID", "Type"])


@row("golden:routing")
def routing(c):
    """unknown paths, wrong methods, escapes in handles and keys"""
    handle = c.create("with+plus@and:more")
    for escaped in ("with+plus@and:more", "with%2Bplus%40and%3Amore", "%77ith+plus@and:more"):
        same(ask(c, "GET", f"/containers/{escaped}/info")[0], b"HTTP/1.1 200 OK")
    c.garden.set_property(handle, "k y", "v")
    same(c.garden.property(handle, "k y"), "v")
    for target in ("/nope", "/containers/a/b/c", f"/containers/{handle}/properties/a/b", "/ping/"):
        first, lines, body = ask(c, "GET", target)
        same(first, b"HTTP/1.1 404 Not Found")
        same(body, b"404 page not found\n")
        has(header_of(lines, b"Content-Type").decode(), "text/plain")
    for method, target, allowed in (("POST", "/ping", b"GET"), ("GET", "/containers/x", b"DELETE"), ("PATCH", "/capacity", b"GET")):
        first, lines, body = ask(c, method, target)
        same(first, b"HTTP/1.1 405 Method Not Allowed")
        same(body, b"Method Not Allowed\n")
        has(header_of(lines, b"Allow").decode(), allowed.decode())


@row("golden:json")
def json_rules(c):
    """one value, whatever follows; null and unknown members; no Content-Type; numbers that Go refuses"""
    handle = c.create()
    target = f"/containers/{handle}/properties/k"
    for body, wanted in ((b'{"value":"1"} trailing', "1"), (b' \n{"value":"\\u003c3\\u2028","other":[1,{}]}', "<3\u2028"),
                         (b'{"value":null}', "")):
        data = wire.exchange(c.garden.address, wire.request_text("PUT", target, body))
        has(data.decode(), "HTTP/1.1 200 OK")
        same(c.garden.property(handle, "k"), wanted)
    for body in (b"", b"{", b'{"value":1}', b"[]", b'{"value":"\\ud800"', b"nul"):
        answer = wire.call(c.garden.address, "PUT", target, body)
        check(answer.status >= 400 and answer.json()["Type"] == "", (body, answer.status, answer.body))
    for body in (b"1.5", b"1e3", b'"1"'):
        answer = wire.call(c.garden.address, "PUT", f"/containers/{handle}/grace_time", body)
        check(answer.status >= 400, (body, answer.status))


@row("golden:keep-alive")
def keep_alive(c):
    """several calls on one connection, also written at once; the last one closes"""
    with c.garden.address.connect() as connection:
        reader = wire.Reader(connection)
        for _ in range(20):
            connection.sendall(wire.request_text("GET", "/ping", close=False))
            answer = wire.read_answer(reader)
            check(answer.status == 200 and answer.json() == {} and not answer.closes, answer.headers)
        connection.sendall(wire.request_text("GET", "/ping", close=False) * 30 + wire.request_text("GET", "/capacity"))
        for _ in range(30):
            same(wire.read_answer(reader).json(), {})
        check("max_containers" in wire.read_answer(reader).json())
        same(reader.rest(), b"")


@row("golden:http-1.0")
def http_1_0(c):
    """an HTTP/1.0 client and one without keep-alive get their answer and the end"""
    data = wire.exchange(c.garden.address, b"GET /ping HTTP/1.0\r\n\r\n")
    check(data.startswith(b"HTTP/1.") and b" 200 " in data and data.rstrip().endswith(b"{}"), data)


@row("golden:half-close")
def half_close(c):
    """a client that closes its sending side after the request gets the whole answer"""
    data = wire.exchange(c.garden.address, wire.request_text("GET", "/capacity", close=False), end=True)
    has(data.decode(), "HTTP/1.1 200 OK", "max_containers")
    handle = c.create()
    data = wire.exchange(c.garden.address, wire.request_text("GET", f"/containers/{handle}/files?source=%2Fetc&user=", close=False), end=True)
    check(data.startswith(b"HTTP/1.1 200 ") and len(data) > 1000, data[:200])


@row("golden:half-close-run")
def half_close_of_a_process(c):
    """a half-closed main connection: the process runs on; its output is still delivered"""
    handle = c.create()
    process = c.start(handle, "sh", "-c", "sleep 0.5; echo still; exit 4")
    process.connection.shutdown(socket.SHUT_WR)
    process.stdout.expect("still")
    again = c.attach(handle, process.id)
    same(again.wait(), 4)


@row("golden:trace-header")
def headers_that_do_not_matter(c):
    """trace header, any Host, long but bounded headers"""
    c.garden.ask("GET", "/ping", lambda value: value == {}, extra=("X-Vcap-Request-Id: 3f0c", "X-Long: " + "y" * 60_000))
    same(parts(wire.exchange(c.garden.address, b"GET /ping HTTP/1.1\r\nHost: whatever\r\nConnection: close\r\n\r\n"))[0], b"HTTP/1.1 200 OK")


@row("golden:slow-but-whole")
def a_request_byte_by_byte(c):
    """a request that comes byte by byte is a request"""
    text = wire.request_text("PUT", "/containers/none/properties/k", b'{"value":"v"}\n', "application/json")
    with c.garden.address.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(text)):
            connection.sendall(text[at : at + 1])
            if at % 16 == 0:
                time.sleep(0.001)
        same(wire.read_answer(wire.Reader(connection)).status, 404)
