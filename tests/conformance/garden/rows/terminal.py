"""Rows of lifecycle about terminals."""

import re

from harness import check, has, row, same

SIZE = {"window_size": {"columns": 123, "rows": 456}}


@row("lifecycle:667")
def terminal_output_is_complete(c):
    """100 times: 48 KB through a terminal arrive whole"""
    handle = c.container()
    for _ in range(100):
        done = c.sh(handle, "i=1; seq -s ' ' 1 10000", user="alice", tty={})
        same(done.code, 0)
        check(done.out.rstrip().endswith("9999 10000"), done.out[-200:])
        same(len(done.out.split()), 10000)


@row("lifecycle:810", "lifecycle:839")
def terminal_size(c):
    """default and given size of the terminal"""
    handle = c.container()
    for tty, wanted in (({}, "rows 24; columns 80;"), (SIZE, "rows 456; columns 123;")):
        process = c.start(handle, "sh", "-c", "stty -a", user="alice", tty=tty)
        process.stdout.expect(wanted, 15)
        same(process.wait(), 0)


@row("lifecycle:873")
def terminal_newlines(c):
    """a terminal turns newlines into CR LF; stderr stays empty"""
    done = c.sh(c.container(), "printf 'new\\nline'; echo more >&2", user="alice", tty={})
    has(done.out, "new\r\nline", "more\r\n")
    same(done.err, "")


@row("lifecycle:898")
def terminal_resize(c):
    """a resize is signalled and seen"""
    script = "trap 'stty -a; echo seen-it' WINCH; echo ready; while ! read -t 1 line; do :; done; [ \"$line\" = ok ]"
    process = c.start(c.container(), "sh", "-c", script, user="alice", tty={})
    process.stdout.expect("ready")
    process.resize(123, 456)
    process.stdout.expect("rows 456; columns 123;")
    process.stdout.expect("seen-it")
    process.write("ok\n")
    same(process.wait(), 0)


@row("lifecycle:954")
def terminal_with_two_clients(c):
    """both clients of a terminal get everything on stdout"""
    handle = c.container()
    script = "read line; for i in 1 2 3 4 5; do echo $i; echo $i >&2; done"
    process = c.start(handle, "sh", "-c", script, user="alice", tty=SIZE)
    attached = c.attach(handle, process.id)
    process.write("ok\n")
    for each in (process, attached):
        same(each.wait(), 0)
        check(re.fullmatch(r"(ok\r\n)?1\r\n1\r\n2\r\n2\r\n3\r\n3\r\n4\r\n4\r\n5\r\n5\r\n", each.stdout.text), repr(each.stdout.text))
        same(each.stderr.text, "")
