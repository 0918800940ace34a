#!/usr/bin/env python3
"""The Garden API through the wire: every row of the acceptance suite that can run offline, golden exchanges, hostile clients.

  conformance.py --programs DIR [--seed N] [--workers N] [ROW…]   own gardends from DIR; ROW: "lifecycle:128", "lifecycle", "hostile"
  conformance.py --address tcp://HOST:PORT | unix:///PATH [ROW…]  a Garden server that runs already; only rows that need no own daemon
  conformance.py --list                                           which rows are covered, and why the others are not
  conformance.py --check-list                                     whether README.md says the same

Needs root, docker-registry, skopeo and a static busybox; without them it prints SKIP and ends with 77 (1 when CLOCHE_NO_SKIP is set).
"""

import argparse
import faulthandler
import os
import random
import shutil
import signal
import sys
import threading
import time

import checklist
import harness
import rows  # noqa: F401  fills the table
import wire
from client import Garden

WORKERS = 8
LIMIT = 900 if not wire.IN_GUEST else 3600  # seconds until a hung run says where it hangs


def skip(reason):
    print("SKIP:", reason)
    sys.exit(1 if os.environ.get("CLOCHE_NO_SKIP") else 77)


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--programs")
    parser.add_argument("--address")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check-list", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("rows", nargs="*")
    return parser.parse_args()


def chosen(words):
    if not words:
        return list(harness.TESTS)
    out = [test for test in harness.TESTS
           if any(name in words or name.partition(":")[0] in words for name in (*test.rows, test.function.__name__))]
    if not out:
        sys.exit(f"no row matches {' '.join(words)}")
    return out


class Foreign:
    """A server somebody else runs; rows about the daemon itself are skipped."""

    def __init__(self, address):
        self.garden = Garden(wire.Address(address))
        self.tcp = self.unix = self.garden.address
        self.images = {"DEF": "", "PEA": os.environ.get("GARDEN_TEST_ROOTFS", ""), "LIM": os.environ.get("LIMITS_TEST_URI", "")}
        self.private_registry = None

    def server(self, name):
        harness.need(name == "plain", "needs a gardend of its own")
        return self

    def __getattr__(self, name):
        raise harness.Skip(f"needs a gardend of its own ({name})")


def own_host(programs):
    if os.geteuid() != 0:
        skip("root is needed")
    busybox = shutil.which("busybox")
    for name in ("busybox", "docker-registry", "skopeo", "ip", "nft", "unshare"):
        if shutil.which(name) is None:
            skip(f"{name} is needed")
    if "CLOCHE_CONFORMANCE_INSIDE" not in os.environ:
        # Mounts and interfaces go with the last process, whatever happens to us.
        os.environ["CLOCHE_CONFORMANCE_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--propagation", "private",
                              sys.executable, "-B", *sys.argv])
    from fixture import COMPAT, Host
    host = Host(programs, busybox)
    host.add_server("plain")
    host.add_server("compat", *COMPAT)
    return host


def reporter(verbose):
    lock, count = threading.Lock(), [0]

    def say(outcome):
        with lock:
            count[0] += 1
            if outcome.kind != "passed" or verbose:
                print(f"{outcome.kind.upper():8}{' '.join(outcome.test.rows)} ({outcome.test.title}) {outcome.seconds:.1f} s"
                      + (f"\n    {outcome.text.strip()}".replace("\n", "\n    ") if outcome.text else ""), flush=True)
        return outcome
    return say


def summary(outcomes, seconds):
    count = {kind: sum(1 for each in outcomes if each.kind == kind) for kind in ("passed", "failed", "skipped")}
    reasons = {}
    for each in outcomes:
        if each.kind == "skipped":
            reasons.setdefault(each.text, []).extend(each.test.rows)
    for reason, names in sorted(reasons.items()):
        print(f"skipped, {reason}: {' '.join(names)}")
    for each in sorted(outcomes, key=lambda each: -each.seconds)[:5]:
        print(f"slow: {each.seconds:5.1f} s {' '.join(each.test.rows)}")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped in {seconds:.0f} s")
    return count


def main():
    options = arguments()
    if options.list:
        print(checklist.report(harness.TESTS))
        return 0
    if options.check_list:
        return checklist.compare(harness.TESTS, os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md"))
    tests = chosen(options.rows)
    if not options.address and not options.programs:
        sys.exit(__doc__)
    host = Foreign(options.address) if options.address else own_host(options.programs)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}, {len(tests)} tests, {options.workers} workers", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    faulthandler.dump_traceback_later(LIMIT, exit=False)
    faults, outcomes, start = [], [], time.monotonic()
    try:
        if not options.address:
            host.start()
            for server in list(host.servers.values()):
                server.start()
        outcomes = harness.run_all(tests, host, seed, options.workers, reporter(options.verbose))
    finally:
        if not options.address:
            faults = host.stop()
    for fault in faults:
        print("FAULT:", fault)
    count = summary(outcomes, time.monotonic() - start)
    if faults:
        print(f"kept: {host.home}; seed {seed}")
    return 1 if faults or count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
