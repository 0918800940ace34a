"""HTTP/1.1 over a socket, byte by byte as Go's Garden client sends and reads it. Used by client.py, process.py and the rows.

What Go's reader would not take is an error here too (`Rejected`): a lenient client proves nothing (garden-api 1, 7.1).
"""

import json
import os
import socket
import time

IN_GUEST = "VM_GUEST" in os.environ
SLOWNESS = 6 if IN_GUEST else 1  # an emulated machine: bounds of ours grow with it
WAIT = 60.0 * SLOWNESS  # seconds without a byte after which a call counts as hung; the machine may be busy
HEADER_LIMIT = 1 << 20
TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Rejected(Exception):
    """An answer that Go's client does not accept."""


class Address:
    """tcp://HOST:PORT or unix:///PATH."""

    def __init__(self, text):
        self.text = text
        kind, _, rest = text.partition("://")
        if kind == "unix":
            self.family, self.place = socket.AF_UNIX, rest
        elif kind == "tcp":
            host, _, port = rest.rpartition(":")
            self.family, self.place = socket.AF_INET, (host, int(port))
        else:
            raise ValueError(f"{text}: not tcp://HOST:PORT or unix:///PATH")

    def connect(self, wait=WAIT):
        connection = socket.socket(self.family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        connection.settimeout(wait)
        try:
            connection.connect(self.place)
        except OSError:
            connection.close()
            raise
        return connection


def request_text(method, target, body=None, content_type=None, close=True, chunked=False, extra=()):
    """The header in the order and spelling of Go's writer, and the body when it is of known length."""
    lines = [f"{method} {target} HTTP/1.1", "Host: api", "User-Agent: Go-http-client/1.1"]
    if close:
        lines.append("Connection: close")
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif body is not None:
        lines.append(f"Content-Length: {len(body)}")
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    lines.extend(extra)
    if close:
        lines.append("Accept-Encoding: gzip")  # Go's transport adds it to ordinary calls only
    text = ("\r\n".join(lines) + "\r\n\r\n").encode()
    return text if chunked or body is None else text + body


class Reader:
    """Bytes of one connection, with what came too early kept."""

    def __init__(self, connection):
        self.connection = connection
        self.kept = b""

    def some(self):
        """Kept bytes, or the next ones; b"" at the end."""
        if self.kept:
            data, self.kept = self.kept, b""
            return data
        return self.connection.recv(65536)

    def exactly(self, count):
        out = bytearray()
        while len(out) < count:
            data = self.some()
            if not data:
                raise Rejected(f"unexpected EOF: {len(out)} of {count} bytes")
            out += data
        self.kept = bytes(out[count:]) + self.kept
        return bytes(out[:count])

    def line(self):
        out = bytearray()
        while b"\n" not in out:
            data = self.some()
            if not data:
                raise Rejected(f"unexpected EOF after {bytes(out)!r}" if out else "EOF")
            out += data
            if len(out) > HEADER_LIMIT and b"\n" not in out:
                raise Rejected("a line without an end")
        text, _, rest = bytes(out).partition(b"\n")
        self.kept = rest + self.kept
        return text[:-1] if text.endswith(b"\r") else text

    def rest(self):
        out = bytearray()
        while True:
            data = self.some()
            if not data:
                return bytes(out)
            out += data


class Answer:
    def __init__(self, status, version, headers):
        self.status, self.version, self.headers = status, version, headers
        self.body = b""
        self.complete = True  # False: a close-delimited body, whose end proves nothing

    def header(self, name):
        """All values of a header, joined as Go's Header.Get does not: a second one is a fault we want to see."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def chunked(self):
        return self.header("Transfer-Encoding").lower() == "chunked"

    @property
    def length(self):
        text = self.header("Content-Length")
        return int(text) if text else None

    @property
    def closes(self):
        """Go's shouldClose(): what makes the client give up a persistent connection."""
        words = [word.strip().lower() for word in self.header("Connection").split(",")]
        if self.version != (1, 1) or "close" in words:
            return True
        bodyless = self.status in (204, 304)
        return not (bodyless or self.chunked or self.length is not None)

    def json(self):
        return parse_json(self.body)


def _no_float(text):
    raise Rejected(f"cannot unmarshal number {text} into an integer")


def _members(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise Rejected(f"a member twice: {names}")
    return dict(pairs)


def go_json(value):
    """As Go's encoder writes: UTF-8, but for what HTML would take for markup (garden-api 4)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for special in "<>&\u2028\u2029":
        text = text.replace(special, f"\\u{ord(special):04x}")
    return text.encode()


DECODER = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float, object_pairs_hook=_members)


def parse_json(data):
    """The first value of the body; every number of this API is an integer (garden-api 4)."""
    try:
        text = data.decode()
        value, _ = DECODER.raw_decode(text.lstrip())
    except (UnicodeDecodeError, ValueError) as error:
        raise Rejected(f"{error}: {data[:200]!r}") from error
    return value


def read_header(reader):
    """The status line and header as net/http reads them."""
    line = reader.line()
    words = line.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or len(words[1]) != 3 or not words[1].isdigit():
        raise Rejected(f"malformed HTTP response {line[:100]!r}")
    major, _, minor = words[0][5:].partition(b".")
    if not (major.isdigit() and minor.isdigit()):
        raise Rejected(f"malformed HTTP version {words[0]!r}")
    headers = []
    while True:
        line = reader.line()
        if not line:
            break
        name, colon, value = line.partition(b":")
        if not colon or not name or not set(name) <= TOKEN:
            raise Rejected(f"malformed MIME header line {line[:100]!r}")
        headers.append((name.decode(), value.strip(b" \t").decode("latin-1")))
    answer = Answer(int(words[1]), (int(major), int(minor)), headers)
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    if len(lengths) > 1 or any(not value.isdigit() for value in lengths):
        raise Rejected(f"bad Content-Length {lengths}")
    coding = answer.header("Transfer-Encoding")
    if coding and coding.lower() != "chunked":
        raise Rejected(f"unsupported transfer encoding {coding!r}")
    if coding and lengths:
        raise Rejected("Content-Length beside Transfer-Encoding")
    if answer.header("Content-Encoding") not in ("", "identity"):
        raise Rejected(f"an encoding nobody asked for: {answer.header('Content-Encoding')}")
    return answer


def read_chunks(reader):
    """Pieces of a chunked body up to its end; Rejected when it ends early (the caller's read fails in Go, too)."""
    while True:
        line = reader.line()
        digits = line.partition(b";")[0].strip()
        if not digits or not set(digits) <= set(b"0123456789abcdefABCDEF") or len(digits) > 16:
            raise Rejected(f"invalid byte in chunk length {line[:40]!r}")
        size = int(digits, 16)
        if size == 0:
            while reader.line():
                pass  # trailers
            return
        yield reader.exactly(size)
        if reader.exactly(2) != b"\r\n":
            raise Rejected("malformed chunked encoding")


def read_body(reader, answer):
    if answer.status in (204, 304):
        return b""
    if answer.chunked:
        return b"".join(read_chunks(reader))
    if answer.length is not None:
        return reader.exactly(answer.length)
    answer.complete = False
    return reader.rest()


def read_answer(reader):
    answer = read_header(reader)
    answer.body = read_body(reader, answer)
    return answer


def call(address, method, target, body=None, content_type=None, extra=(), wait=WAIT):
    """An ordinary call: one connection, which the server closes after the answer."""
    with address.connect(wait) as connection:
        connection.sendall(request_text(method, target, body, content_type, extra=extra))
        reader = Reader(connection)
        answer = read_answer(reader)
        if reader.rest():
            raise Rejected("bytes after the answer of a connection that closes")
    return answer


def exchange(address, data, wait=WAIT, end=False):
    """Raw bytes out, raw bytes back until the server closes; `end`: half-close after sending."""
    with address.connect(wait) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        return Reader(connection).rest()


def poll(what, condition, wait=15.0, every=0.05):
    """Until the condition gives something true, which is returned; 15 s is the suite's own default."""
    end = time.monotonic() + wait * SLOWNESS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {wait:g} s for: {what}; last: {value!r}")
        time.sleep(every)
