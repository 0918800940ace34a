"""Rows of lifecycle about StreamIn and StreamOut, and early errors (garden-api 8.1)."""

import io
import socket
import tarfile

import wire
from client import JSON, query_text
from harness import check, fails, has, row, same
from images import PING_CAPABILITY, Layer


def archive(**files):
    layer = Layer()
    for name, data in files.items():
        layer.file(name.replace("__", "/"), data)
    return layer.tar()


def some_file():
    layer = Layer()
    layer.directory("some-temp-dir").file("some-temp-dir/some-temp-file", b"some-body")
    return layer.tar()


def tar_names(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [member.name + ("/" if member.isdir() else "") for member in tar]


@row("lifecycle:1221")
def extended_attributes(c):
    """security.capability survives StreamIn as root, and is on the image's own ping"""
    handle = c.container(image="docker:///cloudfoundry/garden-fuse")
    c.garden.stream_in(handle, Layer().file("capable", b"x", mode=0o755, xattrs={"security.capability": PING_CAPABILITY}).tar(),
                       user="root", destination="/tmp")
    for path in ("/tmp/capable", "/usr/bin/ping"):
        done = c.run(handle, "/usr/bin/getfattr", "-n", "security.capability", "-e", "hex", path)
        has(done.ok(), "security.capability=0x" + PING_CAPABILITY.hex())
        check("No such" not in done.err, done.err)


@row("lifecycle:1256")
def stream_in_as_alice(c):
    """StreamIn as alice: hers, with her group"""
    handle = c.container()
    c.garden.stream_in(handle, some_file(), user="alice", destination="/home/alice")
    c.run(handle, "test", "-f", "/home/alice/some-temp-dir/some-temp-file").ok()
    listed = c.run(handle, "ls", "-al", "/home/alice/some-temp-dir/some-temp-file").ok().split()
    same(listed[2:4], ["alice", "alice"])


@row("lifecycle:1300")
def stream_in_as_root(c):
    """StreamIn without a user: root's"""
    handle = c.container()
    c.garden.stream_in(handle, some_file(), destination="/home/alice")
    listed = c.run(handle, "ls", "-al", "/home/alice/some-temp-dir/some-temp-file").ok().split()
    same(listed[2], "root")  # the group is the directory's, which is SGID


@row("lifecycle:1320")
def stream_in_to_the_top(c):
    """StreamIn to /, chunked and with a length"""
    handle = c.container()
    for chunked in (True, False):
        c.garden.stream_in(handle, some_file(), user="root", destination="/", chunked=chunked)
    same(c.run(handle, "cat", "/some-temp-dir/some-temp-file").ok(), "some-body")


@row("lifecycle:1330")
def stream_in_of_an_unknown_user(c):
    """StreamIn as an unknown user"""
    fails("error streaming in", c.garden.stream_in, c.container(), some_file(), user="batman", destination="/home/alice")


@row("lifecycle:1348")
def stream_in_without_permission(c):
    """bob may not write into alice's home"""
    handle = c.container()
    c.add_user(handle, "bob")
    fails("Permission denied", c.garden.stream_in, handle, some_file(), user="bob", destination="/home/alice")


@row("lifecycle:1369", "lifecycle:1387")
def stream_in_relative(c):
    """a relative destination is the user's home, privileged or not"""
    for privileged in (True, False):
        handle = c.container(privileged=privileged)
        c.garden.stream_in(handle, some_file(), user="alice", destination=".")
        c.run(handle, "test", "-f", "some-temp-dir/some-temp-file", user="alice").ok()


@row("lifecycle:1415")
def stream_in_of_a_truncated_archive(c):
    """10 bytes are no archive"""
    fails("", c.garden.stream_in, c.container(), some_file()[:10], user="alice", destination="/home/alice/no/such/dir")


@row("lifecycle:1429")
def stream_out_of_a_directory(c):
    """StreamOut of a directory, as alice and without a user"""
    handle = c.container()
    c.sh(handle, "mkdir -p some-outer-dir/some-inner-dir && touch some-outer-dir/some-inner-dir/some-file", user="alice").ok()
    for user, source in (("alice", "some-outer-dir/some-inner-dir"), ("", "/home/alice/some-outer-dir/some-inner-dir")):
        same(tar_names(c.garden.stream_out(handle, source, user)), ["some-inner-dir/", "some-inner-dir/some-file"])


@row("lifecycle:1490")
def stream_out_with_a_trailing_slash(c):
    """with a trailing slash the entries are ./ and ./some-file"""
    handle = c.container()
    c.sh(handle, "mkdir -p some-container-dir && touch some-container-dir/some-file", user="alice").ok()
    same(tar_names(c.garden.stream_out(handle, "some-container-dir/", "alice")), ["./", "./some-file"])


@row("api:8.2-missing")
def stream_out_of_what_is_missing(c):
    """a missing source is an error, not an empty archive"""
    fails("", c.garden.stream_out, c.create(), "/no/such/file")


@row("api:8.1-stopped")
def files_of_a_stopped_container(c):
    """files are streamed in and out of a stopped container"""
    handle = c.create()
    c.garden.stop(handle)
    c.garden.stream_in(handle, archive(kept=b"x"), destination="/tmp")
    same(tar_names(c.garden.stream_out(handle, "/tmp/kept")), ["kept"])


@row("api:8.1-directories")
def stream_in_makes_directories(c):
    """missing directories are made, the user's, mode 0755; those that are there stay"""
    handle = c.container()
    before = c.run(handle, "stat", "-c", "%U %a", "/tmp").ok()
    c.garden.stream_in(handle, archive(file=b"x"), user="alice", destination="/tmp/new/deep")
    same(c.run(handle, "stat", "-c", "%U %a", "/tmp/new", "/tmp/new/deep").ok(), "alice 755\nalice 755\n")
    same(c.run(handle, "stat", "-c", "%U %a", "/tmp").ok(), before)


def early_error(c, handle, chunked):
    """Sends on and on to a call that fails at once; gives the answer as a client finds it, or None when it is lost."""
    target = f"/containers/{handle}/files?" + query_text({"user": "batman", "destination": "/"})
    data = Layer().file("big", b"x" * (1 << 20)).tar()
    with c.garden.address.connect() as connection:
        reader = wire.Reader(connection)
        connection.sendall(wire.request_text("PUT", target, data, "application/x-tar", chunked=chunked))
        try:
            if chunked:
                for _ in range(8):
                    for at in range(0, len(data), 32768):
                        piece = data[at : at + 32768]
                        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                connection.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # the server has closed: the answer must still be readable
        try:
            return wire.read_answer(reader)
        except (OSError, wire.Rejected):
            return None


@row("api:8.1-early")
def early_errors_arrive(c):
    """an error that comes before the body has ended arrives in 40 of 40"""
    handle = c.create()
    answers = [early_error(c, handle, chunked) for chunked in [True, False] * 20]
    lost = sum(1 for answer in answers if answer is None)
    same(lost, 0)
    check(all(answer.status >= 400 and b"error streaming in" in answer.body for answer in answers))


@row("api:8.1-early-json")
def early_errors_of_json_calls_arrive(c):
    """an answer to a body nobody reads (unknown path, too large) arrives"""
    for method, target, status in (("POST", "/nowhere", 404), ("POST", "/ping", 405)):
        for _ in range(10):
            with c.garden.address.connect() as connection:
                try:
                    connection.sendall(wire.request_text(method, target, b"x" * 3_000_000, JSON))
                except OSError:
                    pass
                same(wire.read_answer(wire.Reader(connection)).status, status)


@row("api:8.1-aborted")
def a_body_that_ends_early_is_no_archive(c):
    """a body without its last chunk: nothing is taken for complete, the daemon goes on"""
    handle = c.create()
    target = f"/containers/{handle}/files?" + query_text({"user": "", "destination": "/tmp/cut"})
    data = Layer().file("one", b"1" * 5000).file("two", b"2" * 5000).tar()
    with c.garden.address.connect() as connection:
        connection.sendall(wire.request_text("PUT", target, data, "application/x-tar", chunked=True))
        connection.sendall(b"%x\r\n%s\r\n" % (6000, data[:6000]))
        connection.shutdown(socket.SHUT_WR)
        rest = wire.Reader(connection).rest()
    check(b" 200 " not in rest.split(b"\r\n")[0] + b" ", rest)
    c.garden.stream_in(handle, archive(after=b"x"), destination="/tmp")


@row("api:8.2-early-close")
def a_reader_that_leaves_stops_the_producer(c):
    """a client that leaves in the middle of StreamOut stops the producer"""
    handle = c.create()
    c.sh(handle, "head -c 30000000 /dev/zero > /tmp/big").ok()
    for _ in range(5):
        with c.garden.address.connect() as connection:
            connection.sendall(wire.request_text("GET", f"/containers/{handle}/files?" + query_text({"user": "", "source": "/tmp/big"})))
            same(len(wire.Reader(connection).exactly(5000)), 5000)
    c.garden.ping()
    c.garden.destroy(handle)  # nothing of the container is held
