"""The cell: a celld above a gardend of its own, measured by its API, its log lines and /proc. Used by run --cell.

One clock: log lines and answers are both stamped by this machine's wall clock, so a start can be divided into its parts.
"""

import concurrent.futures
import glob
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{os.path.dirname(HERE)}/e2e/cell")
from cell import Cell, Stream, wait_for  # noqa: E402
from table import verdict  # noqa: E402

PARTS = ("starts", "burst", "logs", "checks", "rounds")
HOLD = 249  # a cell's default of 250 keeps one for its own check of the backend
SIZE = {"memory_mb": 8, "disk_mb": 8}
FLAGS = ("--rep-listen", "tcp://127.0.0.1:0", "--garden-check-interval", "1h", "--log-level", "warning", "--bulk-interval", "30s")

LINE = "x" * 100
# As many at once as fill what is kept for "recent", then ten lines a second: one process for each second, as the shell's sleep is one.
TALKER = (f"i=0; while [ $i -lt 600 ]; do echo {LINE}; i=$((i+1)); done; "
          f"while :; do i=0; while [ $i -lt 10 ]; do echo {LINE}; i=$((i+1)); done; sleep 1; done")
SERVER = "echo ok > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"


class Running:
    """Which containers have run, by their events. Each event is looked at once: who waits costs little of what it measures."""

    def __init__(self, stream):
        self.stream, self.at, self.guids = stream, 0, set()

    def count(self):
        end = len(self.stream.events)
        self.guids.update(data["container"]["guid"] for name, data in self.stream.events[self.at:end] if name == "container_running")
        self.at = end
        return len(self.guids)


class Bench:
    def __init__(self, build, work):
        os.chmod(os.path.dirname(work), 0o755)
        self.cell = Cell(f"{build}/bin", shutil.which("busybox"), tag="cb", pool="10.213.0.0/20", words=FLAGS, parent=work)
        depot = f"{self.cell.home}/garden"
        os.mkdir(depot)
        subprocess.run(["mount", "-t", "tmpfs", "depot", depot], check=True)  # as /run is
        self.cell.start()
        time.sleep(1)  # prepared seats have interfaces
        self.interfaces = len(socket.if_nameindex())

    def stop(self):
        self.cell.stop()

    def allocate(self, guids, **size):
        answer = self.cell.call("POST", "/containers", [{"guid": guid, **SIZE, **size} for guid in guids])
        assert answer.status == 200 and answer.json() == {}, answer.body

    def run(self, guid, script, **fields):
        answer = self.cell.call("POST", f"/containers/{guid}/run", self.cell.recipe(script, **fields))
        assert answer.status == 201, answer.body

    def fill(self, prefix, script, count=HOLD, **fields):
        """`count` containers at once; the seconds until all run, and how many did not."""
        guids = [f"{prefix}-{number}" for number in range(count)]
        events = Stream(self.cell.socket, "/events")
        running = Running(events)
        self.allocate(guids)
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda guid: self.run(guid, script, **fields), guids))
        try:
            wait_for("all containers to run", lambda: running.count() == count, seconds=120, pause=0.002)
        except AssertionError:
            pass
        seconds, failed = time.monotonic() - begin, count - running.count()
        events.close()
        return seconds, failed

    def empty(self):
        guids = list(self.cell.list())
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for answer in pool.map(self.cell.delete, guids):
                assert answer.status in (200, 404), answer.body
        return time.monotonic() - begin

    def rest(self):
        """What ended containers leave to the kernel and to gardend is gone: the next ones start on an idle cell."""
        trash = f"{self.cell.home}/store/volumes/trash"
        wait_for("the last ones to be gone", lambda: len(socket.if_nameindex()) <= self.interfaces and not os.listdir(trash), seconds=60)

    # What celld costs.

    def tasks(self):
        return glob.glob(f"/proc/{self.cell.celld.pid}/task/*")

    def processor_time(self):
        """Seconds of processor of celld, of its threads that live."""
        total = 0
        for task in self.tasks():
            try:
                with open(f"{task}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
            except OSError:
                pass
        return total / 1e9

    def share(self, seconds):
        """Of one processor, while nobody asks it anything."""
        before, begin = self.processor_time(), time.monotonic()
        time.sleep(seconds)
        return (self.processor_time() - before) / (time.monotonic() - begin)

    def memory(self):
        with open(f"/proc/{self.cell.celld.pid}/smaps_rollup", encoding="ascii") as file:
            rows = dict(line.split(":", 1) for line in list(file)[1:])
        return {name: int(rows[name].split()[0]) * 1024 / 1e6 for name in ("Rss", "Pss", "Private_Dirty")}


def starts(table, bench, count=200):
    parts = {}
    events = Stream(bench.cell.socket, "/events")

    def lines(guid):
        """When what was said, from the moment on at which the process has said something."""
        answer = bench.cell.call("GET", f"/containers/{guid}/logs")
        said = {one["text"]: int(one["time"]) / 1e9 for one in answer.json()} if answer.status == 200 else {}
        return said if "started" in said else None

    for number in range(2 * count + 10):
        # In turn with a limit of the disk and without one: what it costs is the file system's, an image for each where it has no quotas.
        kind = ("start", "start, no disk limit")[number % 2]
        guid = f"{('one', 'free')[number % 2]}-{number}"
        bench.allocate([guid], **({"disk_mb": 0} if number % 2 else {}))
        before = time.time()
        bench.run(guid, "echo started; exec sleep 1000")
        accepted = time.time()
        wait_for("the event", lambda guid=guid: "container_running" in events.of(guid), pause=0.002)
        said = wait_for("the first line", lambda guid=guid: lines(guid), pause=0.002)
        creating, created = (next(at for text, at in said.items() if word in text) for word in (" creating container ", " successfully created "))
        if number >= 10:  # the first ones warm up
            for name, value in (("accepted to first output", said["started"] - accepted), ("asked to first output", said["started"] - before),
                                ("of it until gardend is asked", creating - before), ("of it create and info", created - creating),
                                ("of it run until output", said["started"] - created)):
                parts.setdefault(f"{kind}: {name}", []).append(value * 1000)
        bench.cell.delete(guid)
    events.close()
    for name, values in parts.items():
        table.samples(name, "cell", values)
    for kind in ("start", "start, no disk limit"):
        values = sorted(parts[f"{kind}: accepted to first output"])
        table.add(f"{kind}: 99th percentile", "cell", values[int(len(values) * 0.99)], "ms")
    requests(table, bench)


def requests(table, bench):
    """What gardend says of its own requests: its part of a start. Only those that change something are logged."""
    took = {}
    with open(f"{bench.cell.home}/garden.log", encoding="utf-8", errors="replace") as log:
        for line in log:
            found = re.search(r'method="?(\w+)"? path="?(/containers\S*?)"? status="?(\d+)"? took="?([\d.]+)(ns|us|µs|ms|s)', line)
            if found:
                what = f"{found[1]} {re.sub('(one|free)-[0-9]+', ':handle', re.sub('/processes/.*', '/processes/…', found[2]))}"
                scale = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1, "s": 1e3}[found[5]]
                took.setdefault(what, []).append(float(found[4]) * scale)
    for what, values in took.items():
        if len(values) >= 20:
            table.samples(f"gardend: {what}", "gardend", values)


def burst(table, bench, count=100, rounds=5):
    seconds, failures = [], 0
    for number in range(rounds):
        took, failed = bench.fill(f"burst{number}", "exec sleep 1000", count)
        seconds.append(took)
        failures += failed
        bench.empty()
        bench.rest()
    table.add(f"{count} starts at once", "cell", statistics.median(seconds), "s", f"of {rounds}: {min(seconds):.2f} to {max(seconds):.2f}")
    table.add(f"{count} starts at once, failed", "cell", failures, "")


def logs(table, bench, seconds=40):
    before = bench.memory()
    _, failed = bench.fill("talk", TALKER)
    assert failed == 0, f"{failed} did not run\n{bench.cell.log_text()}"
    time.sleep(seconds / 2)
    share = bench.share(seconds / 2)
    memory = bench.memory()
    note = f"RSS {memory['Rss']:.1f}, private dirty {memory['Private_Dirty']:.1f}; empty {before['Pss']:.1f}"
    table.add(f"memory of celld, {HOLD} that log", "cell", memory["Pss"], "MB", note)
    table.add(f"threads of celld, {HOLD} containers", "cell", len(bench.tasks()), "")
    table.add(f"processor for {HOLD * 10} lines a second", "cell", share * 100, "%", "of one")
    table.add(f"{HOLD} containers deleted", "cell", bench.empty(), "s")
    table.add("memory of celld, after them", "cell", bench.memory()["Pss"], "MB")


def checks(table, bench, seconds=20, interval=1):
    _, failed = bench.fill("idle", "exec sleep 1000")
    assert failed == 0, failed
    quiet = bench.share(seconds)
    bench.empty()
    check = {"http_check": {"port": 8080, "path": "/index.html", "interval_ms": interval * 1000}}
    _, failed = bench.fill("check", SERVER, check_definition={"checks": [check]}, ports=[{"container_port": 8080}])
    assert failed == 0, f"{failed} did not run\n{bench.cell.log_text()}"
    time.sleep(2)
    share = bench.share(seconds)
    table.add(f"processor, {HOLD} idle containers", "cell", quiet * 100, "%", "of one")
    table.add(f"processor, {HOLD} HTTP checks each {interval} s", "cell", share * 100, "%", f"{(share - quiet) * interval / HOLD * 1e6:.0f} us a check")
    table.add("the same, scaled to each 30 s", "cell", (quiet + (share - quiet) * interval / 30) * 100, "%", "with what it needs when idle")
    bench.empty()


def rounds(table, build):
    program = f"{build}/bin/bench-rounds"
    if not os.path.exists(program):
        table.add("bulk round, 250 unchanged", "rep", None, "", f"{program} is not built (ninja bench-rounds)")
        return
    row = json.loads(subprocess.run([program, "250", "200"], stdout=subprocess.PIPE, check=True).stdout)
    table.add("bulk round, 250 unchanged", "rep", row["cpu_us"] / 1000, "ms", "of processor")
    table.add("bulk round, calls to the brain", "rep", row["calls"], "")


def measure(table, build, work, parts):
    for name, part in (("starts", starts), ("burst", burst), ("logs", logs), ("checks", checks)):
        if name not in parts:
            continue
        bench = Bench(build, work)  # one cell for each part: what the last one left in memory is not the next one's
        try:
            part(table, bench)
        finally:
            bench.stop()
    if "rounds" in parts:
        rounds(table, build)


def budgets(table):
    single = table.get("start: asked to first output", "cell")
    share = table.get("the same, scaled to each 30 s", "cell")
    started = []
    for kind in ("start", "start, no disk limit"):
        started += [verdict(f"{kind}: median against 20 ms", table.get(f"{kind}: accepted to first output", "cell"), 20, 1, 0.5),
                    verdict(f"{kind}: 99th percentile against 100 ms", table.get(f"{kind}: 99th percentile", "cell"), 100, 1, 0.5)]
    return [
        *started,
        verdict("100 at once against 100 x one / processors", table.get("100 starts at once", "cell"),
                single and single / 1000 * 100 / os.cpu_count(), 1, 0.8),
        verdict("memory of celld against 64 MB", table.get(f"memory of celld, {HOLD} that log", "cell"), 64, 1, 0.5),
        verdict("checks each 30 s against 1 % of a processor", share, 1, 1, 0.5),
        verdict("calls to the brain in an unchanged round against 1", table.get("bulk round, calls to the brain", "rep"), 1, 1, 1),
    ]
