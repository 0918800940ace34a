"""Rows of lifecycle about inputs and outputs of processes."""

from harness import check, has, row, same


@row("lifecycle:301")
def stdin_can_be_reopened(c):
    """/dev/stdin is readable by alice, interactive, and ends"""
    process = c.start(c.container(), "sh", "-c", "cat < /dev/stdin", user="alice")
    process.write("Hello")
    process.stdout.expect("Hello")
    process.close_stdin()
    same(process.wait(), 0)


@row("lifecycle:331", "lifecycle:345")
def outputs_can_be_reopened(c):
    """/dev/stdout and /dev/stderr can be reopened by alice"""
    handle = c.container()
    same(c.sh(handle, "echo potato > /dev/stdout", user="alice").ok(), "potato\n")
    done = c.sh(handle, "echo cake > /dev/stderr", user="alice")
    same((done.code, done.err), (0, "cake\n"))


@row("lifecycle:410")
def both_clients_get_all_output(c):
    """the runner and an attached client both get complete outputs"""
    handle = c.container()
    script = "while [ ! -e /tmp/go ]; do sleep 0.05; done; for i in $(seq 1 10); do echo $i; echo $i >&2; done"
    process = c.start(handle, "sh", "-c", script, user="alice")
    attached = c.attach(handle, process.id)
    c.sh(handle, "touch /tmp/go").ok()
    wanted = "".join(f"{number}\n" for number in range(1, 11))
    for each in (process, attached):
        same(each.wait(), 0)
        same((each.stdout.text, each.stderr.text), (wanted, wanted))


@row("lifecycle:689")
def output_is_complete(c):
    """100 times: output of a process that exits at once is complete when Wait returns"""
    handle = c.container()
    for _ in range(100):
        same(c.sh(handle, "echo hi stdout; echo hi stderr >&2", user="alice").out, "hi stdout\n")


@row("lifecycle:723")
def stdin_streams(c):
    """stdin comes back while it is open; its end ends cat"""
    process = c.start(c.container(), "sh", "-c", "cat <&0", user="alice")
    process.write("hello\nwor")
    process.write("ld")
    process.stdout.expect("hello\nworld")
    process.close_stdin()
    same(process.wait(), 0)


@row("lifecycle:772")
def unread_stdin_loses_no_code(c):
    """10 times: a process that ignores 1 KiB of stdin"""
    handle = c.container()
    for _ in range(10):
        process = c.start(handle, "ls", user="alice")
        try:
            for _ in range(4):
                process.write("x" * 256)
            process.close_stdin()
        except OSError:
            pass  # ended already, and the code must have come all the same
        same(process.wait(), 0)


@row("api:7.2-escapes")
def stdin_is_text(c):
    """stdin travels as JSON text: escapes, UTF-8, a large piece"""
    process = c.start(c.create(), "cat")
    text = "<tag> & \u2028 \u00e4\u20ac\U0001f33f \\ \" \x01\x7f\x00 end"
    process.write(text)
    process.stdout.expect(text)
    process.write("y" * 200_000)
    process.send({"source": 1, "data": "any source is stdin"})
    process.send({"frobnicate": 1})
    process.send({"tty": {}})
    process.write("after what is unknown")
    process.close_stdin()
    same(process.wait(), 0)
    has(process.stdout.text, "y" * 200_000 + "any source is stdin" + "after what is unknown")


@row("api:7.2-signal-after-eof")
def signals_after_the_end_of_stdin(c):
    """signals are taken after the end of stdin, and for a process that has ended they are nothing"""
    process = c.start(c.create(), "sh", "-c", "trap 'exit 9' TERM; cat; echo at-end; while true; do sleep 0.1; done")
    process.close_stdin()
    process.stdout.expect("at-end")
    process.signal(7)  # unknown: ignored
    process.signal(0)
    same(process.wait(), 9)


@row("api:7.3-no-readers")
def outputs_nobody_wants(c):
    """a process with much output that nobody reads is not held up"""
    handle = c.create()
    process = c.start(handle, "sh", "-c", "head -c 20000000 /dev/zero; exit 3", outputs=())
    same(process.wait(), 3)


@row("api:7.3-late")
def outputs_wait_for_late_readers(c):
    """output from before the client connects is kept, also after the process has ended"""
    import time

    from process import Output, Process, hijack
    handle = c.create()
    process = c.start(handle, "sh", "-c", "echo early; echo err >&2", outputs=())
    same(process.wait(), 0)
    time.sleep(1)
    for name, wanted in (("stdout", "early\n"), ("stderr", "err\n")):
        target = f"/containers/{handle}/processes/{process.id}/attaches/{process.stream_id}/{name}"
        connection, reader, answer = hijack(c.garden.address, "GET", target, content_type="application/json")
        with connection:
            same(answer.status, 200)
            output = Output()
            Process._read_output(reader, output)
            same(output.text, wanted)


@row("api:7.3-unknown-stream")
def an_unknown_stream_is_empty(c):
    """an unknown stream id: 200 and the end"""
    from process import hijack
    handle = c.create()
    connection, reader, answer = hijack(c.garden.address, "GET", f"/containers/{handle}/processes/p/attaches/4711/stdout",
                                        content_type="application/json")
    with connection:
        same(answer.status, 200)
        same(reader.rest(), b"")


@row("api:7.3-binary")
def outputs_are_bytes(c):
    """outputs are not framed and binary safe"""
    process = c.start(c.create(), "sh", "-c", "i=0; while [ $i -lt 256 ]; do printf \"\\\\$(printf %03o $i)\"; i=$((i+1)); done")
    same(process.wait(), 0)
    check(bytes(process.stdout.data) == bytes(range(256)), bytes(process.stdout.data))


@row("api:7.4-disconnect")
def a_process_outlives_its_client(c):
    """the client goes, the process stays and can be attached to"""
    handle = c.create()
    process = c.start(handle, "sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.05; done; echo after; exit 5")
    process.close()
    again = c.attach(handle, process.id)
    c.sh(handle, "touch /tmp/go").ok()
    same(again.wait(), 5)
    has(again.stdout.text, "after")
