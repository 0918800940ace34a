"""celld and gardend killed in the middle of everything: no container notices, nothing is lost."""

import time

from case import Case, name
from cell import sh, wait_for


class Restarts(Case):
    def restart_celld(self, pause=0.0):
        self.cell.kill("celld")
        time.sleep(pause)
        self.cell.start_celld()

    def pid_in(self, guid):
        rows = self.cell.garden_call("GET", f"/cloche/v1/containers/{guid}/processes").json()["processes"]
        return sorted(row["host_pid"] for row in rows if not row["exited"])

    def test_a_running_container_does_not_notice_a_restart(self):
        guid = name()
        self.cell.run(guid, "while true; do echo tick; sleep 0.2; done", monitor=sh("true"), tags={"a": "b"})
        before = self.cell.until(guid, "running")
        pids = self.pid_in(guid)
        self.restart_celld()
        after = self.cell.get(guid)
        self.assertEqual(after, before)
        self.assertIn(pids[0], self.pid_in(guid))
        wait_for("lines after the restart", lambda: "tick" in self.cell.text(guid))
        self.cell.call("POST", f"/containers/{guid}/stop")
        self.assertTrue(self.cell.result(guid)["stopped"])

    def test_a_task_that_ended_meanwhile_has_its_result(self):
        good, bad = name(), name()
        self.cell.run(good, "sleep 1; echo -n kept > /tmp/result")
        self.cell.run(bad, "sleep 1; exit 9")
        for guid in (good, bad):
            self.cell.until(guid, "running")
        self.restart_celld(pause=2)
        self.assertFalse(self.cell.result(good)["failed"])
        self.assertEqual(self.cell.result(bad)["failure_reason"], "LOG: Exited with status 9")
        self.assertIn(b"kept", self.cell.call("GET", f"/containers/{good}/files?source=/tmp/result").body)

    def test_reservations_and_results_survive(self):
        reserved, done = name(), name()
        self.cell.allocate(reserved, memory_mb=100)
        self.cell.run(done, "exit 5")
        result = self.cell.result(done)
        remaining = self.cell.remaining()
        self.restart_celld()
        self.assertEqual(self.cell.get(reserved)["state"], "reserved")
        self.assertEqual(self.cell.get(done)["run_result"], result)
        self.assertEqual(self.cell.remaining(), remaining)

    def test_a_serial_recipe_goes_on_where_it_was(self):
        guid = name()
        self.cell.run(guid, {"serial": {"actions": [
            sh("echo first >> /tmp/order"), sh("echo second >> /tmp/order; sleep 2"), sh("echo third >> /tmp/order")]}})
        wait_for("the second step", lambda: b"second" in self.cell.call("GET", f"/containers/{guid}/files?source=/tmp/order").body)
        self.restart_celld()
        self.assertFalse(self.cell.result(guid)["failed"])
        body = self.cell.call("GET", f"/containers/{guid}/files?source=/tmp/order").body
        self.assertIn(b"first\nsecond\nthird\n", body)

    def test_a_stop_that_was_asked_for_is_carried_out_after_the_restart(self):
        guid = name()
        self.cell.run(guid, "trap '' TERM; while true; do sleep 0.1; done", graceful_shutdown_interval_ms=3000)
        self.cell.until(guid, "running")
        self.cell.call("POST", f"/containers/{guid}/stop")
        self.restart_celld()
        self.assertTrue(self.cell.result(guid)["stopped"])

    def test_a_creation_in_the_middle_is_begun_anew(self):
        guids = [name() for _ in range(8)]
        for guid in guids:
            self.cell.run(guid, "exit 0")
        self.restart_celld()
        for guid in guids:
            self.assertFalse(self.cell.result(guid)["failed"], self.cell.get(guid))

    def test_gardend_may_go_and_come_back(self):
        guid, task = name(), name()
        self.cell.run(guid)
        self.cell.run(task, "sleep 1; exit 6")
        for one in (guid, task):
            self.cell.until(one, "running")
        self.cell.kill("garden")
        time.sleep(2)
        self.cell.start_garden()
        self.assertEqual(self.cell.result(task)["failure_reason"], "LOG: Exited with status 6")
        self.assertEqual(self.cell.get(guid)["state"], "running")

    def test_both_at_once(self):
        guid, task = name(), name()
        self.cell.run(guid)
        self.cell.run(task, "sleep 1; exit 0")
        for one in (guid, task):
            self.cell.until(one, "running")
        pids = self.pid_in(guid)
        self.cell.kill("garden")
        self.cell.kill("celld")
        self.cell.start_celld(wait=False)
        time.sleep(1.5)
        answer = self.cell.call("GET", "/containers")
        self.assertEqual(answer.status, 503, answer.body)
        self.cell.start_garden()
        wait_for("celld", self.cell.ready)
        self.assertFalse(self.cell.result(task)["failed"])
        self.assertEqual(self.cell.get(guid)["state"], "running")
        self.assertEqual(self.pid_in(guid), pids)
