"""A process as Go's client holds one: the hijacked main connection, and a connection for each output wanted (garden-api 7).

Used by client.py. Threads read, so that no output is ever left in a socket.
"""

import threading
import time

import wire

TERMINATE, KILL = 0, 1


class Output:
    """What came on one output connection so far."""

    def __init__(self):
        self.data = bytearray()
        self.ended = False
        self.error = None
        self.changed = threading.Condition()

    def take(self, data):
        with self.changed:
            self.data += data
            self.changed.notify_all()

    def end(self, error=None):
        with self.changed:
            self.ended, self.error = True, error
            self.changed.notify_all()

    @property
    def text(self):
        with self.changed:
            return self.data.decode(errors="replace")

    def expect(self, needle, wait=15.0):
        """Waits until `needle` (str) is in what came."""
        end = time.monotonic() + wait * wire.SLOWNESS
        with self.changed:
            while needle.encode() not in self.data:
                left = end - time.monotonic()
                if left <= 0 or self.ended:
                    raise AssertionError(f"{needle!r} did not come within {wait:g} s; came: {bytes(self.data[-2000:])!r}")
                self.changed.wait(left)

    def finish(self, wait):
        with self.changed:
            if not self.changed.wait_for(lambda: self.ended, wait):
                raise AssertionError("the output connection stays open after the exit status")
            if self.error:
                raise self.error


class Process:
    def __init__(self, address, handle, connection, reader, outputs):
        self.address, self.handle = address, handle
        self.connection, self.reader = connection, reader
        self.messages = Messages(reader)
        first = self.messages.next()
        self.id, self.stream_id = first.get("process_id"), first.get("stream_id")
        if not isinstance(self.id, str) or not isinstance(self.stream_id, str) or "/" in self.stream_id:
            raise wire.Rejected(f"first message: {first}")  # a number fails Go's client
        if set(first) != {"process_id", "stream_id"}:
            raise wire.Rejected(f"first message with more: {first}")
        self.stdout, self.stderr = Output(), Output()
        self.connections, self.opened, self.threads = [], [], []
        for name in outputs:  # stdout first: the order in which the client opens them
            self._open(name, getattr(self, name))
        self.status = None
        self.error = None
        self.done = threading.Event()
        self._start(self._read_main)

    def _start(self, work, *words):
        thread = threading.Thread(target=work, args=words, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _open(self, name, output):
        target = f"/containers/{self.handle}/processes/{self.id}/attaches/{self.stream_id}/{name}"
        connection, reader, _ = hijack(self.address, "GET", target, content_type="application/json")
        connection.settimeout(None)
        self.connections.append(connection)
        self.opened.append(output)
        self._start(self._read_output, reader, output)

    @staticmethod
    def _read_output(reader, output):
        try:
            while True:
                data = reader.some()
                if not data:
                    break
                output.take(data)
            output.end()
        except OSError as error:
            output.end(error)

    def _read_main(self):
        try:
            self.connection.settimeout(None)
            while self.status is None and self.error is None:
                message = self.messages.next()
                if message.get("error"):
                    self.error = AssertionError(f"connection: process error: {message['error']}")
                elif "exit_status" in message:
                    if not isinstance(message["exit_status"], int):
                        raise wire.Rejected(f"exit_status: {message}")
                    self.status = message["exit_status"]
        except (OSError, wire.Rejected) as error:
            self.error = AssertionError(f"connection: decode failed: {error}")
        finally:
            self.done.set()
            self.connection.close()  # the client does so at once

    def send(self, message):
        self.connection.sendall(wire.go_json({"process_id": self.id, **message}) + b"\n")

    def write(self, data):
        self.send({"source": 0, "data": data})

    def close_stdin(self):
        self.send({"source": 0})

    def signal(self, number):
        self.send({"signal": number})

    def resize(self, columns, rows):
        self.send({"tty": {"window_size": {"columns": columns, "rows": rows}}})

    def wait(self, wait=wire.WAIT):
        """The exit status, once both outputs have ended: what Go's Wait() gives."""
        if not self.done.wait(wait):
            raise AssertionError(f"no exit status within {wait:g} s; out: {self.stdout.text[-500:]!r} err: {self.stderr.text[-500:]!r}")
        if self.error:
            raise self.error
        for output in self.opened:
            output.finish(wait)
        return self.status

    def close(self):
        """The caller goes away; the process stays."""
        for connection in [self.connection, *self.connections]:
            try:
                connection.shutdown(2)
            except OSError:
                pass  # ended already
        for thread in self.threads:
            thread.join(10)
        for connection in [self.connection, *self.connections]:
            connection.close()


class Messages:
    """A stream of JSON values; newlines are not relied upon (7.2)."""

    def __init__(self, reader):
        self.reader = reader
        self.text = b""

    def next(self):
        while True:
            stripped = self.text.lstrip()
            if stripped:
                try:
                    value, end = wire.DECODER.raw_decode(stripped.decode())
                    self.text = stripped.decode()[end:].encode()
                    if not isinstance(value, dict):
                        raise wire.Rejected(f"not an object: {value!r}")
                    return value
                except ValueError:
                    pass  # not whole yet
            data = self.reader.some()
            if not data:
                raise wire.Rejected("unexpected EOF" if stripped else "EOF")
            self.text = stripped + data


def hijack(address, method, target, body=None, content_type=None, wait=wire.WAIT):
    """(connection, reader, answer): the raw socket after a header that Go's hijack takes. Errors of the server: HijackRefused."""
    connection = address.connect(wait)
    try:
        connection.sendall(wire.request_text(method, target, body, content_type, close=False))
        reader = wire.Reader(connection)
        answer = wire.read_header(reader)
        if answer.closes:
            raise wire.Rejected(f"persistent connection closed: {answer.status} {answer.headers}")
        if not 200 <= answer.status < 300:
            answer.body = wire.read_body(reader, answer)
            raise HijackRefused(answer)
        return connection, reader, answer
    except BaseException:
        connection.close()
        raise


class HijackRefused(Exception):
    def __init__(self, answer):
        super().__init__(f"Backend error: Exit status: {answer.status}, Body: {answer.body!r}")
        self.answer = answer
