"""What a row is, and how rows run: a table of small functions, eight at a time in random order. Used by conformance.py and the rows."""

import queue
import random
import shutil
import threading
import time
import traceback

import wire
from client import GardenError

# Features other people are building: a row that needs one and hears "not supported" is waiting, not failed.
# An entry goes when its feature is in; from then on the same answer fails the row.
WAITING = {}


class Skip(Exception):
    """The row does not apply here; the reason is counted and printed."""


class Test:
    def __init__(self, function, rows, server, alone, waits):
        self.function, self.rows, self.server, self.alone, self.waits = function, rows, server, alone, waits

    @property
    def title(self):
        return (self.function.__doc__ or self.function.__name__.replace("_", " ")).split("\n")[0]


TESTS = []


def row(*rows, server="plain", alone=False, waits=None):
    """`server`: plain, or compat where Garden's weaker habits are asked for; `alone`: after the others, with nothing beside it."""
    def take(function):
        TESTS.append(Test(function, rows, server, alone, waits))
        return function
    return take


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}, out {self.out[-1500:]!r}, err {self.err[-1500:]!r}"

    def ok(self):
        check(self.code == 0, f"{self}")
        return self.out


def check(condition, text="this must hold"):
    if not condition:
        raise AssertionError(text)


def same(value, wanted):
    check(value == wanted, f"{value!r} is not {wanted!r}")


def has(text, *parts):
    for part in parts:
        check(part in text, f"{part!r} is not in {text[-3000:]!r}")


def fails(text, call, *words, kind=None, **members):
    """The call fails with an error that has the text and the type."""
    try:
        call(*words, **members)
    except GardenError as error:
        if error.status == 501:
            raise
        has(str(error), text)
        check(kind is None or error.kind == kind, f"type {error.kind!r}, not {kind!r}: {error}")
        return error
    raise AssertionError(f"no error, but {text!r} was expected")


poll = wire.poll


class Case:
    """One running row: its containers, and the fixture every spec of the suite has (A.3)."""

    def __init__(self, server, host):
        self.server, self.host, self.garden = server, host, server.garden
        self.handles, self.processes = [], []

    def create(self, handle=None, **members):
        handle = self.garden.create(handle, **members)
        self.handles.append(handle)
        return handle

    def container(self, **members):
        """A container with alice in it."""
        handle = self.create(**members)
        self.add_user(handle, "alice")
        return handle

    def add_user(self, handle, name):
        self.sh(handle, f"id -u {name} || adduser -D {name}").ok()

    def start(self, handle, path, *args, **members):
        process = self.garden.start(handle, path, *args, **members)
        self.processes.append(process)
        return process

    def attach(self, handle, process, **members):
        process = self.garden.attach(handle, process, **members)
        self.processes.append(process)
        return process

    def run(self, handle, path, *args, **members):
        process = self.start(handle, path, *args, **members)
        code = process.wait()
        return Result(code, process.stdout.text, process.stderr.text)

    def sh(self, handle, script, **members):
        return self.run(handle, "sh", "-c", script, **members)

    def end(self):
        """After each spec: what List still shows must be destroyable."""
        for process in self.processes:
            process.close()
        left = set(self.garden.list_by({"garden.state": "all"}))
        for handle in self.handles:
            if handle in left:
                self.destroy(handle)

    def destroy(self, handle):
        """Also of a container whose grace time ends at this moment."""
        try:
            self.garden.destroy(handle)
        except GardenError as error:
            if error.kind != "ContainerNotFoundError" and str(error) != "container already being destroyed":
                raise
            poll("the end of the destroy of another", lambda: handle not in self.garden.list_by({"garden.state": "all"}))


class Outcome:
    def __init__(self, test):
        self.test, self.kind, self.text, self.seconds = test, "passed", "", 0.0


def run_one(test, host):
    outcome = Outcome(test)
    start = time.monotonic()
    case = None
    try:
        case = Case(host.server(test.server), host)
        test.function(case)
    except Skip as reason:
        outcome.kind, outcome.text = "skipped", str(reason)
    except GardenError as error:
        if error.status == 501 and test.waits in WAITING:
            outcome.kind, outcome.text = "skipped", f"waiting: {WAITING[test.waits]}"
        else:
            outcome.kind, outcome.text = "failed", f"{error.kind or 'error'} {error.status}: {traceback.format_exc(limit=-4)}"
    except Exception:  # noqa: BLE001  whatever a row raises is its failure, not the end of the run
        outcome.kind, outcome.text = "failed", traceback.format_exc(limit=-6)
    try:
        if case is not None:
            case.end()
    except Exception:  # noqa: BLE001
        outcome.text += "\nafter the row: " + traceback.format_exc(limit=-4)
        outcome.kind = "failed"
    outcome.seconds = time.monotonic() - start
    return outcome


def run_all(tests, host, seed, workers, say):
    """Everything that may run beside others first, then the rest one by one. Gives the outcomes."""
    order = random.Random(seed)
    crowd = [test for test in tests if not test.alone]
    order.shuffle(crowd)
    waiting, outcomes = queue.Queue(), []
    for test in crowd:
        waiting.put(test)

    def work():
        while True:
            try:
                test = waiting.get_nowait()
            except queue.Empty:
                return
            outcomes.append(say(run_one(test, host)))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rest = [test for test in tests if test.alone]
    order.shuffle(rest)
    for test in rest:
        outcomes.append(say(run_one(test, host)))
    return outcomes


def need(condition, reason):
    if not condition:
        raise Skip(reason)


def need_program(name):
    need(shutil.which(name), f"no {name} on this host")
