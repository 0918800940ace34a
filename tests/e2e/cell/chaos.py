#!/usr/bin/env python3
"""kill -9 of celld, gardend or both at random moments under a mixed load, again and again.

chaos.py --programs DIR [--rounds N] [--containers N] [--seed N]. After each restart the executor's
view must equal Garden's, no container may be lost or doubled, every task must end with its own
result, and what was promised must add up. Ends with one line "N passed, N failed" (rounds).
"""

import argparse
import http.client
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from cell import Cell, busybox_or_skip, sh, wait_for

FLAGS = ["--unhealthy-interval", "500ms", "--healthy-interval", "1s", "--reap-interval", "5s",
         "--garden-check=false", "--reservation-expires", "10m", "--rep-listen", "tcp://127.0.0.1:0"]


class Load:
    """What was started, and how it must end."""

    def __init__(self, cell, dice):
        self.cell, self.dice = cell, dice
        self.long = {}  # guid -> host pid of its process
        self.tasks = {}  # guid -> exit code it will have
        self.crashing = {}  # the same, of those that die by themselves
        self.unsure = {}  # asked for while a daemon was killed: guid -> what
        self.number = 0

    def start(self, guid, action, **fields):
        """True when celld accepted it: then it must not be lost."""
        try:
            refused = self.cell.call("POST", "/containers", [{"guid": guid, "memory_mb": 16, "disk_mb": 16}])
            if refused.status != 200 or refused.json() != {}:
                return False
            recipe = self.cell.recipe(action, **fields)
            return self.cell.call("POST", f"/containers/{guid}/run", recipe).status == 201
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def one(self, kind):
        self.number += 1
        guid = f"{kind}-{self.number}"
        if kind == "long":
            done = self.start(guid, "exec sleep 100000", monitor=sh("true") if self.dice.random() < 0.3 else None)
            book, value = self.long, None
        elif kind == "task":
            value = self.dice.choice([0, 0, 1, 7])
            done = self.start(guid, {"serial": {"actions": [
                sh("echo first > /tmp/steps"),
                sh(f"sleep {self.dice.random() * 3:.2f}; echo second >> /tmp/steps"),
                sh(f"echo third >> /tmp/steps; exit {value}")]}})
            book = self.tasks
        else:
            value = self.dice.choice([2, 3])
            done = self.start(guid, {"codependent": {"actions": [
                sh("exec sleep 100000"), sh(f"sleep {self.dice.random() * 2:.2f}; exit {value}")]}})
            book = self.crashing
        if done:
            book[guid] = value
        elif done is None:
            self.unsure[guid] = (book, value)

    def settle_unsure(self):
        """Those are there or not, but never half."""
        known = self.cell.list()
        for guid, (book, value) in self.unsure.items():
            if guid in known and known[guid]["state"] != "reserved":
                book[guid] = value
            elif guid in known:
                self.cell.delete(guid)
        self.unsure.clear()


def pids(cell, guid):
    rows = cell.garden_call("GET", f"/cloche/v1/containers/{guid}/processes").json()["processes"]
    return [r["host_pid"] for r in rows if not r["exited"] and r["argv"][:2] == ["/bin/sh", "-c"]
            and "100000" in " ".join(r["argv"])]


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def check_long(cell, load):
    for guid, pid in load.long.items():
        found = cell.until(guid, "running")
        check(found["run_result"]["failure_reason"] == "", f"{guid}: {found['run_result']}")
        now = wait_for(f"the process of {guid}", lambda guid=guid: pids(cell, guid))
        check(len(now) == 1, f"{guid} runs {len(now)} times: {now}")
        check(pid is None or now == [pid], f"{guid}: was process {pid}, is {now}")
        load.long[guid] = now[0]


def check_ended(cell, load):
    for guid, code in list(load.tasks.items()) + list(load.crashing.items()):
        result = cell.result(guid)
        if guid in load.tasks:
            reason = "" if code == 0 else f"LOG: Exited with status {code}"
            check((result["failed"], result["failure_reason"]) == (code != 0, reason), f"{guid} ({code}): {result}")
            steps = cell.call("GET", f"/containers/{guid}/files?source=/tmp/steps").body
            check(b"first\nsecond\nthird\n" in steps, f"{guid}: its steps ran otherwise: {steps[512:600]!r}")
        else:
            check(f"Exited with status {code}" in result["failure_reason"], f"{guid} ({code}): {result}")


def check_books(cell):
    known = cell.list()
    handles = cell.handles()
    in_garden = {g for g, c in known.items() if c["state"] in ("created", "running")}
    check(in_garden <= handles, f"without a container: {in_garden - handles}")
    strays = wait_for("strays to be reaped", lambda: [None] if not (cell.handles() - set(cell.list())) else None)
    check(strays, "strays")
    total = cell.call("GET", "/resources/total").json()
    used = {"memory_mb": sum(c["memory_mb"] for c in known.values()),
            "disk_mb": sum(c["disk_mb"] for c in known.values()), "containers": len(known)}
    check(cell.remaining() == {k: total[k] - used[k] for k in total}, f"remaining {cell.remaining()}, used {used}")


def play(cell, load, dice, containers):
    """One round."""
    for _ in range(max(0, containers - len(load.long) - 10)):
        load.one("long")
    for _ in range(6):
        load.one("task")
    for _ in range(2):
        load.one("crash")
    time.sleep(dice.random() * 1.5)
    victims = dice.choice([["celld"], ["garden"], ["celld", "garden"], ["garden", "celld"]])
    with ThreadPoolExecutor(1) as background:  # requests are on their way while the daemons die
        busy = background.submit(lambda: [load.one("task") for _ in range(3)])
        time.sleep(dice.random() * 0.05)
        for victim in victims:
            cell.kill(victim)
        busy.result()
    time.sleep(dice.random() * 1.0)
    for victim in victims:
        (cell.start_celld if victim == "celld" else cell.start_garden)(wait=False)
    wait_for("gardend", lambda: cell.answers(cell.garden, cell.garden_socket))
    wait_for("celld", cell.ready)
    load.settle_unsure()
    check_long(cell, load)
    check_ended(cell, load)
    check_books(cell)
    for guid in list(load.tasks) + list(load.crashing):
        answer = cell.delete(guid)
        check(answer.status == 200, f"delete {guid}: {answer.status} {answer.body}")
    load.tasks.clear()
    load.crashing.clear()
    for guid in dice.sample(sorted(load.long), min(3, len(load.long))):
        check(cell.delete(guid).status == 200, f"delete {guid}")
        del load.long[guid]
    check_books(cell)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--containers", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--tag", default="cx", help="two characters; another gardend of that tag must not run")
    given = parser.parse_args()
    busybox = busybox_or_skip()
    seed = given.seed if given.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}", flush=True)
    dice = random.Random(seed)
    cell = Cell(given.programs, busybox, tag=given.tag, pool="10.214.0.0/20", words=FLAGS)
    load = Load(cell, dice)
    passed, trouble = 0, ""
    try:
        cell.start()
        begin = time.monotonic()
        for number in range(given.rounds):
            play(cell, load, dice, given.containers)
            passed += 1
            if passed % 10 == 0:
                print(f"{passed} rounds, {time.monotonic() - begin:.0f} s", flush=True)
        for guid in list(cell.list()):
            check(cell.delete(guid).status == 200, f"delete {guid}")
        orphans = cell.doctor()
        check(not orphans, f"orphans: {orphans}")
        check(not cell.handles(), f"containers are left: {cell.handles()}")
    except AssertionError as error:
        trouble = f"round {passed + 1}, seed {seed}: {error}"
        print(trouble, file=sys.stderr)
        print(cell.log_text(), file=sys.stderr)
    finally:
        cell.stop()
    failed = 1 if trouble or cell.cleaned != 0 else 0
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed)


if __name__ == "__main__":
    main()
