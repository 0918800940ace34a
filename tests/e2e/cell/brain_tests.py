"""A cell with and without a brain: work that comes through the rep, and an evacuation of real containers."""

import http.client
import json
import shutil
import time
import unittest

import case
from case import name
from cell import WAIT, Answer, Cell, free_port, wait_for
from cli_tests import cloche

ROUND = 0.3  # seconds between bulk rounds of these cells


class Brains(unittest.TestCase):
    """Each test has a cell of its own: some of them end."""

    def cell_with(self, *words):
        self.cell = Cell(case.cell.programs, shutil.which("busybox"), tag="cb", pool="10.213.32.0/20")
        self.addCleanup(self.stop)
        self.port = free_port()
        self.cell.rep = f"tcp://127.0.0.1:{self.port}"
        self.cell.words = ["--rep-listen", self.cell.rep, "--bulk-interval", f"{int(ROUND * 1000)}ms",
                           "--preloaded-rootfs", "busybox=" + self.cell.rootfs, *words]
        self.cell.start()

    def stop(self):
        self.cell.stop()
        self.assertEqual(self.cell.cleaned, 0)

    def rep(self, method, target, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        try:
            connection.request(method, target, body if body is None else json.dumps(body))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def state(self):
        answer = self.rep("GET", "/state")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def place(self, lrps=(), tasks=()):
        """As an auctioneer; the guids of the instances, by process guid."""
        needs = {"MemoryMB": 32, "DiskMB": 32, "RootFs": "preloaded:busybox"}
        refused = self.rep("POST", "/work", {
            "cell_id": "cell-1",
            "LRPs": [{"process_guid": guid, "index": 0, "domain": "apps", **needs} for guid in lrps],
            "Tasks": [{"TaskGuid": guid, "Domain": "jobs", **needs} for guid in tasks]})
        self.assertEqual(refused.status, 200, refused.body)
        self.assertFalse(any((refused.json().get(kind) or []) for kind in ("LRPs", "Tasks")), refused.body)
        return {one["process_guid"]: one["instance_guid"] for one in self.state()["LRPs"] or []}

    def start(self, guid, script):
        """Whoever has the recipe runs what was reserved."""
        answer = self.cell.call("POST", f"/containers/{guid}/run", self.cell.recipe(script))
        self.assertEqual(answer.status, 201, answer.body)

    def rounds(self):
        time.sleep(4 * ROUND)

    def test_without_a_brain_work_is_told_and_left_alone(self):
        self.cell_with()
        app, task, crashing = name("app"), name("task"), name("crash")
        instances = self.place([app, crashing], [task])
        self.start(instances[app], "exec sleep 1000")
        self.start(instances[crashing], "exit 3")
        self.start(task, "echo -n kept > /tmp/result")
        self.cell.until(instances[app], "running")
        self.cell.result(instances[crashing])
        self.assertFalse(self.cell.result(task)["failed"])
        self.rounds()
        code, out, err = cloche(self.cell, "cell", "state")
        self.assertEqual(code, 0, err)
        self.assertRegex(out, "(?m)^work +2 LRPs, 1 tasks?$")
        for guid in (app, task):
            self.assertIn(guid, out)
        told = json.loads(cloche(self.cell, "cell", "state", "--json")[1])
        self.assertEqual(told["AvailableResources"]["MemoryMB"], 4096 - 3 * 32)
        # A restart changes nothing of that.
        self.cell.kill("celld")
        self.cell.start_celld()
        self.rounds()
        self.assertEqual(self.cell.get(instances[app])["state"], "running")
        self.assertIn(b"kept", self.cell.call("GET", f"/containers/{task}/files?source=/tmp/result").body)
        metrics = self.rep("GET", "/container_metrics").json()
        self.assertEqual([one["instance_guid"] for one in metrics["lrps"]], [instances[app]])
        # The ends that are asked for.
        self.assertEqual(self.rep("POST", f"/v1/lrps/{app}/instances/{instances[app]}/stop").status, 202)
        self.assertTrue(self.cell.result(instances[app])["stopped"])
        self.assertEqual(self.rep("POST", f"/v1/tasks/{task}/cancel").status, 202)
        wait_for("the task to go", lambda: self.cell.get(task) is None)
        self.rounds()
        self.assertEqual(set(self.cell.list()), {instances[app], instances[crashing]})

    def test_what_another_rep_runs_is_not_destroyed(self):
        self.cell_with()
        guid, task = name("other"), name("task")
        tags = {"lifecycle": "lrp", "domain": "d", "process-guid": "p", "process-index": "0", "instance-guid": guid}
        self.cell.run(guid, tags=tags)
        self.cell.run(task, "exit 0", tags={"lifecycle": "task", "domain": "d", "result-file": "/etc/passwd"})
        self.cell.until(guid, "running")
        self.cell.result(task)
        self.rounds()
        self.assertEqual(set(self.cell.list()), {guid, task})

    def test_a_brain_in_memory_destroys_what_it_does_not_know(self):
        self.cell_with("--brain", "memory")
        self.assertIn("the brain is in memory", self.cell.log_text())
        guid, ours = name("other"), name("plain")
        self.cell.run(ours)
        self.cell.allocate(guid, Tags={"lifecycle": "lrp", "domain": "d", "process-guid": "p", "process-index": "0",
                                       "instance-guid": guid})
        wait_for("the unknown to go", lambda: self.cell.get(guid) is None)
        self.assertEqual(self.cell.until(ours, "running")["guid"], ours)

    def test_an_evacuation_without_a_brain_empties_the_cell_at_its_hard_end(self):
        self.cell_with("--evacuation-budget", "2s", "--evacuation-timeout", "5s")
        app, task, done = name("app"), name("task"), name("done")
        instances = self.place([app], [task, done])
        self.start(instances[app], "trap 'echo told to go; exit 0' TERM; while true; do sleep 0.1; done")
        self.start(task, "exec sleep 1000")
        self.start(done, "echo -n kept > /tmp/result")
        self.cell.until(instances[app], "running")
        self.cell.until(task, "running")
        self.cell.result(done)
        begun = time.monotonic()
        self.assertEqual(cloche(self.cell, "cell", "evacuate")[0], 0)
        refused = self.rep("POST", "/work", {"cell_id": "cell-1", "LRPs": [], "Tasks": [
            {"TaskGuid": name("late"), "Domain": "jobs", "MemoryMB": 32, "DiskMB": 32, "RootFs": "preloaded:busybox"}]})
        self.assertEqual(refused.json()["Tasks"][0]["refusal"], "cell is evacuating")
        self.assertTrue(self.state()["Evacuating"])
        self.assertEqual(self.cell.get(instances[app])["state"], "running")
        wait_for("work over its budget to go", lambda: self.cell.get(instances[app]) is None and self.cell.get(task) is None)
        self.assertGreater(time.monotonic() - begun, 1.9)
        self.assertIn(b"kept", self.cell.call("GET", f"/containers/{done}/files?source=/tmp/result").body)
        code, _, err = cloche(self.cell, "cell", "evacuate", "--wait")  # the second time joins the first
        self.assertEqual(code, 0, err)
        self.assertRegex(err, "the cell (is empty|has ended)\n")
        self.assertEqual(self.cell.celld.wait(WAIT), 0)
        self.assertFalse({one for one in self.cell.handles() if not one.startswith("check-")})
        # What comes back begins anew.
        self.cell.start_celld()
        self.assertEqual(self.cell.list(), {})
        self.assertFalse(self.state()["Evacuating"])
