#!/usr/bin/env python3
"""Random recipes against a real gardend: trees of every action, failures of every kind, stops and deletions at any moment.

recipes.py --programs DIR [--count N] [--seconds S] [--at-once N] [--seed N] [--apart LETTER OCTET]. Each container must end with exactly one
completed event, as its recipe says where that is certain; afterwards no process of any is left, every resource is back,
and gardend's doctor finds nothing. --seconds: begin no more after so long (0: all of them). The seed is printed; a
container's recipe depends on the seed and its number alone. Ends with one line "N passed, N failed" (containers).
"""

import argparse
import collections
import http.client
import json
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from cell import Cell, Stream, busybox_or_skip, sh, wait_for
from transfer_tests import tar_of

FLAGS = ["--unhealthy-interval", "300ms", "--healthy-interval", "500ms", "--reap-interval", "5s", "--graceful-shutdown", "10s",
         "--garden-check=false", "--reservation-expires", "10m", "--rep-listen", "tcp://127.0.0.1:0", "--max-containers", "200"]
MARK = "CLOCHE_RANDOM_RECIPE"
PATIENCE = 180  # seconds for one container; the machine may be busy with other tests


class Writer:
    """One recipe. What `action` gives besides it: True or False when it is certain how that ends by itself, else None."""

    def __init__(self, dice, url):
        self.dice, self.url = dice, url
        self.left = 14  # actions

    def script(self):
        nap = self.dice.uniform(0, 0.6)
        return self.dice.choice([
            ("true", True),
            ("echo out; echo err >&2", True),
            (f"exit {self.dice.randint(1, 255)}", False),
            (f"sleep {nap:.2f}", True),
            (f"sleep {nap:.2f}; exit 3", False),
            ("exec sleep 1000", None),
            # Refuses to go.
            ("trap '' TERM; while :; do sleep 1; done", None),
            # Leaves early, or when asked to.
            (f"trap 'exit 0' TERM; sleep {nap:.2f} & wait $!", True),
            ("trap 'exit 7' TERM; sleep 1000 & wait $!", None),
            # Children of its own, in sessions of their own, that outlive it.
            ("setsid sleep 1000 & setsid sh -c 'trap \"\" TERM HUP; sleep 1000' & exit 0", True),
            ("for i in 1 2 3 4 5 6 7 8; do (sleep 1000 &) ; done; exit 2", False),
            ("kill -9 $$", False),
            ("kill -SEGV $$", False),
            ("seq 1 3000", True),
            ("yes | head -c 300000", True),
            ("exec /no/such/program", False),
            ("dd if=/dev/zero of=/tmp/big bs=1M count=3 2>/dev/null", True),
        ])

    def leaf(self):
        kind = self.dice.random()
        if kind < 0.78:
            script, good = self.script()
            return sh(script, self.dice.choice(["vcap", "root"])), good
        if kind < 0.9:
            path, good = self.dice.choice([("good.tgz", True), ("missing.tgz", False), ("noise", False), ("slow/slow.tgz", None)])
            fields = {"cache_key": self.dice.choice(["", "kept"])} if path == "good.tgz" else {"cache_key": ""}
            if self.dice.random() < 0.2 and good:
                fields.update(checksum_algorithm="sha256", checksum_value="0" * 64)
                good = None if fields["cache_key"] else False
            return {"download": {"from": f"{self.url}/{path}", "to": "/tmp", "user": "vcap", **fields}}, good
        if kind < 0.95:
            return {"upload": {"from": "/etc/passwd", "to": f"{self.url}/missing", "user": "vcap"}}, False
        if kind < 0.98:
            return {"run": {"path": "/no/such/program", "user": "vcap"}}, False
        return {"run": {"path": "/bin/true", "user": "nobody-here"}}, False

    def several(self, depth):
        return [self.action(depth + 1) for _ in range(self.dice.randint(1, 3))]

    def action(self, depth=0):
        self.left -= 1
        if depth >= 5 or self.left <= 0 or self.dice.random() < 0.35:
            return self.leaf()
        kind = self.dice.choice(["serial", "serial", "parallel", "codependent", "timeout", "try", "emit_progress"])
        if kind == "serial":
            parts = self.several(depth)
            return {"serial": {"actions": [one for one, _ in parts]}}, self.in_order([good for _, good in parts])
        if kind == "parallel":
            parts = self.several(depth)
            goods = [good for _, good in parts]
            return {"parallel": {"actions": [one for one, _ in parts]}}, None if None in goods else all(goods)
        if kind == "codependent":
            parts = self.several(depth)
            # Who ends first ends all, and that is a failure whatever it was.
            certain = None not in [good for _, good in parts]
            return {"codependent": {"actions": [one for one, _ in parts]}}, False if certain else None
        inner, good = self.action(depth + 1)
        if kind == "timeout":
            limit = self.dice.choice([50, 300, 1500, 600000])
            return {"timeout": {"action": inner, "timeout_ms": limit}}, good if limit == 600000 else None
        if kind == "try":
            return {"try": {"action": inner}}, None if good is None else True
        return {"emit_progress": {"action": inner, "start_message": "begin", "success_message": "done",
                                  "failure_message_prefix": "bad"}}, good

    @staticmethod
    def in_order(goods):
        for good in goods:
            if good is not True:
                return good
        return True

    def recipe(self):
        """(run request without its rootfs, how it ends)"""
        run, good = self.action()
        fields = {"run": run, "graceful_shutdown_interval_ms": self.dice.choice([100, 400, 1000])}
        if self.dice.random() < 0.2:
            fields["setup"], ready = self.action(2)
            good = self.in_order([ready, good])
        if self.dice.random() < 0.15:
            fields["monitor"] = sh(self.dice.choice(["true", "false", "sleep 0.2", "test -e /tmp/x"]))
            fields["start_timeout_ms"] = self.dice.choice([500, 2000])
            good = None
        if self.dice.random() < 0.08:
            side, _ = self.action(3)
            fields["sidecars"] = [{"run": side, "disk_mb": 0, "memory_mb": 0}]
            good = None
        return fields, good


class Play:
    def __init__(self, cell, seed):
        self.cell, self.seed = cell, seed
        self.troubles, self.begun, self.kinds = [], [], collections.Counter()
        self.lock = threading.Lock()
        self.events = Stream(cell.socket, "/events")

    def one(self, number):
        dice = random.Random(f"{self.seed}/{number}")
        guid = f"random-{number}"
        fields, good = Writer(dice, self.cell.url).recipe()
        fate = dice.choices(["itself", "stop", "delete", "both"], [4, 3, 2, 1])[0]
        moment = dice.choice([0, dice.uniform(0, 0.2), dice.uniform(0, 2.5)])
        try:
            self.play(guid, fields, good, fate, moment)
        except (AssertionError, OSError, ValueError, http.client.HTTPException) as error:
            with self.lock:
                self.troubles.append(f"{guid} ({fate} after {moment:.2f} s, expected {good}): {error!r}\n  {json.dumps(fields)}")

    def play(self, guid, fields, good, fate, moment):
        with self.lock:
            self.begun.append(guid)
            self.kinds[fate] += 1
        env = [{"name": MARK, "value": self.cell.home}]
        self.cell.run(guid, fields.pop("run"), allocation={"memory_mb": 16, "disk_mb": 16}, env=env, **fields)
        if fate == "itself":
            self.by_itself(guid, good)
        else:
            time.sleep(moment)
        if fate in ("stop", "both"):
            answer = self.cell.call("POST", f"/containers/{guid}/stop")
            assert answer.status == 200, (answer.status, answer.body)
        if fate == "stop":
            self.cell.until(guid, "completed", PATIENCE)
        answer = self.cell.call("DELETE", f"/containers/{guid}", timeout=PATIENCE)
        assert answer.status == 200, (answer.status, answer.body)
        assert self.cell.get(guid) is None, "still there"

    def by_itself(self, guid, good):
        """Completed as the recipe says; where nothing is certain it is asked to go after a while."""
        if good is None:
            end = time.monotonic() + 4
            while time.monotonic() < end and self.cell.get(guid)["state"] != "completed":
                time.sleep(0.2)
            assert self.cell.call("POST", f"/containers/{guid}/stop").status == 200
        result = self.cell.result(guid, PATIENCE)
        if good is not None:
            assert result["failed"] is not good, (result, self.cell.text(guid)[-500:])

    def verdict(self):
        """What only shows when all is over."""
        wanted = {guid: 1 for guid in self.begun}

        def completed():
            return collections.Counter(
                data["container"]["guid"] for name, data in list(self.events.events) if name == "container_complete")

        try:
            wait_for("one completed event each", lambda: completed() == wanted, 20)
        except AssertionError:
            found = completed()
            for guid in self.begun:
                if found[guid] != 1:
                    self.troubles.append(f"{guid}: {found[guid]} completed events of {self.events.of(guid)}")
        for guid in self.begun:
            seen = self.events.of(guid)
            if seen and (seen[0] != "container_reserved" or seen[-1] != "container_complete"):
                self.troubles.append(f"{guid}: events {seen}")
        for what, found, expected in (
                ("containers of the cell", self.cell.list(), {}), ("containers of gardend", self.cell.handles(), set()),
                ("resources", self.cell.remaining(), self.cell.call("GET", "/resources/total").json()),
                ("orphans", self.cell.doctor(), []), ("processes", marked(self.cell.home), [])):
            if found != expected:
                self.troubles.append(f"left: {what} {found}")
        left = os.listdir(os.path.join(self.cell.state, "containers"))
        if [name for name in left if name != ".damaged"]:
            self.troubles.append(f"left: records {left}")


def marked(home):
    """Processes that a container of ours began, wherever they went."""
    mark, found = f"{MARK}={home}".encode(), []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def publish(cell):
    slow = os.urandom(40_000).hex()
    os.makedirs(os.path.join(cell.files, "slow"), exist_ok=True)
    for file, data in (("good.tgz", tar_of({"x": "y"})), ("noise", os.urandom(4096)), ("slow.tgz", tar_of({"x": slow}))):
        with open(os.path.join(cell.files, file), "wb") as out:
            out.write(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--apart", nargs=2, metavar=("LETTER", "OCTET"), help="as of cell_test.py: beside another run")
    given = parser.parse_args()
    busybox = busybox_or_skip()
    seed = given.seed if given.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}", flush=True)
    if given.apart:
        Cell.letter, Cell.octet = given.apart[0], int(given.apart[1])
    cell = Cell(given.programs, busybox, tag="c4", pool="10.215.64.0/20", words=FLAGS)
    troubles = []
    begin = time.monotonic()
    try:
        cell.start_nginx()
        publish(cell)
        cell.start()
        play = Play(cell, seed)
        numbers = iter(range(given.count))

        def worker():
            while not given.seconds or time.monotonic() - begin < given.seconds:
                with play.lock:
                    number = next(numbers, None)
                if number is None:
                    return
                play.one(number)
                if number % 500 == 499:
                    print(f"{number + 1} begun, {len(play.troubles)} troubles, {time.monotonic() - begin:.0f} s", flush=True)

        with ThreadPoolExecutor(given.at_once) as pool:
            for done in [pool.submit(worker) for _ in range(given.at_once)]:
                done.result()
        play.verdict()
        play.events.close()
        troubles = play.troubles
        print(f"{len(play.begun)} containers in {time.monotonic() - begin:.0f} s: {dict(play.kinds)}")
        if troubles:
            print("\n".join(troubles[:40]), file=sys.stderr)
            print(f"seed {seed}\n{cell.log_text()}", file=sys.stderr)
    finally:
        cell.stop()
    failed = len(troubles) + (1 if cell.cleaned != 0 else 0)
    print(f"{max(len(play.begun) - failed, 0)} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
