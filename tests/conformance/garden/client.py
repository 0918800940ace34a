"""The 28 calls of the Garden API as the Go client makes them, and what it gives its caller. Used by the rows."""

import urllib.parse

import shapes
import wire
from process import HijackRefused, Process, hijack

JSON = "application/json"


class GardenError(Exception):
    """What a Go caller sees: `kind` is the type's name ("" for a plain error), the text is error.Error()."""

    def __init__(self, kind, text, status):
        super().__init__(text)
        self.kind, self.status = kind, status


def error_of(answer):
    """The error envelope, which has exactly five members; the client rebuilds the texts of the two not-found types."""
    try:
        envelope = answer.json()
        shapes.check(envelope, shapes.ERROR)
    except wire.Rejected as fault:
        raise wire.Rejected(f"bad response: {answer.status} {answer.body!r}: {fault}") from fault
    kind, text = envelope["Type"], envelope["Message"]
    if kind == "ContainerNotFoundError":
        text = "unknown handle: " + envelope["Handle"]
    elif kind == "ProcessNotFoundError":
        text = "unknown process: " + envelope["ProcessID"]
    return GardenError(kind, text, answer.status)


def escaped(part):
    """Go's url.PathEscape leaves `/` of a parameter alone on this route table (garden-api 2)."""
    return urllib.parse.quote(part, safe="/+:@&=$")


def query_text(pairs):
    return urllib.parse.urlencode(sorted(pairs.items()))  # url.Values.Encode sorts


def image_of(image):
    return {"uri": image} if isinstance(image, str) and image else dict(image or {})


def container_spec(handle=None, image=None, limits=None, **members):
    """The nested objects are always sent, zero members never."""
    spec = {"image": image_of(image), "limits": {
        f"{name}_limits": (limits or {}).get(name, {}) for name in ("bandwidth", "cpu", "disk", "memory", "pid")}}
    if handle:
        spec["handle"] = handle
    spec.update({name: value for name, value in members.items() if value})
    return spec


def process_spec(path, args=(), image=None, rlimits=None, limits=None, tty=None, **members):
    spec = {"path": path, "rlimits": rlimits or {}, "image": image_of(image)}
    if args:
        spec["args"] = list(args)
    if limits is not None:
        spec["limits"] = limits
    if tty is not None:
        spec["tty"] = tty
    spec.update({name: value for name, value in members.items() if value})
    return spec


class Garden:
    def __init__(self, address):
        self.address = address

    # One ordinary call.

    def ask(self, method, target, shape, body=None, extra=(), wait=wire.WAIT):
        data = None if body is None else wire.go_json(body) + b"\n"
        answer = wire.call(self.address, method, target, data, JSON if data is not None else None, extra, wait)
        if not 200 <= answer.status < 300:
            raise error_of(answer)
        value = answer.json()
        shapes.check(value, shape)
        return value

    def ping(self, wait=wire.WAIT):
        self.ask("GET", "/ping", shapes.nothing, wait=wait)

    def capacity(self):
        return self.ask("GET", "/capacity", shapes.CAPACITY)

    def list(self, **filters):
        return self.list_by(filters)

    def list_by(self, filters):
        target = "/containers" + ("?" + query_text(filters) if filters else "")
        return self.ask("GET", target, shapes.HANDLES)["Handles"] or []

    def lookup(self, handle):
        """There is no such call: the client searches in List."""
        return handle in self.list()

    def create(self, handle=None, **members):
        return self.ask("POST", "/containers", shapes.HANDLE, container_spec(handle, **members), wait=180)["Handle"]

    def create_from(self, spec):
        return self.ask("POST", "/containers", shapes.HANDLE, spec, wait=180)["Handle"]

    def destroy(self, handle):
        self.ask("DELETE", f"/containers/{escaped(handle)}", shapes.nothing)

    def stop(self, handle, kill=False):
        self.ask("PUT", f"/containers/{escaped(handle)}/stop", shapes.nothing, {"kill": kill})

    def info(self, handle):
        return self.ask("GET", f"/containers/{escaped(handle)}/info", shapes.INFO)

    def metrics(self, handle):
        return self.ask("GET", f"/containers/{escaped(handle)}/metrics", shapes.METRICS)

    def bulk_info(self, *handles):
        return self.ask("GET", "/containers/bulk_info?" + query_text({"handles": ",".join(handles)}), shapes.BULK_INFO)

    def bulk_metrics(self, *handles):
        return self.ask("GET", "/containers/bulk_metrics?" + query_text({"handles": ",".join(handles)}), shapes.BULK_METRICS)

    def limits(self, handle, which):
        shape = {"bandwidth": shapes.BANDWIDTH, "cpu": shapes.CPU, "disk": shapes.DISK, "memory": shapes.MEMORY}[which]
        return self.ask("GET", f"/containers/{escaped(handle)}/limits/{which}", shape)

    def properties(self, handle):
        return self.ask("GET", f"/containers/{escaped(handle)}/properties", shapes.text_map)

    def property(self, handle, key):
        return self.ask("GET", f"/containers/{escaped(handle)}/properties/{escaped(key)}", shapes.VALUE)["value"]

    def set_property(self, handle, key, value):
        self.ask("PUT", f"/containers/{escaped(handle)}/properties/{escaped(key)}", shapes.nothing, {"value": value})

    def remove_property(self, handle, key):
        self.ask("DELETE", f"/containers/{escaped(handle)}/properties/{escaped(key)}", shapes.nothing)

    def set_grace_time(self, handle, nanoseconds):
        self.ask("PUT", f"/containers/{escaped(handle)}/grace_time", shapes.nothing, nanoseconds)

    def net_in(self, handle, host_port, container_port):
        request = {"handle": handle, "host_port": host_port, "container_port": container_port}
        answer = self.ask("POST", f"/containers/{escaped(handle)}/net/in", shapes.NET_IN,
                          {name: value for name, value in request.items() if value})
        return answer.get("host_port", 0), answer.get("container_port", 0)

    def net_out(self, handle, rule):
        self.ask("POST", f"/containers/{escaped(handle)}/net/out", shapes.nothing, rule)

    def bulk_net_out(self, handle, rules):
        target = f"/containers/{escaped(handle)}/net/out/bulk"
        if rules is None:  # a nil slice is the word null, which ask() has no way to say
            answer = wire.call(self.address, "POST", target, b"null\n", JSON)
            if answer.status != 200 or answer.json() != {}:
                raise error_of(answer)
            return
        self.ask("POST", target, shapes.nothing, rules)

    # Files.

    def stream_in(self, handle, data, user="", destination="", chunked=True):
        """`data`: bytes, sent chunked as the client does with any stream; half the answers come before its end."""
        target = f"/containers/{escaped(handle)}/files?" + query_text({"user": user, "destination": destination})
        with self.address.connect() as connection:
            reader = wire.Reader(connection)
            head = wire.request_text("PUT", target, data, "application/x-tar", chunked=chunked)
            try:
                connection.sendall(head)
                if chunked:
                    for at in range(0, len(data), 32768):
                        piece = data[at : at + 32768]
                        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                    connection.sendall(b"0\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                pass  # an early answer; it must be there to read all the same (8.1)
            answer = wire.read_answer(reader)
        if not 200 <= answer.status < 300:
            raise error_of(answer)

    def stream_out(self, handle, source, user=""):
        target = f"/containers/{escaped(handle)}/files?" + query_text({"user": user, "source": source})
        answer = wire.call(self.address, "GET", target)
        if answer.status != 200:
            raise error_of(answer)
        return answer.body

    # Processes.

    def start(self, handle, path, *args, outputs=("stdout", "stderr"), **members):
        """Run, without waiting for the end."""
        body = wire.go_json(process_spec(path, args, **members)) + b"\n"
        return self._hijacked(handle, "POST", f"/containers/{escaped(handle)}/processes", body, outputs, 201)

    def attach(self, handle, process, outputs=("stdout", "stderr")):
        return self._hijacked(handle, "GET", f"/containers/{escaped(handle)}/processes/{escaped(process)}", None, outputs, 200)

    def _hijacked(self, handle, method, target, body, outputs, status):
        try:
            connection, reader, answer = hijack(self.address, method, target, body, JSON if body else None)
        except HijackRefused as refused:
            raise error_of(refused.answer) from None
        if answer.status != status:
            connection.close()
            raise wire.Rejected(f"{method} {target}: {answer.status}, not {status}")
        return Process(self.address, handle, connection, reader, outputs)

    # What is not Garden's: our own server says whether anything is left over.

    def doctor(self):
        """The orphans, or None when the server has no such call."""
        answer = wire.call(self.address, "GET", "/cloche/v1/doctor")
        return answer.json()["orphans"] if answer.status == 200 else None
