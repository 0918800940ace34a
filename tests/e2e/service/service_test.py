#!/usr/bin/env python3
"""gardend.service and celld.service under a real systemd, as a package installs them.

service_test.py --programs DIR [TestName…]. Installs into /usr: only in the guest of tools/vm-test (VM_GUEST=1), else it prints SKIP
and ends with 77. Tests run in the order of their names, on one installation.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.abspath(os.path.join(HERE, "../../.."))
sys.path.insert(0, os.path.join(HERE, "../../support/scripts"))
sys.path.insert(0, os.path.join(HERE, "../cell"))
from cell import call  # noqa: E402
from pieces import busybox_or_skip, make_rootfs, skip, wait_for  # noqa: E402

GARDEN, CELL = "/run/cloche/garden.sock", "/run/cloche-cell/cell.sock"
PLACES = {"/usr/sbin": ["gardend", "celld"], "/usr/bin": ["cloche"],
          "/usr/libexec/cloche": ["garden-shim", "garden-init", "garden-copy", "garden-probe", "rootfs-unpack"]}
UNITS = ["gardend.service", "celld.service"]
ROOTFS = "/srv/rootfs"
PATIENCE = 180  # emulation is slow
programs = None


def run(*words, check=True, **more):
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, **more)
    assert not check or done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
    return done


def journal(*words):
    return run("journalctl", "--no-pager", "-o", "short-monotonic", *words).stdout


def install():
    for place, names in PLACES.items():
        os.makedirs(place, exist_ok=True)
        for one in names:
            shutil.copy(os.path.join(programs, one), os.path.join(place, one))
    for unit in UNITS:
        shutil.copy(os.path.join(SOURCE, "packaging", unit), "/usr/lib/systemd/system")
        # A sanitized build looks for leaks by ptrace when it ends, which no hardened unit lets it do.
        os.makedirs(f"/run/systemd/system/{unit}.d")
        with open(f"/run/systemd/system/{unit}.d/sanitizer.conf", "w") as out:
            out.write("[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n")
    shutil.copy(os.path.join(SOURCE, "packaging/cloche.sysusers"), "/usr/lib/sysusers.d/cloche.conf")
    run("systemd-sysusers")
    run("systemctl", "daemon-reload")
    make_rootfs(ROOTFS, shutil.which("busybox"), "vcap", "/home/vcap")


def main_pid(unit):
    return int(run("systemctl", "show", "-P", "MainPID", unit).stdout)


def answering():
    try:
        return call(CELL, "GET", "/containers", timeout=5).status == 200 and call(GARDEN, "GET", "/ping", timeout=5).status == 200
    except OSError:
        return False


class Service(unittest.TestCase):
    def ask(self, method, target, body=None):
        answer = call(CELL, method, target, body, timeout=PATIENCE)
        self.assertIn(answer.status, (200, 201), (target, answer.body))
        return answer

    def state(self, guid):
        return self.ask("GET", f"/containers/{guid}").json()["state"]

    def test_1_both_units_start_and_stay(self):
        run("systemctl", "start", *UNITS)
        wait_for("both to answer", answering, PATIENCE)
        for unit in UNITS:
            self.assertEqual(run("systemctl", "is-active", unit).stdout.strip(), "active")
        with open(f"/proc/{main_pid('celld.service')}/status") as status:
            words = dict(line.split(":", 1) for line in status)
        self.assertNotIn("0", words["Uid"].split())
        self.assertEqual(int(words["CapEff"], 16), 0)

    def test_2_the_group_may_use_both_sockets_and_nobody_else(self):
        for path in (GARDEN, CELL):
            found = os.stat(path)
            self.assertEqual(stat.S_IMODE(found.st_mode), 0o660, path)
            self.assertEqual(run("stat", "-c", "%G", path).stdout.strip(), "cloche")
        as_user = ["setpriv", "--reuid", "nobody", "--clear-groups", "--regid"]
        # No address is given: defaults of daemon, unit and command line agree.
        member = run(*as_user, "cloche", "cloche", "cell", "state")
        self.assertIn("containers", member.stdout.lower())
        run(*as_user, "cloche", "cloche", "list")
        stranger = run(*as_user, "nogroup", "cloche", "cell", "state", check=False)
        self.assertNotEqual(stranger.returncode, 0)
        self.assertIn("ermission denied", stranger.stderr)

    def test_3_a_task_runs_and_gives_its_result(self):
        recipe = {"rootfs": ROOTFS, "memory_mb": 64, "disk_mb": 64, "result_file": "/tmp/result",
                  "volume_mounted_files": [{"path": "db/password", "content": "bound"}],
                  "run": {"run": {"path": "/bin/sh", "user": "vcap", "args": [
                      "-c", "id -un; cat /etc/cf-service-bindings/db/password; echo 42 > /tmp/result"]}}}
        with open("/tmp/recipe.json", "w") as out:
            json.dump(recipe, out)
        done = run("cloche", "task", "run", "--local", "--result", "/tmp/result.out", "/tmp/recipe.json")
        self.assertIn("vcap\nbound", done.stdout)
        with open("/tmp/result.out") as result:
            self.assertEqual(result.read(), "42\n")

    def start_counter(self, guid):
        self.assertEqual(self.ask("POST", "/containers", [{"guid": guid, "memory_mb": 64, "disk_mb": 64}]).json(), {})
        self.ask("POST", f"/containers/{guid}/run", {
            "rootfs": ROOTFS, "log_config": {"guid": guid}, "monitor": {"run": {"path": "/bin/true", "user": "vcap"}},
            "run": {"run": {"path": "/bin/sh", "user": "vcap", "args": ["-c", "i=0; while sleep 1; do i=$((i+1)); echo line-$i; done"]}}})
        wait_for("it to run", lambda: self.state(guid) == "running", PATIENCE)
        rows = call(GARDEN, "GET", f"/cloche/v1/containers/{guid}/processes").json()
        rows = rows if isinstance(rows, list) else rows["processes"]
        return next(row["host_pid"] for row in rows if not row["exited"] and "line-" in " ".join(row["argv"]))

    def lines(self, guid):
        return [one["text"] for one in self.ask("GET", f"/containers/{guid}/logs").json() if one["text"].startswith("line-")]

    def test_4_restarts_and_kills_leave_the_container_running(self):
        pid = self.start_counter("counter")
        began = os.stat(f"/proc/{pid}").st_ctime_ns
        deeds = [
            ("restart of gardend", lambda: run("systemctl", "restart", "gardend.service")),
            ("restart of celld", lambda: run("systemctl", "restart", "celld.service")),
            ("restart of both", lambda: run("systemctl", "restart", *UNITS)),
            ("kill of gardend", lambda: run("systemctl", "kill", "--kill-whom=main", "-s", "KILL", "gardend.service")),
            ("kill of celld", lambda: run("systemctl", "kill", "--kill-whom=main", "-s", "KILL", "celld.service")),
            ("stop and start of both", lambda: (run("systemctl", "stop", *UNITS), run("systemctl", "start", *UNITS)))]
        for what, deed in deeds:
            with self.subTest(what):
                before = [main_pid(unit) for unit in UNITS]
                deed()
                wait_for(f"both to answer after {what}", lambda: [main_pid(u) for u in UNITS] != before and answering(), PATIENCE)
                self.assertEqual(self.state("counter"), "running", what)
                self.assertEqual(os.stat(f"/proc/{pid}").st_ctime_ns, began, "the same process")
                last = int((self.lines("counter") or ["line-0"])[-1][5:])
                wait_for(f"new lines after {what}", lambda: int((self.lines("counter") or ["line-0"])[-1][5:]) > last, PATIENCE)
        self.assertEqual(call(CELL, "DELETE", "/containers/counter", timeout=PATIENCE).status, 200)
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_5_nothing_is_left_and_the_journal_has_no_error(self):
        wait_for("the check of the backend to be over", lambda: not call(GARDEN, "GET", "/containers").json()["Handles"], PATIENCE)
        self.assertEqual(call(GARDEN, "GET", "/cloche/v1/doctor").json()["orphans"], [])
        run("systemctl", "stop", *UNITS)
        print("warnings:\n" + journal("-u", "gardend", "-u", "celld", "-p", "warning"))
        # What systemd says of our killing its service is not ours.
        errors = [line for line in journal("-u", "gardend", "-u", "celld", "-p", "err").splitlines()
                  if " systemd[1]: " not in line and line != "-- No entries --"]
        self.assertEqual(errors, [])
        self.assertEqual(run("systemctl", "--failed", "--no-legend", "--plain").stdout, "")


def main():
    global programs
    words = sys.argv[1:]
    if len(words) < 2 or words[0] != "--programs":
        sys.exit(__doc__)
    if os.environ.get("VM_GUEST") != "1" or not os.path.isdir("/run/systemd/system"):
        skip("only in the guest of tools/vm-test")
    busybox_or_skip()
    programs = words[1]
    install()
    # One installation: what fails makes the rest worthless.
    result = unittest.main(module=__name__, argv=[sys.argv[0], *words[2:]], verbosity=2, failfast=True, exit=False).result
    if not result.wasSuccessful():
        print(journal("-u", "gardend", "-u", "celld", "-n", "80"))
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
